//! Whose card it is: children, their cards with every identity these show, their purses and who pays.

use jiff::civil::Date;
use rusqlite::{OptionalExtension, Row};

use super::{StoreError, Tx, read};
use crate::domain::{
    ids::{DistrictId, Identity, IdentityKind, SiteId, Tag},
    standing::CardState,
};

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
    /// UID of its NTAG 424, if the account checks messages of one. It is no identity: a UID alone opens nothing here.
    pub chip: Option<[u8; 7]>,
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

impl Tx<'_> {
    /// Adds a child under a name of the office; `None` if the name is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_child(&self, name: &str) -> Result<Option<i64>, StoreError> {
        let added = self.sql.prepare_cached("INSERT OR IGNORE INTO child (name) VALUES (?)")?.execute([name])?;
        Ok((added == 1).then(|| self.sql.last_insert_rowid()))
    }

    /// The child of that name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn child(&self, name: &str) -> Result<Option<i64>, StoreError> {
        Ok(self
            .sql
            .prepare_cached("SELECT id FROM child WHERE name = ?")?
            .query_row([name], |row| row.get(0))
            .optional()?)
    }

    /// From this day on that legal basis pays for the child.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_legal_basis(&self, child: i64, starts_on: Date, basis: &str) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO legal_basis VALUES (?, ?, ?)";
        self.sql.prepare_cached(sql)?.execute((child, starts_on.to_string(), basis))?;
        Ok(())
    }

    /// Who pays for the child on that day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn legal_basis(&self, child: i64, on: Date) -> Result<Option<String>, StoreError> {
        let sql = "SELECT basis FROM legal_basis WHERE child = ? AND starts_on <= ? ORDER BY starts_on DESC LIMIT 1";
        Ok(self.sql.prepare_cached(sql)?.query_row((child, on.to_string()), |row| row.get(0)).optional()?)
    }

    /// Registers a card; `None` if its name or one of its identities is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn add_card(&self, card: &NewCard) -> Result<Option<i64>, StoreError> {
        let free = "SELECT NOT EXISTS (SELECT 1 FROM card_identity WHERE district = ? AND kind = ? AND identity = ?)";
        for identity in &card.identities {
            let key = (identity.district.as_str(), identity.kind.word(), &identity.bytes);
            if !self.sql.prepare_cached(free)?.query_row(key, |row| row.get(0))? {
                return Ok(None);
            }
        }
        if let Some(uid) = card.chip
            && self
                .sql
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM chip WHERE uid = ?)")?
                .query_row([uid], |row| row.get(0))?
        {
            return Ok(None);
        }
        let row = (&card.name, &card.kind, card.child, state_word(card.state), card.tag.as_str());
        let added = self
            .sql
            .prepare_cached("INSERT OR IGNORE INTO card (name, kind, child, state, tag) VALUES (?, ?, ?, ?, ?)")?
            .execute(row)?;
        if added == 0 {
            return Ok(None);
        }
        let number = self.sql.last_insert_rowid();
        for identity in &card.identities {
            let row = (identity.district.as_str(), identity.kind.word(), &identity.bytes, number);
            self.sql.prepare_cached("INSERT INTO card_identity VALUES (?, ?, ?, ?)")?.execute(row)?;
        }
        if let Some(uid) = &card.chip {
            self.sql.prepare_cached("INSERT INTO chip VALUES (?, ?)")?.execute((number, uid))?;
        }
        Ok(Some(number))
    }

    /// The NTAG 424 on a card.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn chip_on(&self, card: i64) -> Result<Option<[u8; 7]>, StoreError> {
        let sql = "SELECT uid FROM chip WHERE card = ?";
        Ok(self.sql.prepare_cached(sql)?.query_row([card], |row| super::exact(row, 0)).optional()?)
    }

    /// Changes the state of the card of that name; false if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_card_state(&self, name: &str, new: CardState) -> Result<bool, StoreError> {
        Ok(self.sql.prepare_cached("UPDATE card SET state = ? WHERE name = ?")?.execute((state_word(new), name))? == 1)
    }

    /// The card of that name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn card(&self, name: &str) -> Result<Option<Card>, StoreError> {
        let row = self
            .sql
            .prepare_cached("SELECT id, child, state FROM card WHERE name = ?")?
            .query_row([name], card_row)
            .optional()?;
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
        self.sql.prepare_cached(sql)?.query_row(key, card_row).optional()?.map(card_of).transpose()
    }

    /// Lets a site know a card in advance.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn release_card(&self, site: &SiteId, card: i64) -> Result<(), StoreError> {
        self.sql.prepare_cached("INSERT OR IGNORE INTO released VALUES (?, ?)")?.execute((site.as_str(), card))?;
        Ok(())
    }

    /// The cards a site may know, by number.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn released_cards(&self, site: &SiteId) -> Result<Vec<CardForList>, StoreError> {
        let sql = "SELECT c.id, c.child, c.state, c.tag FROM released r JOIN card c ON c.id = r.card
                   WHERE r.site = ? ORDER BY c.id";
        let mut statement = self.sql.prepare_cached(sql)?;
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
        let mut statement = self.sql.prepare_cached(sql)?;
        let rows = statement.query_map([district.as_str()], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Opens a purse for a child, or moves its days.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn set_purse(&self, child: i64, word: &str, purse: &Purse) -> Result<(), StoreError> {
        let row = (child, word, purse.valid_from.to_string(), purse.valid_to.to_string());
        self.sql.prepare_cached("INSERT OR REPLACE INTO purse VALUES (?, ?, ?, ?)")?.execute(row)?;
        Ok(())
    }

    /// A child's purse of that word.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn purse(&self, child: i64, word: &str) -> Result<Option<Purse>, StoreError> {
        let sql = "SELECT valid_from, valid_to FROM purse WHERE child = ? AND purse = ?";
        let row: Option<(String, String)> =
            self.sql.prepare_cached(sql)?.query_row((child, word), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
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
