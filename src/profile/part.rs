//! Parts of what is said of a profile: what stands there, what is expected, what two profiles both fit; and what the
//! readers of TOML and of expressions say in English, in German.

macro_rules! parts {
    ($($name:ident $en:literal $de:literal)*) => {
        /// A part of a sentence.
        #[allow(clippy::doc_markdown, clippy::empty_docs, reason = "the texts are for people, not for this page")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Part {
            $(#[doc = $en] $name,)*
        }

        impl Part {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),*];

            pub(super) const fn english(self) -> &'static str {
                match self { $(Self::$name => $en),* }
            }

            pub(super) const fn german(self) -> &'static str {
                match self { $(Self::$name => $de),* }
            }
        }
    };
}

parts! {
    // What stands there.
    Text "the text {}" "der Text {}"
    Number "the number {}" "die Zahl {}"
    List "a list" "eine Liste"
    ListOf "a list of {}" "eine Liste mit {}"
    Table "a table" "eine Tabelle"
    Date "a date" "ein Datum"
    Quoted "`{}`" "`{}`"
    Nothing "nothing" "nichts"
    NothingOfThatForm "nothing of that form" "nichts von dieser Form"
    SomethingElse "something else" "etwas anderes"

    // What is expected.
    AList "a list in [ ]" "eine Liste in [ ]"
    ANumber "a number from {} to {}" "eine Zahl von {} bis {}"
    AText "a text in quotation marks" "ein Text in Anführungszeichen"
    AWord "a word in quotation marks" "ein Wort in Anführungszeichen"
    TrueOrFalse "true or false" "true oder false"
    ATable "a table, [ ] as a heading or { } in a line" "eine Tabelle, [ ] als Überschrift oder { } in einer Zeile"
    ListHeading "a heading in two pairs of brackets, [[{}]]" "eine Überschrift in doppelten Klammern, [[{}]]"
    TwoNumbers "a list of 2 numbers" "eine Liste aus 2 Zahlen"

    // What two profiles both fit.
    UsbId "the USB id {}" "die USB-Kennung {}"
    UsbIdWithFirmware "the USB id {} with firmware 0x{}" "die USB-Kennung {} mit Firmware 0x{}"
    Name "the name `{}`" "den Namen `{}`"
    NameWithFirmware "the name `{}` with firmware 0x{}" "den Namen `{}` mit Firmware 0x{}"
    OnlyTheName
        "{}, and where the system does not tell the USB id nothing but the name is left"
        "{}, und wo das System die USB-Kennung nicht nennt, bleibt nur der Name"
    Application "the application {}" "die Anwendung {}"
    LevelLost
        "{}; a card that is read by it counts level {} instead of up to {}"
        "{}; eine Karte, die damit gelesen wird, zählt Stufe {} statt bis zu {}"
    SomeAtrs "some ATRs" "einige ATRs"
    StorageName "storage cards of the name 0x{}" "Speicherkarten mit dem Namen 0x{}"
    AnyAtr "cards with any ATR" "Karten mit beliebiger ATR"
    Atr "the ATR {}" "die ATR {}"

    // Hints and reasons.
    NoHint "" ""
    BracketHint
        r#"; a `{}` that stands in the name itself is written `\\{}` in "…" or `\{}` in '…'"#
        r#"; ein `{}`, das im Namen selbst steht, wird `\\{}` in "…" oder `\{}` in '…' geschrieben"#
    SystemError "error {} of the system" "Fehler {} des Systems"
    AtrTooShort "it is shorter than TS and T0" "sie ist kürzer als TS und T0"
    AtrTooLong "it is longer than 33 bytes" "sie ist länger als 33 Bytes"
    AtrInitial "TS is neither 3B nor 3F" "TS ist weder 3B noch 3F"
    AtrInterface "an announced interface byte is missing" "ein angekündigtes Schnittstellenbyte fehlt"
    AtrHistorical "an announced historical byte is missing" "ein angekündigtes Historical Byte fehlt"
    AtrCheckMissing "the check byte TCK is missing" "das Prüfbyte TCK fehlt"
    AtrCheckWrong "the check byte TCK is wrong" "das Prüfbyte TCK ist falsch"
    AtrTrailing "bytes follow the end" "nach dem Ende folgen Bytes"
    PaymentDirectory "the directory of payment applications" "das Verzeichnis der Zahlungsanwendungen"
}

