//! Who may do what: the account itself, its districts, providers, sites, terminals and their keys.

use jiff::{Timestamp, civil::Date};
use rusqlite::{OptionalExtension, Row};

use super::{StoreError, Tx, exact, instant, ms, read};
use crate::{
    domain::{
        documents::{Environment, NumberPrefix, ReferenceKey, TerminalStanding},
        ids::{AccountId, Digest, DistrictId, ProviderId, SiteId, TerminalId},
    },
    protocol::{
        jws::{Kid, PublicKey},
        record::chain_start,
    },
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
    /// The office decides on whoever uses it.
    pub approval: bool,
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

const TERMINAL: &str =
    "SELECT t.id, p.id, s.id, t.standing, p.standing, p.suspended_at, t.first_certificate, t.ref_kid,
    t.ref_key, t.notice_version FROM terminal t JOIN site s ON s.id = t.site JOIN provider p ON p.id = s.provider";

const fn environment_word(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "production",
        Environment::Training => "training",
        Environment::Demo => "demo",
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
        self.sql.prepare_cached("INSERT INTO account VALUES (1, ?, ?, ?, ?, 0)")?.execute(row)?;
        Ok(())
    }

    /// What the account is, if it was founded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn account(&self) -> Result<Option<Founded>, StoreError> {
        let sql = "SELECT id, municipality, environment, founded_at FROM account";
        let row: Option<(String, String, String, i64)> = self
            .sql
            .prepare_cached(sql)?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
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
        self.sql.prepare_cached(sql)?.execute((number.district.as_str(), &number.prefix, number.length))?;
        Ok(())
    }

    /// All districts with their numbers, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn districts(&self) -> Result<Vec<NumberPrefix>, StoreError> {
        let mut statement = self.sql.prepare_cached("SELECT id, prefix, length FROM district ORDER BY id")?;
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
        Ok(self
            .sql
            .prepare_cached("INSERT OR IGNORE INTO provider VALUES (?, '', 'applied', 0)")?
            .execute([id.as_str()])?
            == 1)
    }

    /// Admits a provider with the date of its commitment under § 78 SGB X; false if there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn admit_provider(&self, id: &ProviderId, committed_on: Date) -> Result<bool, StoreError> {
        let sql = "UPDATE provider SET standing = 'admitted', committed_on = ?, suspended_at = 0 WHERE id = ?";
        Ok(self.sql.prepare_cached(sql)?.execute((committed_on.to_string(), id.as_str()))? == 1)
    }

    /// Suspends a provider; what was tapped before stays owed. False if there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn suspend_provider(&self, id: &ProviderId, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE provider SET standing = 'suspended', suspended_at = ? WHERE id = ?";
        Ok(self.sql.prepare_cached(sql)?.execute((ms(now), id.as_str()))? == 1)
    }

    /// Adds a site under the name people know it by; false if provider is unknown, or the id is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_site(&self, id: &SiteId, provider: &ProviderId, place: &str, name: &str) -> Result<bool, StoreError> {
        let sql = "INSERT INTO site (id, provider, place, name) VALUES (?, ?, ?, ?)";
        match self.sql.prepare_cached(sql)?.execute((id.as_str(), provider.as_str(), place, name)) {
            Ok(_) => Ok(true),
            Err(error) if taken(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What people call a site.
    ///
    /// # Errors
    /// [`StoreError`], also if there is no such site.
    pub fn site_name(&self, id: &SiteId) -> Result<String, StoreError> {
        let mut statement = self.sql.prepare_cached("SELECT name FROM site WHERE id = ?")?;
        Ok(statement.query_row([id.as_str()], |row| row.get(0))?)
    }

    /// All sites: id, provider, place.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sites(&self) -> Result<Vec<(SiteId, ProviderId, String)>, StoreError> {
        let mut statement = self.sql.prepare_cached("SELECT id, provider, place FROM site ORDER BY id")?;
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
        approval: bool,
    ) -> Result<bool, StoreError> {
        let row = (secret.0, site.as_str(), ms(minted_at), expires_at.map_or(0, ms), approval);
        match self.sql.prepare_cached("INSERT INTO activation VALUES (?, ?, ?, ?, ?, '', 0)")?.execute(row) {
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
        let sql = "SELECT a.site, p.id, p.standing, p.suspended_at, a.expires_at, a.used_by, a.approval
                   FROM activation a JOIN site s ON s.id = a.site JOIN provider p ON p.id = s.provider WHERE a.secret = ?";
        let row = |row: &Row<'_>| -> rusqlite::Result<(String, String, String, i64, i64, String, bool)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
        };
        let Some((site, provider, word, suspended_at, expires_at, used_by, approval)) =
            self.sql.prepare_cached(sql)?.query_row([secret.0], row).optional()?
        else {
            return Ok(None);
        };
        Ok(Some(Activation {
            site: read("site", SiteId::new(site))?,
            provider: read("provider", ProviderId::new(provider))?,
            provider_standing: provider_standing(&word, suspended_at)?,
            expires_at: if expires_at == 0 { None } else { Some(instant(expires_at)?) },
            approval,
            used_by: if used_by.is_empty() { None } else { Some(read("terminal", TerminalId::new(used_by))?) },
        }))
    }

    /// Uses a code up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn use_activation(&self, secret: &Digest, by: &TerminalId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE activation SET used_by = ?, used_at = ? WHERE secret = ? AND used_by = ''";
        self.sql.prepare_cached(sql)?.execute((by.as_str(), ms(now), secret.0))?;
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
        first_leaf: &[u8],
        reference: &ReferenceKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let first = chain_start(first_leaf).0;
        let row = (id.as_str(), site.as_str(), ms(now), first, first_leaf, reference.ref_kid.as_str(), reference.key);
        self.sql.prepare_cached("INSERT INTO terminal VALUES (?, ?, 'active', ?, ?, ?, ?, ?, 0)")?.execute(row)?;
        Ok(())
    }

    /// The first certificate of a terminal, DER.
    ///
    /// # Errors
    /// [`StoreError`], also if there is no such terminal.
    pub fn first_leaf(&self, id: &TerminalId) -> Result<Vec<u8>, StoreError> {
        Ok(self
            .sql
            .prepare_cached("SELECT first_leaf FROM terminal WHERE id = ?")?
            .query_row([id.as_str()], |row| row.get(0))?)
    }

    /// Keeps a key that was certified for a terminal; false if that key was certified before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_terminal_key(&self, terminal: &TerminalId, key: &CertifiedKey) -> Result<bool, StoreError> {
        let row = (key.key.kid().to_string(), terminal.as_str(), key.key.as_sec1(), ms(key.not_after));
        match self.sql.prepare_cached("INSERT INTO terminal_key VALUES (?, ?, ?, ?)")?.execute(row) {
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
            .prepare_cached(sql)?
            .query_row([kid.to_string()], |row| Ok((row.get(0)?, exact(row, 1)?, row.get(2)?)))
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
        self.sql.prepare_cached(&sql)?.query_row([id.as_str()], |row| Ok(terminal_row(row))).optional()?.transpose()
    }

    /// All terminals by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn terminals(&self) -> Result<Vec<Terminal>, StoreError> {
        let mut statement = self.sql.prepare_cached(&format!("{TERMINAL} ORDER BY t.id"))?;
        let rows = statement.query_map([], |row| Ok(terminal_row(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Changes how the account regards a terminal; false if there is none of that id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_standing(&self, terminal: &TerminalId, standing: TerminalStanding) -> Result<bool, StoreError> {
        let sql = "UPDATE terminal SET standing = ? WHERE id = ?";
        Ok(self.sql.prepare_cached(sql)?.execute((standing.word(), terminal.as_str()))? == 1)
    }

    /// An operator of the terminal confirmed that version of the notice; older confirmations change nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn confirm_notice(&self, terminal: &TerminalId, version: u32) -> Result<(), StoreError> {
        let sql = "UPDATE terminal SET notice_version = MAX(notice_version, ?) WHERE id = ?";
        self.sql.prepare_cached(sql)?.execute((version, terminal.as_str()))?;
        Ok(())
    }
}

fn terminal_row(row: &Row<'_>) -> Result<Terminal, StoreError> {
    let text = |column| row.get::<_, String>(column);
    let word = text(3)?;
    let standing = TerminalStanding::ALL
        .into_iter()
        .find(|standing| standing.word() == word)
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
