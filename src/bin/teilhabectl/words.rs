//! What `doctor`, `probe` and `profiles check` say to people: one table, each text with its stable code in the interface's
//! languages. `{}` stands for what was found, in the same order in every language.

use std::env;

use teilhabe_terminal::{
    app::config::Config,
    profile::{Detail, Fault, Layer},
};

/// A language the interface is shipped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// The shipped default.
    German,
    /// The language of the sources.
    English,
}

impl Language {
    /// That of the installation if its configuration is named, else that of the person's session, else the default.
    pub fn of(config: &Config, configured: bool) -> Self {
        let session = || {
            let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| env::var(name).ok());
            set.into_iter().find(|locale| !locale.is_empty())
        };
        let named = if configured { None } else { session() };
        Self::named(named.as_deref().unwrap_or_default())
            .or_else(|| Self::named(&config.language))
            .unwrap_or(Self::German)
    }

    /// By a locale such as `de_DE.UTF-8` or `en`.
    fn named(locale: &str) -> Option<Self> {
        match locale.get(..2)? {
            "de" => Some(Self::German),
            "en" => Some(Self::English),
            _ => None,
        }
    }

    /// As profiles name it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::German => "de",
            Self::English => "en",
        }
    }
}

/// One text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// Stable.
    pub code: &'static str,
    en: &'static str,
    de: &'static str,
}

impl Word {
    /// The text without anything to put in.
    pub const fn text(self, language: Language) -> &'static str {
        match language {
            Language::German => self.de,
            Language::English => self.en,
        }
    }

    /// The text with these values in their places.
    pub fn with(self, language: Language, values: &[&str]) -> String {
        let mut parts = self.text(language).split("{}");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for (part, value) in parts.zip(values) {
            text.push_str(value);
            text.push_str(part);
        }
        text
    }
}