/// What the readers of TOML (`toml_parser`), of expressions (`regex-syntax`) and of TLV objects say, up to a comma with what
/// they expect.
const FOREIGN: &[(&str, &str)] = &[
    ("duplicate key", "dieser Eintrag steht doppelt da"),
    ("carriage return must be followed by newline", "ein Wagenrücklauf steht ohne Zeilenende"),
    ("missing opening quote", "das Anführungszeichen am Anfang fehlt"),
    ("missing comma between array elements", "zwischen zwei Werten der Liste fehlt das Komma"),
    ("missing comma between key-value pairs", "zwischen zwei Einträgen fehlt das Komma"),
    ("integers with a radix cannot be signed", "vor 0x, 0o und 0b steht kein Vorzeichen"),
    ("radix must be lowercase", "0x, 0o und 0b stehen klein"),
    ("missing assignment between key-value pairs", "nach dem Namen fehlt das `=`"),
    ("key with no value", "nach dem Namen fehlen `=` und Wert"),
    ("missing value", "der Wert fehlt"),
    ("missing value for key", "der Wert fehlt"),
    ("unexpected leading zero", "eine Zahl beginnt nicht mit 0"),
    ("redundant integer number prefix", "vor der Zahl steht ein Zeichen zu viel"),
    ("redundant numeric sign", "vor der Zahl steht ein Vorzeichen zu viel"),
    ("unexpected sign", "hier steht kein Vorzeichen"),
    ("unclosed array table", "die Überschrift ist nicht mit ]] geschlossen"),
    ("unclosed table", "die Überschrift ist nicht mit ] geschlossen"),
    ("unclosed inline table", "die { ist nicht geschlossen"),
    ("unclosed array", "die [ ist nicht geschlossen"),
    ("missing key for inline table element", "in { } fehlt ein Name"),
    ("missing inline table opening", "die { fehlt"),
    ("missing array opening", "die [ fehlt"),
    ("missing table open", "die [ fehlt"),
    ("missing escaped value", "nach dem Backslash fehlt ein Zeichen"),
    ("too few unicode value digits", "nach \\u fehlen Ziffern"),
    ("invalid unquoted key", "so kann ein Name nicht heißen"),
    ("unquoted keys cannot be empty", "der Name fehlt"),
    ("keys cannot be multi-line literal strings", "ein Name steht in einer Zeile"),
    ("keys cannot be multi-line basic strings", "ein Name steht in einer Zeile"),
    ("cannot recurse further; max recursion depth met", "zu tief verschachtelt"),
    ("recursion limit", "zu tief verschachtelt"),
    ("unexpected key or value", "hier wird kein Name und kein Wert erwartet"),
    ("unexpected content", "hier steht etwas, das nicht erwartet wird"),
    ("unexpected content between comment and newline", "nach der Anmerkung steht etwas, das nicht erwartet wird"),
    ("unexpected `=` in array", "in einer Liste steht kein `=`"),
    ("extra assignment between key-value pairs", "hier steht ein `=` zu viel"),
    ("extra `=`", "hier steht ein `=` zu viel"),
    ("extra comma in inline table", "hier steht ein Komma zu viel"),
    ("extra comma in array", "hier steht ein Komma zu viel"),
    ("string values must be quoted", "ein Text steht in Anführungszeichen"),
    ("invalid value", "so kann ein Wert nicht stehen"),
    ("invalid key-value pair", "so kann ein Eintrag nicht stehen"),
    ("invalid inline table element", "so kann in { } nichts stehen"),
    ("invalid comment character", "ein Zeichen der Anmerkung ist nicht erlaubt"),
    (
        "invalid basic string",
        "der Text in Anführungszeichen ist nicht zu Ende oder enthält ein Zeichen, das nicht erlaubt ist",
    ),
    (
        "invalid literal string",
        "der Text zwischen '…' ist nicht zu Ende oder enthält ein Zeichen, das nicht erlaubt ist",
    ),
    ("invalid multi-line basic string", "der Text zwischen \"\"\" ist nicht zu Ende"),
    ("invalid multi-line literal string", "der Text zwischen ''' ist nicht zu Ende"),
    ("`_` may only go between digits", "`_` steht nur zwischen Ziffern"),
    ("cannot extend value of type inline table with a dotted key", "diese Tabelle ist schon fertig"),
    ("cannot extend value of type array with a dotted key", "hier steht schon eine Liste"),
    ("unclosed character class", "eine [ ist nicht geschlossen"),
    ("unclosed group", "eine ( ist nicht geschlossen"),
    ("unopened group", "eine ) steht ohne ("),
    ("unrecognized escape sequence", "nach dem Backslash steht ein Zeichen, das dort nichts bedeutet"),
    ("incomplete escape sequence, reached end of pattern prematurely", "nach dem letzten Backslash fehlt ein Zeichen"),
    (
        "invalid escape sequence found in character class",
        "in [ ] steht ein Backslash vor einem Zeichen, das dort nichts bedeutet",
    ),
    ("invalid character class range, the start must be <= the end", "ein Bereich in [ ] steht verkehrt herum"),
    ("invalid range boundary, must be a literal", "ein Bereich in [ ] beginnt oder endet nicht mit einem Zeichen"),
    ("repetition operator missing expression", "vor *, + oder ? steht nichts"),
    ("repetition quantifier expects a valid decimal", "in { } steht keine Zahl"),
    ("invalid repetition count range, the start must be <= the end", "die Zahlen in { } stehen verkehrt herum"),
    ("unclosed counted repetition", "eine { ist nicht geschlossen"),
    ("look-around, including look-ahead and look-behind, is not supported", "Vor- und Rückschau gibt es nicht"),
    ("backreferences are not supported", "Rückverweise gibt es nicht"),
    ("more than 1,024 bytes", "mehr als 1024 Bytes"),
    ("cut short", "sie hören zu früh auf"),
    ("bytes after the end", "nach dem Ende folgen Bytes"),
    ("filler between objects", "zwischen Objekten stehen Füllbytes"),
    ("malformed tag", "ein Tag ist falsch gebaut"),
    ("malformed length", "eine Länge ist falsch gebaut"),
    ("nested too deeply", "zu tief verschachtelt"),
    ("a tag twice", "ein Tag steht doppelt da"),
    ("unrecognized flag", "nach (? steht etwas, das es nicht gibt"),
];

