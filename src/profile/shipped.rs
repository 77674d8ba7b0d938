//! The profiles that are part of the program. `tests/profiles.rs` compares the list with the folder.

macro_rules! shipped {
    ($($folder:literal: $($id:literal)*;)*) => {
        /// File name and text of every shipped profile.
        pub(super) const SHIPPED: &[(&str, &str)] = &[$($((
            concat!($id, ".toml"),
            include_str!(concat!("../../firmware-profiles/", $folder, "/", $id, ".toml")),
        )),*),*];
    };
}

shipped! {
    "readers":
        "acr122u-old-fw"
        "acr122u"
        "acr1252u"
        "acr1552u"
        "cherry-st1144"
        "cherry-tc1300"
        "cyberjack-basis"
        "cyberjack-standard"
        "generic-ccid"
        "omnikey-5022"
        "omnikey-5422"
        "omnikey-5427ck"
        "scl3711"
        "twn4-ccid"
        "utrust-3700f"
        "utrust-4701f"
        "virtual-pcd";
    "cards":
        "bik1-phone"
        "bik1"
        "classic-uid"
        "desfire-uid"
        "fallback-unknown"
        "icode-uid"
        "ntag424-sun"
        "reject-bank"
        "reject-egk"
        "reject-npa"
        "reject-vdv-mtcos"
        "reject-vdv"
        "ultralight-uid";
}