macro_rules! words {
    ($($(#[$only:meta])* $name:ident $code:literal $en:literal $de:literal)*) => {
        $(
            #[cfg_attr(not(feature = "pcsc"), allow(dead_code, reason = "much is said of readers alone"))]
            $(#[$only])*
            pub const $name: Word = Word { code: $code, en: $en, de: $de };
        )*
        #[cfg(test)]
        const ALL: &[Word] = &[$($(#[$only])* $name),*];
    };
}

words! {
    // What the doctor looks at.
    READER "reader" "reader" "Kartenleser"
    FIRMWARE "firmware" "firmware" "Firmware"
    DRIVER "driver" "driver" "Treiber"
    SIGNALS "signals" "light and sound" "Licht und Ton"
    POLKIT "polkit" "polkit" "polkit"
    KERNEL_MODULES "kernel_modules" "kernel modules" "Kernelmodule"
    SCANNER "scanner" "scanner" "Scanner"
    CLOCK "clock" "clock" "Uhr"
    PROFILES "profiles" "profiles" "Profile"
    DATA "data" "data directory" "Datenverzeichnis"
    ACTIVATION "activation" "activation" "Aktivierung"
    OFFER "offer" "preset offer" "voreingestellte Leistung"
    RECORDS "records" "records" "Buchungen"

    FOUND "found" "{}" "{}"

    READER_DENIED "reader_denied" "access denied" "Zugriff verweigert"
    READER_DENIED_DO "reader_denied_do"
        "let this user use smart cards: install the polkit rule of the package, or sign in at the machine itself"
        "diesem Benutzer Chipkarten erlauben: die polkit-Regel des Pakets einrichten oder sich am Gerät selbst anmelden"
    SERVICE_MISSING "service_missing"
        "the smart-card service does not answer ({})"
        "der Chipkartendienst antwortet nicht ({})"
    SERVICE_MISSING_DO "service_missing_do"
        "install and start pcscd (Debian: apt-get install pcscd); numbers and codes work without it"
        "pcscd installieren und starten (Debian: apt-get install pcscd); Nummern und Codes gehen auch ohne"
    READER_NONE "reader_none" "none is plugged in" "keiner angesteckt"
    READER_NONE_DO "reader_none_do"
        "plug the reader in; if it is, try another port, and look below whether its driver knows it"
        "den Leser anstecken; steckt er schon, einen anderen Anschluss versuchen und unten nachsehen, ob der Treiber ihn kennt"
    READER_AMBIGUOUS_DO "reader_ambiguous_do"
        "give one of them a higher `priority` or a longer expression: teilhabectl profiles check"
        "einem davon eine höhere `priority` oder einen längeren Ausdruck geben: teilhabectl profiles check"
    READER_UNUSABLE_DO "reader_unusable_do"
        "this model cannot be used; take one of firmware-profiles/README.md"
        "dieses Modell ist nicht verwendbar; eines aus firmware-profiles/README.md nehmen"
    READER_HIDDEN "reader_hidden"
        "{} ({}) is plugged in, and the smart-card service does not list it"
        "{} ({}) ist angesteckt, der Chipkartendienst führt ihn aber nicht"
    READER_HIDDEN_DO "reader_hidden_do"
        "unplug it and plug it in again; if that does not help, its driver is missing or too old, see below"
        "abziehen und wieder anstecken; hilft das nicht, fehlt sein Treiber oder ist zu alt, siehe unten"
    PROFILE_SAYS "profile_says" "{}" "{}"
    #[cfg(not(feature = "pcsc"))]
    NO_PCSC "no_pcsc" "this build has no PC/SC" "dieses Programm ist ohne PC/SC gebaut"
    FIRMWARE_IS "firmware_is" "{} of {}" "{} in {}"

    NONE_FOUND "none_found" "none found" "keiner gefunden"
    DRIVER_OLD_DO "driver_old_do"
        "{} wants {} or newer; until then it may not start when it is plugged in: unplug it and plug it in again"
        "{} braucht {} oder neuer; bis dahin startet er nach dem Anstecken vielleicht nicht: abziehen und wieder anstecken"
    DRIVER_NONE_DO "driver_none_do"
        "install the class driver (Debian: apt-get install libccid)"
        "den Klassentreiber installieren (Debian: apt-get install libccid)"
    SIGNALS_OPEN "signals_open" "{}: the driver lets light and sound through" "{}: der Treiber lässt Licht und Ton durch"
    SIGNALS_WITH_CARD "signals_with_card"
        "{}: light and sound while a card lies there"
        "{}: Licht und Ton, solange eine Karte aufliegt"
    SIGNALS_CLOSED "signals_closed"
        "{}: none; the driver keeps the way closed (bit 0 of ifdDriverOptions in {} opens it, for all readers)"
        "{}: keine; der Treiber hält den Weg geschlossen (Bit 0 von ifdDriverOptions in {} öffnet ihn, für alle Leser)"
    POLKIT_UNASKED "polkit_unasked" "the smart-card service does not ask it" "der Chipkartendienst fragt es nicht"
    POLKIT_RULE "polkit_rule" "there is a rule for smart cards" "es gibt eine Regel für Chipkarten"
    POLKIT_NO_RULE "polkit_no_rule" "there is no rule for smart cards" "es gibt keine Regel für Chipkarten"
    POLKIT_NO_RULE_DO "polkit_no_rule_do"
        "a terminal that starts by itself sits at no seat: add a rule that grants org.debian.pcsc-lite.access_pcsc and access_card to its user, in /etc/polkit-1/rules.d"
        "ein Terminal, das von selbst startet, sitzt an keinem Platz: in /etc/polkit-1/rules.d seinem Benutzer org.debian.pcsc-lite.access_pcsc und access_card erlauben"
    MODULES_NONE "modules_none" "none in the way" "keines im Weg"
    MODULES_DO "modules_do"
        "they claim NFC readers before pcscd can: write \"{}\" into /etc/modprobe.d/teilhabe-terminal.conf, a line each, and start the machine anew"
        "sie belegen NFC-Leser vor pcscd: \"{}\" je in eine Zeile von /etc/modprobe.d/teilhabe-terminal.conf schreiben und das Gerät neu starten"
    PROFILE_WRONG "profile_wrong" "{}: {} [{}]" "{}: {} [{}]"
    PROFILE_WRONG_DO "profile_wrong_do"
        "mend the file; teilhabectl profiles check with the same --config shows whether it is right"
        "die Datei berichtigen; teilhabectl profiles check mit demselben --config zeigt, ob sie stimmt"
    PROFILES_FOLDER_DO "profiles_folder_do"
        "make the folder and let this user read it, or take workshop_profiles out of the configuration"
        "den Ordner anlegen und diesem Benutzer das Lesen erlauben, oder workshop_profiles aus der Konfiguration nehmen"
    PROFILE_MISNAMED "profile_misnamed" "{}: {}" "{}: {}"
    PROFILE_MISNAMED_DO "profile_misnamed_do"
        "rename the file, or take it out of the folder"
        "die Datei umbenennen oder aus dem Ordner nehmen"
    PROFILES_LOCAL "profiles_local" "{} in force from {}" "{} in Kraft aus {}"
    PROFILES_NONE_DO "profiles_none_do"
        "put profiles into the folder, or take workshop_profiles out of the configuration"
        "Profile in den Ordner legen oder workshop_profiles aus der Konfiguration nehmen"
    SCANNER_DENIED_DO "scanner_denied_do"
        "let this user read it: add the user to the group `input`, or write a udev rule for the device"
        "diesem Benutzer das Lesen erlauben: ihn in die Gruppe `input` aufnehmen oder eine udev-Regel für das Gerät schreiben"
    SCANNER_MISSING_DO "scanner_missing_do"
        "plug it in; if it is, look in /dev/input/by-id what it is called and correct [scanner] device"
        "anstecken; steckt er schon, in /dev/input/by-id nachsehen, wie er heißt, und [scanner] device berichtigen"
    CLOCK_GOOD "clock_good" "{} synchronised" "{} abgeglichen"
    CLOCK_BAD "clock_bad" "{} not synchronised" "{} nicht abgeglichen"
    CLOCK_DO "clock_do"
        "switch time synchronisation on: timedatectl set-ntp true"
        "den Zeitabgleich einschalten: timedatectl set-ntp true"
    DATA_DO "data_do"
        "start the terminal once, or name its directory with --data"
        "das Terminal einmal starten oder sein Verzeichnis mit --data nennen"
    DATA_NONE "data_none" "{}: no installation" "{}: keine Installation"
    NOT_ACTIVATED "not_activated" "not activated" "nicht aktiviert"
    NOT_ACTIVATED_DO "not_activated_do"
        "type the activation code at the terminal; if it was activated before, this is not its directory: see `data` and --data"
        "den Aktivierungscode am Terminal eingeben; war es schon aktiviert, ist dies nicht sein Verzeichnis: `data` und --data prüfen"
    OFFER_UNKNOWN "offer_unknown" "{} is in no catalogue; there are: {}" "{} steht in keinem Katalog; es gibt: {}"
    OFFER_UNKNOWN_DO "offer_unknown_do"
        "correct `offer` in the configuration and start the terminal anew; until then every card is refused"
        "`offer` in der Konfiguration berichtigen und das Terminal neu starten; bis dahin wird jede Karte abgelehnt"
    RECORDS_WAIT "records_wait" "{} waiting, oldest {}" "{} warten, älteste {}"
    RECORDS_DO "records_do"
        "see the run book, \"When the terminal is blocked\""
        "siehe Betriebshandbuch, „When the terminal is blocked“"

    PROBE_NO_READER "probe_no_reader"
        "no reader can be asked; teilhabectl doctor says why"
        "kein Leser ist ansprechbar; teilhabectl doctor sagt, warum"
    PROBE_NOTHING "probe_nothing" "no reader is plugged in" "kein Leser ist angesteckt"
    PROBE_SLOT "probe_slot"
        "the slot \"{}\" takes no cards of customers"
        "der Schacht „{}“ nimmt keine Karten von Gästen"
    PROBE_UNREACHABLE "probe_unreachable" "the card cannot be reached" "die Karte ist nicht erreichbar"
    PROBE_WRITTEN "probe_written"
        "written to {}; look it over before you pass it on"
        "nach {} geschrieben; vor dem Weitergeben durchsehen"
    PROBE_EXISTS "probe_exists"
        "{} is there already; give another name"
        "{} gibt es schon; einen anderen Namen angeben"
    PROBE_NO_FOLDER "probe_no_folder"
        "the folder of {} is not there; make it first"
        "den Ordner von {} gibt es nicht; ihn erst anlegen"
    PROBE_NO_UID "probe_no_uid"
        "the reader's profile {} does not allow asking for the UID (uid = false): cards known by it are not read here"
        "das Profil {} des Lesers erlaubt nicht, nach der UID zu fragen (uid = false): Karten, die daran bekannt sind, werden hier nicht gelesen"
    PROBE_MUTE "probe_mute" "the card that lies there says nothing" "die aufliegende Karte antwortet nicht"
    PROBE_NO_CARD "probe_no_card"
        "no card within {} s; hold one to the reader and try again"
        "keine Karte innerhalb von {} s; eine an den Leser halten und noch einmal versuchen"
    PROBE_UNFAITHFUL "probe_unfaithful"
        "without what names the card its dialogue would be another; nothing was written"
        "ohne das, was die Karte benennt, liefe ihr Gespräch anders; nichts wurde geschrieben"

    LAYER_SHIPPED "shipped" "shipped" "mitgeliefert"
    LAYER_UPDATE "account_update" "account update" "vom Konto"
    LAYER_LOCAL "local" "local" "eigen"
    KIND_READER "kind_reader" "reader" "Leser"
    KIND_CARD "kind_card" "card" "Karte"
    TESTED "tested" "tested" "geprüft"
    UNTESTED "untested" "untested" "ungeprüft"
    PROFILE_DISABLED "profile_disabled" "disabled: {} {}: {} [{}]" "außer Kraft: {} {}: {} [{}]"
    PROFILE_NOTE "profile_note"
        "note: {} {} goes before {} {}: both fit {}"
        "Hinweis: {} {} geht vor {} {}: beide passen auf {}"
    FILE_IGNORED "file_ignored" "ignored: {}: {}" "übergangen: {}: {}"
    IGNORED_NAME "ignored_name" "its name does not end in .toml" "der Name endet nicht auf .toml"
    IGNORED_TEMPLATE "ignored_template"
        "a template: its name begins with example."
        "eine Vorlage: der Name beginnt mit example."
    IGNORED_MISNAMED "ignored_misnamed"
        "looks like a profile; call it {}"
        "sieht aus wie ein Profil; es muss {} heißen"
    ONE_FILE "one_file" "1 file" "1 Datei"
    FILES "files" "{} files" "{} Dateien"
    THE_PROGRAM "the_program" "the program" "diesem Programm"
    AND_IGNORED "and_ignored" ", {} ignored" ", {} übergangen"
    SUM_DISABLED "sum_disabled" "{} disabled" "{} außer Kraft"
    SUM_MISNAMED "sum_misnamed" "{} wrongly named" "{} falsch benannt"
    CHECKED_FINE "checked_fine" "{} checked in {}{}: all fine" "{} in {} geprüft{}: alles in Ordnung"
    CHECKED_FAULTS "checked_faults" "{} checked in {}{}: {}" "{} in {} geprüft{}: {}"
    CHECKED_NOTHING "checked_nothing" "nothing to check in {}{}" "in {} ist nichts zu prüfen{}"
    CHECK_A_FOLDER "check_a_folder"
        "{} is a file; give the folder: teilhabectl profiles check {}"
        "{} ist eine Datei; den Ordner angeben: teilhabectl profiles check {}"
}

/// What is wrong with a profile file.
pub fn fault(language: Language, fault: &Fault) -> String {
    match language {
        Language::German => fault.german(),
        Language::English => fault.to_string(),
    }
}

/// What two profiles both fit.
pub fn detail(language: Language, detail: &Detail) -> String {
    match language {
        Language::German => detail.german(),
        Language::English => detail.to_string(),
    }
}

/// Where a profile comes from.
pub const fn layer(layer: Layer) -> Word {
    match layer {
        Layer::Shipped => LAYER_SHIPPED,
        Layer::Update => LAYER_UPDATE,
        Layer::Local => LAYER_LOCAL,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_text_is_there_in_both_languages() {
        let mut codes = BTreeSet::new();
        for word in ALL {
            assert!(codes.insert(word.code), "{} stands there twice", word.code);
            assert!(!word.en.is_empty() && !word.de.is_empty(), "{}", word.code);
            assert_eq!(word.en.matches("{}").count(), word.de.matches("{}").count(), "{}", word.code);
        }
        assert_eq!(FIRMWARE_IS.with(Language::German, &["2.03", "X"]), "2.03 in X");
        // A value is never taken for a place to fill.
        assert_eq!(FIRMWARE_IS.with(Language::English, &["{}", "X"]), "{} of X");
    }

    #[test]
    fn locales_name_languages() {
        for (locale, expected) in [
            ("de_DE.UTF-8", Some(Language::German)),
            ("de", Some(Language::German)),
            ("en_GB.UTF-8", Some(Language::English)),
            ("C.UTF-8", None),
            ("fr_FR", None),
            ("", None),
            ("d", None),
        ] {
            assert_eq!(Language::named(locale), expected, "{locale}");
        }
    }
}