/// German for what another library said; what is not in the table is told without its words.
pub(super) fn in_german(said: &str) -> String {
    let german = |text: &str| FOREIGN.iter().find(|(english, _)| *english == text).map(|(_, german)| *german);
    if let Some(german) = german(said) {
        return german.to_owned();
    }
    // What is expected is told as far as it consists of signs.
    let (head, expected) = said.split_once(", expected ").unwrap_or((said, ""));
    let signs: Vec<&str> = expected.split(", ").filter(|sign| sign.starts_with('`')).collect();
    let head = german(head).unwrap_or("so kann es hier nicht stehen");
    if signs.is_empty() { head.to_owned() } else { format!("{head}; erwartet: {}", signs.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_told_alike_in_both_languages() {
        for part in Part::ALL {
            assert_eq!(part.english().matches("{}").count(), part.german().matches("{}").count(), "{part:?}");
        }
    }

    #[test]
    fn what_libraries_say_is_told_in_german() {
        let cases = [
            ("unclosed group", "eine ( ist nicht geschlossen"),
            ("unclosed array, expected `]`", "die [ ist nicht geschlossen; erwartet: `]`"),
            ("string values must be quoted, expected literal string", "ein Text steht in Anführungszeichen"),
            ("something new", "so kann es hier nicht stehen"),
        ];
        for (said, german) in cases {
            assert_eq!(in_german(said), german);
        }
    }
}
