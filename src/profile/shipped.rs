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
        "acr122u"
        "acr1252u"
        "generic-ccid"
        "virtual-pcd";
    "cards":
        "bik1"
        "fallback-unknown"
        "reject-bank"
        "reject-egk"
        "reject-npa"
        "reject-vdv"
        "reject-vdv-mtcos";
}
