//! JSON form of the catalogue: all rules of all offers (protocol, 3).

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Form, Header};
use crate::{
    domain::{
        amount::{Cents, Unit},
        ids::OfferId,
        offer::{Catalogue, Limits, Notice, Offer, OfflineRule, OnFault, RouteRule, SuspectClock, UnknownCard},
        reading::{Level, Route},
    },
    protocol::form::{self, TextForm, harmless, number},
};

/// Most offers of one catalogue.
const MAX_OFFERS: usize = 500;
/// Longest wait an offer may ask for, ms.
const MAX_WAIT_MS: u32 = 60_000;

#[derive(Serialize, Deserialize)]
pub(super) struct CatalogueForm {
    lapsed_grace_s: u32,
    retention_days: u16,
    limits: LimitsForm,
    notice: NoticeForm,
    #[serde(with = "form::list")]
    closed_days: Vec<Date>,
    offers: Vec<OfferForm>,
}

#[derive(Serialize, Deserialize)]
struct LimitsForm {
    waiting_soft: u32,
    waiting_hard: u32,
    oldest_soft_s: u32,
    oldest_hard_s: u32,
    #[serde(with = "number")]
    per_card_offline_cents: Cents,
    #[serde(with = "number")]
    per_offer_offline_cents: Cents,
}

