//! Profiles of cards as a district might have them, one for each method that no shipped profile uses.

use std::sync::LazyLock;

use teilhabe_terminal::profile::ProfileCatalog;

const CLASSIC: &str = "3B8F8001804F0CA000000306030001000000006A";
const VICINITY: &str = "3B8F8001804F0CA0000003060B00140000000077";

fn profile(id: &str, rest: &str) -> String {
    format!(
        "schema = 1\nkind = \"card\"\nid = \"{id}\"\ntitle = \"{id}\"\nissuer_scope = [\"de:*\"]\npriority = 50\n\
         [evidence]\nstatus = \"untested\"\nsources = [\"a test\"]\n[action]\ntype = \"identify\"\n{rest}"
    )
}

/// Profiles of cards as a district might have them.
pub static CATALOG: LazyLock<ProfileCatalog> = LazyLock::new(catalog);

fn catalog() -> ProfileCatalog {
    let storage = |method: &str, nn: u16, atr: &str| {
        format!(
            "{method}\n[match]\ninterface = [\"contactless\"]\nuid = {{ lengths = [4, 7, 8], reject_random = true }}\n\
             storage = {{ ss = [3, 11], nn = [{nn}] }}\n[[tests.atr]]\natr = \"{atr}\"\nmatches = true\n"
        )
    };
    let texts = [
        profile(
            "library",
            &(storage("[identify]\nmethod = \"uid\"\nuid_transform = [\"reverse\", \"dec\", \"pad:10\"]", 1, CLASSIC)
                + "[[tests.uid]]\nuid = \"04A1B2C3\"\ntext = \"3283263748\"\n"),
        ),
        profile("sports", &storage("[identify]\nmethod = \"uid\"", 0x14, VICINITY)),
        profile(
            "club",
            &storage(
                "[identify]\nmethod = \"storage-read\"\nnumber_check = \"mod97\"\n\
                 steps = [ { op = \"read_block\", block = 4, len = 16 } ]\n\
                 extract = { step = 1, slice = [1, 14], decode = \"ascii\" }\n\
                 [[tests.read]]\nbytes = \"20343931373132333435363738303720\"\nnumber = \"49171234567807\"",
                3,
                "3B8F8001804F0CA0000003060300030000000068",
            ),
        ),
        profile(
            "school",
            "[match]\nselect = { aid = \"D2760000850102\" }\n[identify]\nmethod = \"file-read\"\n\
             number_check = \"district\"\n\
             steps = [ { op = \"select\", aid = \"D2760000850102\" }, { op = \"read_binary\", sfi = 3, max = 300 } ]\n\
             extract = { step = 2, tlv = [\"70\", \"5A\"], decode = \"bcd\" }\n\
             [[tests.read]]\nbytes = \"70085A06491712345678\"\nnumber = \"491712345678\"",
        ),
        profile(
            "canteen",
            "[match]\nget_version = { family = \"desfire\", prefix = \"0401\" }\n[identify]\nmethod = \"desfire-read\"\n\
             number_check = \"district\"\n\
             steps = [ { op = \"select_application\", application = \"15845F\" }, \
                       { op = \"read_file\", file = 2, len = 70 } ]\n\
             extract = { step = 2, regex = \"NR=([0-9]+);\", decode = \"ascii\" }\n\
             [[tests.read]]\nbytes = \"4E523D3439313731323334353637383B0000\"\nnumber = \"491712345678\"",
        ),
        profile(
            "sticker",
            "[match]\nselect = { aid = \"D2760000850101\" }\n[identify]\nmethod = \"ndef\"\nnumber_check = \"mod97\"\n\
             ndef = { record = \"text\", regex = \"^Karte ([0-9]{14})$\" }\n\
             [[tests.ndef]]\ntext = \"Karte 49171234567807\"\nnumber = \"49171234567807\"\n\
             [[tests.ndef]]\ntext = \"Karte 4917\"\n",
        )
        .replace("priority = 50", "priority = 49"),
        profile(
            "coupler",
            "[match]\nselect = { aid = \"D2760000850101\" }\n[identify]\nmethod = \"ntag424-sun\"\n\
             sun = { picc_data = \"e\", cmac = \"c\", number = \"n\" }",
        ),
    ];
    let catalog = ProfileCatalog::shipped().with_update(&texts);
    assert!(catalog.errors().is_empty(), "{:?}", catalog.errors());
    catalog
}
