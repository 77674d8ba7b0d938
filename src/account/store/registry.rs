//! Who may do what: providers, sites, terminals and their keys, children, cards and purses.

use jiff::{Timestamp, civil::Date};
use rusqlite::{OptionalExtension, Row};

use super::{StoreError, Tx, exact, instant, ms, read};
use crate::{
    domain::{
        documents::{Environment, NumberPrefix, ReferenceKey, TerminalStanding},
        ids::{AccountId, Digest, DistrictId, Identity, IdentityKind, ProviderId, SiteId, Tag, TerminalId},
        standing::CardState,
    },
    protocol::jws::{Kid, PublicKey},
};

/// What an account is, once and for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Founded {
    /// Its id.
    pub id: AccountId,
    /// The municipality, for people.
    pub municipality: String,
    /// For what it is.
    pub environment: Environment,
    /// When it began.
    pub founded_at: Timestamp,
}

/// How the municipality regards a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderStanding {
    /// Known, not yet admitted.
    Applied,
    /// May enrol terminals and redeem.
    Admitted,
    /// Taps from this instant on are not owed.
    Suspended(Timestamp),
}

/// An enrolled terminal with everything its requests are scoped to.
#[derive(Debug, Clone)]
pub struct Terminal {
    /// Its id.
    pub id: TerminalId,
    /// Its provider.
    pub provider: ProviderId,
    /// Its site.
    pub site: SiteId,
    /// How the account regards it.
    pub standing: TerminalStanding,
    /// How the municipality regards its provider.
    pub provider_standing: ProviderStanding,
    /// SHA-256 of its first certificate's DER: the `prev` of its first record.
    pub first_certificate: Digest,
    /// The key under which it knows cards.
    pub reference: ReferenceKey,
    /// Version of the secrecy notice that was confirmed last, 0 = none.
    pub notice_version: u32,
}

/// An activation code as it is kept.
#[derive(Debug, Clone)]
pub struct Activation {
    /// Site it enrols for.
    pub site: SiteId,
    /// Its provider.
    pub provider: ProviderId,
    /// Standing of the provider.
    pub provider_standing: ProviderStanding,
    /// First instant at which it is void; `None` = never (demo).
    pub expires_at: Option<Timestamp>,
    /// The terminal that used it.
    pub used_by: Option<TerminalId>,
}

/// A key that was certified for a terminal.
#[derive(Debug, Clone)]
pub struct CertifiedKey {
    /// The key.
    pub key: PublicKey,
    /// End of the certificate.
    pub not_after: Timestamp,
}

/// A card as it is registered.
#[derive(Debug, Clone)]
pub struct NewCard {
    /// Unique name for the office.
    pub name: String,
    /// `chip`, `phone`, `printed`, `number` or `uid`.
    pub kind: String,
    /// The child; none for a neutral card.
    pub child: Option<i64>,
    /// Its state.
    pub state: CardState,
    /// Last four printed characters.
    pub tag: Tag,
    /// Every identity it may show.
    pub identities: Vec<Identity>,
}

/// A card as evidence leads to it.
#[derive(Debug, Clone)]
pub struct Card {
    /// The account's number of it.
    pub id: i64,
    /// The child.
    pub child: Option<i64>,
    /// Its state.
    pub state: CardState,
}

/// A card as a card list needs it.
#[derive(Debug, Clone)]
pub struct CardForList {
    /// The card.
    pub card: Card,
    /// Last four printed characters.
    pub tag: Tag,
    /// Every identity it may show.
    pub identities: Vec<Identity>,
}

/// What a child may spend, and when.
#[derive(Debug, Clone)]
pub struct Purse {
    /// First service date.
    pub valid_from: Date,
    /// Last service date.
    pub valid_to: Date,
}

const TERMINAL: &str =
    "SELECT t.id, p.id, s.id, t.standing, p.standing, p.suspended_at, t.first_certificate, t.ref_kid,
    t.ref_key, t.notice_version FROM terminal t JOIN site s ON s.id = t.site JOIN provider p ON p.id = s.provider";

/// The word of a card's state.
const fn state_word(state: CardState) -> &'static str {
    match state {
        CardState::Active => "active",
        CardState::Locked => "locked",
        CardState::Replaced => "replaced",
        CardState::Neutral => "neutral",
    }
}