#[derive(Serialize, Deserialize)]
struct NoticeForm {
    version: u32,
    text: BTreeMap<String, String>,
    contact: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    application_url: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct OfferForm {
    #[serde(with = "form")]
    id: OfferId,
    title: BTreeMap<String, String>,
    kind: String,
    #[serde(with = "form")]
    unit: Unit,
    #[serde(with = "number")]
    price_cents: Cents,
    #[serde(with = "form")]
    valid_from: Date,
    #[serde(with = "form")]
    valid_to: Date,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_per_day: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_per_month: Option<u32>,
    second_helping: bool,
    back_dating_days: u16,
    reversal_days: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cut_off_day: Option<u8>,
    no_show: bool,
    routes: BTreeMap<String, RouteForm>,
    unknown_card: UnknownCardForm,
    offline: OfflineForm,
    online_wait_ms: u32,
    on_fault: OnFaultForm,
    suspect_clock: SuspectClockForm,
    #[serde(with = "number::option", default, skip_serializing_if = "Option::is_none")]
    chain_only_cap_cents: Option<Cents>,
    beacon_max_age_s: u32,
    purse: String,
    late_dispute: BearerForm,
    released: bool,
}

#[derive(Serialize, Deserialize)]
struct RouteForm {
    #[serde(with = "number")]
    min_level: Level,
    #[serde(with = "number::option", default, skip_serializing_if = "Option::is_none")]
    cap_cents: Option<Cents>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault_cap: Option<u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
enum UnknownCardForm {
    Refuse,
    AcceptBelow {
        #[serde(with = "number")]
        cents: Cents,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
enum OfflineForm {
    Accept,
    AcceptBelow {
        #[serde(with = "number")]
        cents: Cents,
    },
    Refuse,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnFaultForm {
    Serve,
    Refuse,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SuspectClockForm {
    Flag,
    Refuse,
}

/// Who bears a late dispute.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BearerForm {
    Provider,
    Municipality,
}

impl Form for CatalogueForm {}

impl From<&Catalogue> for CatalogueForm {
    fn from(catalogue: &Catalogue) -> Self {
        let Limits { waiting_soft, waiting_hard, oldest_soft_s, oldest_hard_s, per_card_offline, per_offer_offline } =
            catalogue.limits;
        let notice = &catalogue.notice;
        Self {
            lapsed_grace_s: catalogue.lapsed_grace_s,
            retention_days: catalogue.retention_days,
            limits: LimitsForm {
                waiting_soft,
                waiting_hard,
                oldest_soft_s,
                oldest_hard_s,
                per_card_offline_cents: per_card_offline,
                per_offer_offline_cents: per_offer_offline,
            },
            notice: NoticeForm {
                version: notice.version,
                text: notice.text.clone(),
                contact: notice.contact.clone(),
                application_url: notice.application_url.clone(),
            },
            closed_days: catalogue.closed_days.clone(),
            offers: catalogue.offers.iter().map(OfferForm::from).collect(),
        }
    }
}

impl From<&Offer> for OfferForm {
    fn from(offer: &Offer) -> Self {
        let route = |(route, rule): (&Route, &RouteRule)| {
            let form = RouteForm { min_level: rule.min_level, cap_cents: rule.cap, fault_cap: rule.fault_cap };
            (route.write(), form)
        };
        Self {
            id: offer.id.clone(),
            title: offer.title.clone(),
            kind: offer.kind.clone(),
            unit: offer.unit,
            price_cents: offer.price,
            valid_from: offer.valid_from,
            valid_to: offer.valid_to,
            max_per_day: offer.max_per_day,
            max_per_month: offer.max_per_month,
            second_helping: offer.second_helping,
            back_dating_days: offer.back_dating_days,
            reversal_days: offer.reversal_days,
            cut_off_day: offer.cut_off_day,
            no_show: offer.no_show,
            routes: offer.routes.iter().map(route).collect(),
            unknown_card: match offer.unknown_card {
                UnknownCard::Refuse => UnknownCardForm::Refuse,
                UnknownCard::AcceptBelow(cents) => UnknownCardForm::AcceptBelow { cents },
            },
            offline: match offer.offline {
                OfflineRule::Accept => OfflineForm::Accept,
                OfflineRule::AcceptBelow(cents) => OfflineForm::AcceptBelow { cents },
                OfflineRule::Refuse => OfflineForm::Refuse,
            },
            online_wait_ms: offer.online_wait_ms,
            on_fault: match offer.on_fault {
                OnFault::Serve => OnFaultForm::Serve,
                OnFault::Refuse => OnFaultForm::Refuse,
            },
            suspect_clock: match offer.suspect_clock {
                SuspectClock::Flag => SuspectClockForm::Flag,
                SuspectClock::Refuse => SuspectClockForm::Refuse,
            },
            chain_only_cap_cents: offer.chain_only_cap,
            beacon_max_age_s: offer.beacon_max_age_s,
            purse: offer.purse.clone(),
            late_dispute: if offer.provider_bears_dispute { BearerForm::Provider } else { BearerForm::Municipality },
            released: offer.released,
        }
    }
}

impl CatalogueForm {
    pub fn read(self, header: &Header) -> Result<Catalogue, &'static str> {
        if self.offers.len() > MAX_OFFERS {
            return Err("too many offers");
        }
        let offers = self.offers.into_iter().map(OfferForm::read).collect::<Result<Vec<_>, _>>()?;
        let twice = |(at, offer): (usize, &Offer)| offers[..at].iter().any(|other| other.id == offer.id);
        if offers.iter().enumerate().any(twice) {
            return Err("an offer comes twice");
        }
        let limits = self.limits;
        if limits.waiting_soft > limits.waiting_hard || limits.oldest_soft_s > limits.oldest_hard_s {
            return Err("a soft limit above its hard one");
        }
        Ok(Catalogue {
            seq: header.seq,
            exp: header.exp,
            lapsed_grace_s: self.lapsed_grace_s,
            offers,
            limits: Limits {
                waiting_soft: limits.waiting_soft,
                waiting_hard: limits.waiting_hard,
                oldest_soft_s: limits.oldest_soft_s,
                oldest_hard_s: limits.oldest_hard_s,
                per_card_offline: limits.per_card_offline_cents,
                per_offer_offline: limits.per_offer_offline_cents,
            },
            notice: Notice {
                version: self.notice.version,
                text: texts(self.notice.text)?,
                contact: harmless(&self.notice.contact),
                application_url: self.notice.application_url.as_deref().map(harmless),
            },
            closed_days: self.closed_days,
            retention_days: self.retention_days,
        })
    }
}

/// Texts by language, made harmless; German is always there.
fn texts(texts: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, &'static str> {
    if !texts.contains_key("de") {
        return Err("a text without German");
    }
    Ok(texts.into_iter().map(|(language, text)| (language, harmless(&text))).collect())
}

impl OfferForm {
    fn read(self) -> Result<Offer, &'static str> {
        if self.valid_from > self.valid_to {
            return Err("an offer ends before it begins");
        }
        if self.online_wait_ms > MAX_WAIT_MS {
            return Err("an offer waits longer than a minute");
        }
        if self.cut_off_day.is_some_and(|day| !(1..=28).contains(&day)) {
            return Err("a cut-off day outside 1 to 28");
        }
        let mut routes = BTreeMap::new();
        for (word, rule) in self.routes {
            // A route of a later version cannot be used here, so its rule is no matter.
            let Some(route) = Route::read(&word) else { continue };
            let RouteForm { min_level, cap_cents: cap, fault_cap } = rule;
            routes.insert(route, RouteRule { min_level, cap, fault_cap });
        }
        Ok(Offer {
            id: self.id,
            title: texts(self.title)?,
            kind: self.kind,
            unit: self.unit,
            price: self.price_cents,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            max_per_day: self.max_per_day,
            max_per_month: self.max_per_month,
            second_helping: self.second_helping,
            back_dating_days: self.back_dating_days,
            reversal_days: self.reversal_days,
            cut_off_day: self.cut_off_day,
            no_show: self.no_show,
            routes,
            unknown_card: match self.unknown_card {
                UnknownCardForm::Refuse => UnknownCard::Refuse,
                UnknownCardForm::AcceptBelow { cents } => UnknownCard::AcceptBelow(cents),
            },
            offline: match self.offline {
                OfflineForm::Accept => OfflineRule::Accept,
                OfflineForm::AcceptBelow { cents } => OfflineRule::AcceptBelow(cents),
                OfflineForm::Refuse => OfflineRule::Refuse,
            },
            online_wait_ms: self.online_wait_ms,
            on_fault: match self.on_fault {
                OnFaultForm::Serve => OnFault::Serve,
                OnFaultForm::Refuse => OnFault::Refuse,
            },
            suspect_clock: match self.suspect_clock {
                SuspectClockForm::Flag => SuspectClock::Flag,
                SuspectClockForm::Refuse => SuspectClock::Refuse,
            },
            chain_only_cap: self.chain_only_cap_cents,
            beacon_max_age_s: self.beacon_max_age_s,
            purse: self.purse,
            provider_bears_dispute: matches!(self.late_dispute, BearerForm::Provider),
            released: self.released,
        })
    }
}