fn state(word: &str) -> Result<CardState, StoreError> {
    [CardState::Active, CardState::Locked, CardState::Replaced, CardState::Neutral]
        .into_iter()
        .find(|state| state_word(*state) == word)
        .ok_or(StoreError::Damaged("card state"))
}

const fn environment_word(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "production",
        Environment::Training => "training",
        Environment::Demo => "demo",
    }
}

const fn standing_word(standing: TerminalStanding) -> &'static str {
    match standing {
        TerminalStanding::Active => "active",
        TerminalStanding::Suspended => "suspended",
        TerminalStanding::Revoked => "revoked",
    }
}

fn provider_standing(word: &str, suspended_at: i64) -> Result<ProviderStanding, StoreError> {
    Ok(match word {
        "applied" => ProviderStanding::Applied,
        "admitted" => ProviderStanding::Admitted,
        "suspended" => ProviderStanding::Suspended(instant(suspended_at)?),
        _ => return Err(StoreError::Damaged("provider standing")),
    })
}

/// A column that should be unique was given twice.
fn taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation)
}

impl Tx<'_> {
    /// Names the account, once.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`] if it has a name already.
    pub fn found(&self, account: &Founded) -> Result<(), StoreError> {
        let word = environment_word(account.environment);
        let row = (account.id.as_str(), &account.municipality, word, ms(account.founded_at));
        self.sql.execute("INSERT INTO account VALUES (1, ?, ?, ?, ?, 0)", row)?;
        Ok(())
    }

    /// What the account is, if it was founded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn account(&self) -> Result<Option<Founded>, StoreError> {
        let sql = "SELECT id, municipality, environment, founded_at FROM account";
        let row: Option<(String, String, String, i64)> =
            self.sql.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()?;
        row.map(|(id, municipality, word, founded_at)| {
            let environment = [Environment::Production, Environment::Training, Environment::Demo]
                .into_iter()
                .find(|environment| environment_word(*environment) == word)
                .ok_or(StoreError::Damaged("environment"))?;
            let founded_at = instant(founded_at)?;
            Ok(Founded { id: read("account id", AccountId::new(id))?, municipality, environment, founded_at })
        })
        .transpose()
    }

    /// Adds a district and how its numbers begin.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_district(&self, number: &NumberPrefix) -> Result<(), StoreError> {
        let sql = "INSERT INTO district VALUES (?, ?, ?)";
        self.sql.execute(sql, (number.district.as_str(), &number.prefix, number.length))?;
        Ok(())
    }

    /// All districts with their numbers, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn districts(&self) -> Result<Vec<NumberPrefix>, StoreError> {
        let mut statement = self.sql.prepare("SELECT id, prefix, length FROM district ORDER BY id")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))?;
        rows.map(|row| {
            let (id, prefix, length) = row?;
            Ok(NumberPrefix { district: read("district", DistrictId::new(id))?, prefix, length })
        })
        .collect()
    }

    /// Adds a provider that applied; false if the id is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_provider(&self, id: &ProviderId) -> Result<bool, StoreError> {
        Ok(self.sql.execute("INSERT OR IGNORE INTO provider VALUES (?, '', 'applied', 0)", [id.as_str()])? == 1)
    }

    /// Admits a provider with the date of its commitment under § 78 SGB X; false if there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn admit_provider(&self, id: &ProviderId, committed_on: Date) -> Result<bool, StoreError> {
        let sql = "UPDATE provider SET standing = 'admitted', committed_on = ?, suspended_at = 0 WHERE id = ?";
        Ok(self.sql.execute(sql, (committed_on.to_string(), id.as_str()))? == 1)
    }

    /// Suspends a provider; what was tapped before stays owed. False if there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn suspend_provider(&self, id: &ProviderId, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE provider SET standing = 'suspended', suspended_at = ? WHERE id = ?";
        Ok(self.sql.execute(sql, (ms(now), id.as_str()))? == 1)
    }

    /// Adds a site; false if provider is unknown, or the id is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_site(&self, id: &SiteId, provider: &ProviderId, place: &str) -> Result<bool, StoreError> {
        match self.sql.execute("INSERT INTO site VALUES (?, ?, ?)", (id.as_str(), provider.as_str(), place)) {
            Ok(_) => Ok(true),
            Err(error) if taken(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// All sites: id, provider, place.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sites(&self) -> Result<Vec<(SiteId, ProviderId, String)>, StoreError> {
        let mut statement = self.sql.prepare("SELECT id, provider, place FROM site ORDER BY id")?;
        let rows =
            statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?)))?;
        rows.map(|row| {
            let (site, provider, place) = row?;
            Ok((read("site", SiteId::new(site))?, read("provider", ProviderId::new(provider))?, place))
        })
        .collect()
    }

    /// Keeps an activation code by the digest of its secret; false if the site is unknown.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_activation(
        &self,
        secret: &Digest,
        site: &SiteId,
        minted_at: Timestamp,
        expires_at: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let row = (secret.0, site.as_str(), ms(minted_at), expires_at.map_or(0, ms));
        match self.sql.execute("INSERT INTO activation VALUES (?, ?, ?, ?, '', 0)", row) {
            Ok(_) => Ok(true),
            Err(error) if taken(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The activation code of that digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn activation(&self, secret: &Digest) -> Result<Option<Activation>, StoreError> {
        let sql = "SELECT a.site, p.id, p.standing, p.suspended_at, a.expires_at, a.used_by
                   FROM activation a JOIN site s ON s.id = a.site JOIN provider p ON p.id = s.provider WHERE a.secret = ?";
        let row = |row: &Row<'_>| -> rusqlite::Result<(String, String, String, i64, i64, String)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        };
        let Some((site, provider, word, suspended_at, expires_at, used_by)) =
            self.sql.query_row(sql, [secret.0], row).optional()?
        else {
            return Ok(None);
        };
        Ok(Some(Activation {
            site: read("site", SiteId::new(site))?,
            provider: read("provider", ProviderId::new(provider))?,
            provider_standing: provider_standing(&word, suspended_at)?,
            expires_at: if expires_at == 0 { None } else { Some(instant(expires_at)?) },
            used_by: if used_by.is_empty() { None } else { Some(read("terminal", TerminalId::new(used_by))?) },
        }))
    }

    /// Uses a code up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn use_activation(&self, secret: &Digest, by: &TerminalId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE activation SET used_by = ?, used_at = ? WHERE secret = ? AND used_by = ''";
        self.sql.execute(sql, (by.as_str(), ms(now), secret.0))?;
        Ok(())
    }

    /// Adds a freshly enrolled terminal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_terminal(
        &self,
        id: &TerminalId,
        site: &SiteId,
        first_certificate: &Digest,
        reference: &ReferenceKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let row = (id.as_str(), site.as_str(), ms(now), first_certificate.0, reference.ref_kid.as_str(), reference.key);
        self.sql.execute("INSERT INTO terminal VALUES (?, ?, 'active', ?, ?, ?, ?, 0)", row)?;
        Ok(())
    }

    /// Keeps a key that was certified for a terminal; false if that key was certified before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_terminal_key(&self, terminal: &TerminalId, key: &CertifiedKey) -> Result<bool, StoreError> {
        let row = (key.key.kid().to_string(), terminal.as_str(), key.key.as_sec1(), ms(key.not_after));
        match self.sql.execute("INSERT INTO terminal_key VALUES (?, ?, ?, ?)", row) {
            Ok(_) => Ok(true),
            Err(error) if taken(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A key that was ever certified, with the terminal it was certified for.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn certified_key(&self, kid: Kid) -> Result<Option<(TerminalId, CertifiedKey)>, StoreError> {
        let sql = "SELECT terminal, point, not_after FROM terminal_key WHERE kid = ?";
        let row: Option<(String, [u8; 65], i64)> = self
            .sql
            .query_row(sql, [kid.to_string()], |row| Ok((row.get(0)?, exact(row, 1)?, row.get(2)?)))
            .optional()?;
        row.map(|(terminal, point, not_after)| {
            let key = read("terminal key", PublicKey::from_sec1(&point))?;
            Ok((read("terminal", TerminalId::new(terminal))?, CertifiedKey { key, not_after: instant(not_after)? }))
        })
        .transpose()
    }

    /// The terminal of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn terminal(&self, id: &TerminalId) -> Result<Option<Terminal>, StoreError> {
        let sql = format!("{TERMINAL} WHERE t.id = ?");
        self.sql.query_row(&sql, [id.as_str()], |row| Ok(terminal_row(row))).optional()?.transpose()
    }

    /// All terminals by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn terminals(&self) -> Result<Vec<Terminal>, StoreError> {
        let mut statement = self.sql.prepare(&format!("{TERMINAL} ORDER BY t.id"))?;
        let rows = statement.query_map([], |row| Ok(terminal_row(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Changes how the account regards a terminal; false if there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_standing(&self, terminal: &TerminalId, standing: TerminalStanding) -> Result<bool, StoreError> {
        let sql = "UPDATE terminal SET standing = ? WHERE id = ?";
        Ok(self.sql.execute(sql, (standing_word(standing), terminal.as_str()))? == 1)
    }

    /// An operator of the terminal confirmed that version of the notice; older confirmations change nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn confirm_notice(&self, terminal: &TerminalId, version: u32) -> Result<(), StoreError> {
        let sql = "UPDATE terminal SET notice_version = MAX(notice_version, ?) WHERE id = ?";
        self.sql.execute(sql, (version, terminal.as_str()))?;
        Ok(())
    }

    /// Adds a child under a name of the office; `None` if the name is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_child(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let added = self.sql.execute("INSERT OR IGNORE INTO child (name) VALUES (?)", [name])?;
        Ok((added == 1).then(|| self.sql.last_insert_rowid()))
    }

    /// The child of that name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn child(&self, name: &str) -> Result<Option<i64>, StoreError> {
        Ok(self.sql.query_row("SELECT id FROM child WHERE name = ?", [name], |row| row.get(0)).optional()?)
    }

    /// From this day on that legal basis pays for the child.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_legal_basis(&self, child: i64, starts_on: Date, basis: &str) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO legal_basis VALUES (?, ?, ?)";
        self.sql.execute(sql, (child, starts_on.to_string(), basis))?;
        Ok(())
    }

    /// Who pays for the child on that day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn legal_basis(&self, child: i64, on: Date) -> Result<Option<String>, StoreError> {
        let sql = "SELECT basis FROM legal_basis WHERE child = ? AND starts_on <= ? ORDER BY starts_on DESC LIMIT 1";
        Ok(self.sql.query_row(sql, (child, on.to_string()), |row| row.get(0)).optional()?)
    }

    /// Registers a card; `None` if its name or one of its identities is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_card(&self, card: &NewCard) -> Result<Option<i64>, StoreError> {
        let free = "SELECT NOT EXISTS (SELECT 1 FROM card_identity WHERE district = ? AND kind = ? AND identity = ?)";
        for identity in &card.identities {
            let key = (identity.district.as_str(), identity.kind.word(), &identity.bytes);
            if !self.sql.query_row(free, key, |row| row.get(0))? {
                return Ok(None);
            }
        }
        let row = (&card.name, &card.kind, card.child, state_word(card.state), card.tag.as_str());
        let added = self
            .sql
            .execute("INSERT OR IGNORE INTO card (name, kind, child, state, tag) VALUES (?, ?, ?, ?, ?)", row)?;
        if added == 0 {
            return Ok(None);
        }
        let number = self.sql.last_insert_rowid();
        for identity in &card.identities {
            let row = (identity.district.as_str(), identity.kind.word(), &identity.bytes, number);
            self.sql.execute("INSERT INTO card_identity VALUES (?, ?, ?, ?)", row)?;
        }
        Ok(Some(number))
    }

    /// Changes the state of the card of that name; false if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_card_state(&self, name: &str, new: CardState) -> Result<bool, StoreError> {
        Ok(self.sql.execute("UPDATE card SET state = ? WHERE name = ?", (state_word(new), name))? == 1)
    }

    /// The card of that name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn card(&self, name: &str) -> Result<Option<Card>, StoreError> {
        let row =
            self.sql.query_row("SELECT id, child, state FROM card WHERE name = ?", [name], card_row).optional()?;
        row.map(card_of).transpose()
    }

    /// The card that shows this identity.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn card_of_identity(&self, identity: &Identity) -> Result<Option<Card>, StoreError> {
        let sql = "SELECT c.id, c.child, c.state FROM card c JOIN card_identity i ON i.card = c.id
                   WHERE i.district = ? AND i.kind = ? AND i.identity = ?";
        let key = (identity.district.as_str(), identity.kind.word(), &identity.bytes);
        self.sql.query_row(sql, key, card_row).optional()?.map(card_of).transpose()
    }

    /// Lets a site know a card in advance.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn release_card(&self, site: &SiteId, card: i64) -> Result<(), StoreError> {
        self.sql.execute("INSERT OR IGNORE INTO released VALUES (?, ?)", (site.as_str(), card))?;
        Ok(())
    }

    /// The cards a site may know, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn released_cards(&self, site: &SiteId) -> Result<Vec<CardForList>, StoreError> {
        let sql = "SELECT c.id, c.child, c.state, c.tag FROM released r JOIN card c ON c.id = r.card
                   WHERE r.site = ? ORDER BY c.id";
        let mut statement = self.sql.prepare(sql)?;
        let rows = statement.query_map([site.as_str()], |row| Ok((card_row(row)?, row.get::<_, String>(3)?)))?;
        rows.map(|row| {
            let (card, tag) = row?;
            let card = card_of(card)?;
            let tag = Tag::new(&tag).ok_or(StoreError::Damaged("tag"))?;
            Ok(CardForList { identities: self.identities(card.id)?, card, tag })
        })
        .collect()
    }

    fn identities(&self, card: i64) -> Result<Vec<Identity>, StoreError> {
        let sql = "SELECT district, kind, identity FROM card_identity WHERE card = ? ORDER BY kind, identity";
        let mut statement = self.sql.prepare_cached(sql)?;
        let rows = statement.query_map([card], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?))
        })?;
        rows.map(|row| {
            let (district, word, bytes) = row?;
            let kind = [IdentityKind::Cti, IdentityKind::Number, IdentityKind::Uid]
                .into_iter()
                .find(|kind| kind.word() == word)
                .ok_or(StoreError::Damaged("identity"))?;
            Ok(Identity { district: read("district", DistrictId::new(district))?, kind, bytes })
        })
        .collect()
    }

    /// `cti`s of locked and replaced cards of a district, for its deny list.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn denied(&self, district: &DistrictId) -> Result<Vec<Vec<u8>>, StoreError> {
        let sql = "SELECT i.identity FROM card_identity i JOIN card c ON c.id = i.card
                   WHERE i.district = ? AND i.kind = 'cti' AND c.state IN ('locked', 'replaced')";
        let mut statement = self.sql.prepare(sql)?;
        let rows = statement.query_map([district.as_str()], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Opens a purse for a child, or moves its days.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_purse(&self, child: i64, word: &str, purse: &Purse) -> Result<(), StoreError> {
        let row = (child, word, purse.valid_from.to_string(), purse.valid_to.to_string());
        self.sql.execute("INSERT OR REPLACE INTO purse VALUES (?, ?, ?, ?)", row)?;
        Ok(())
    }

    /// A child's purse of that word.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn purse(&self, child: i64, word: &str) -> Result<Option<Purse>, StoreError> {
        let sql = "SELECT valid_from, valid_to FROM purse WHERE child = ? AND purse = ?";
        let row: Option<(String, String)> =
            self.sql.query_row(sql, (child, word), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        row.map(|(from, to)| Ok(Purse { valid_from: read("date", from.parse())?, valid_to: read("date", to.parse())? }))
            .transpose()
    }
}

fn card_row(row: &Row<'_>) -> rusqlite::Result<(i64, Option<i64>, String)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn card_of((id, child, word): (i64, Option<i64>, String)) -> Result<Card, StoreError> {
    Ok(Card { id, child, state: state(&word)? })
}

fn terminal_row(row: &Row<'_>) -> Result<Terminal, StoreError> {
    let text = |column| row.get::<_, String>(column);
    let word = text(3)?;
    let standing = [TerminalStanding::Active, TerminalStanding::Suspended, TerminalStanding::Revoked]
        .into_iter()
        .find(|standing| standing_word(*standing) == word)
        .ok_or(StoreError::Damaged("terminal standing"))?;
    Ok(Terminal {
        id: read("terminal", TerminalId::new(text(0)?))?,
        provider: read("provider", ProviderId::new(text(1)?))?,
        site: read("site", SiteId::new(text(2)?))?,
        standing,
        provider_standing: provider_standing(&text(4)?, row.get(5)?)?,
        first_certificate: Digest(exact(row, 6)?),
        reference: ReferenceKey { ref_kid: text(7)?, key: exact(row, 8)? },
        notice_version: row.get(9)?,
    })
}
