//! Components of the document: every wire type that a call leads to, with the rules the code holds beyond its types.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};
use teilhabe_terminal::{
    domain::documents::DocumentName,
    protocol::{
        control, document, enrolment, exchange,
        jws::Typ,
        outcomes, receipt,
        record::{MAX_JWS_LEN, MAX_SEALED_LEN},
    },
};

use crate::{
    source::{Member, Place, Shape, Sources, Value},
    values::{self, reference},
};

/// Types that are called otherwise in the document than in the code: private forms, and names that are taken twice.
const NAMES: &[(&str, &str, &str)] = &[
    ("signed_part", "SignedPart", "Record"),
    ("receipt", "EntryForm", "ReceiptEntry"),
    ("outcomes", "Page", "Outcomes"),
    ("problem", "ProblemBody", "Problem"),
    ("document/envelope", "Envelope", "Envelope"),
    ("document/lists", "EntryForm", "CardListEntry"),
    ("document/lists", "PrefixForm", "NumberPrefix"),
    ("document/lists", "RootForm", "CardRoot"),
    ("document/catalogue", "RouteForm", "RouteRule"),
    ("document/catalogue", "UnknownCardForm", "UnknownCardRule"),
    ("document/catalogue", "OfflineForm", "OfflineRule"),
];

/// What each signature is over, and the longest JWS of it.
fn payload(typ: Typ) -> (&'static str, &'static str, usize) {
    match typ {
        Typ::Record => ("signed_part", "SignedPart", MAX_JWS_LEN),
        Typ::Poll => ("enrolment", "PollForm", enrolment::MAX_LEN),
        Typ::Receipt => ("receipt", "ReceiptForm", receipt::MAX_LEN),
        Typ::Control => ("control", "ControlForm", control::MAX_LEN),
        Typ::Outcomes => ("outcomes", "Page", outcomes::MAX_LEN),
        Typ::Statement => ("outcomes", "Statement", outcomes::MAX_LEN),
        Typ::Document(_) => ("document/envelope", "Envelope", document::MAX_PART_LEN),
    }
}

/// What a document says, and how it changes.
fn content(name: DocumentName) -> ((&'static str, &'static str), Option<(&'static str, &'static str)>) {
    match name {
        DocumentName::Keys => (("document/keys", "KeysForm"), None),
        DocumentName::Descriptor => (("document/lists", "DescriptorForm"), None),
        DocumentName::Catalogue => (("document/catalogue", "CatalogueForm"), None),
        DocumentName::TrustList => (("document/lists", "TrustListForm"), None),
        DocumentName::Profiles => (("document/lists", "ProfilesForm"), None),
        DocumentName::DenyList => (("document/lists", "DenyListForm"), Some(("document/delta", "DenyListChange"))),
        DocumentName::CardList => (("document/lists", "CardListForm"), Some(("document/delta", "CardListChange"))),
    }
}

/// `teilhabe-card-list` → `CardListJws`.
pub fn jws_name(typ: Typ) -> String {
    camel(typ) + "Jws"
}

/// `card-list` → `CardListPart`.
pub fn part_name(name: DocumentName) -> String {
    camel(Typ::Document(name)) + "Part"
}

fn camel(typ: Typ) -> String {
    let words = typ.word().trim_start_matches("teilhabe-").split('-');
    words.map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// The components, made as they are asked for.
pub struct Components<'s> {
    sources: &'s Sources,
    made: BTreeMap<String, Json>,
    places: BTreeMap<String, Place>,
}

impl<'s> Components<'s> {
    pub fn new(sources: &'s Sources) -> Self {
        Self { sources, made: BTreeMap::new(), places: BTreeMap::new() }
    }

    /// All that were asked for, with the rules laid over them.
    pub fn finish(mut self) -> Json {
        for (component, rule) in rules() {
            let schema =
                self.made.get_mut(component).unwrap_or_else(|| panic!("a rule for {component}, which is not there"));
            lay_over(schema, rule, component);
        }
        for component in self.made.values_mut() {
            // A reference says it all; what the bare type said beside it is less.
            tidy(component);
        }
        json!(self.made)
    }

    /// A wire type.
    pub fn wire(&mut self, module: &str, name: &str) -> Json {
        let component = NAMES.iter().find(|(of, from, _)| (*of, *from) == (module, name));
        let component = component.map_or(name.trim_end_matches("Form"), |(_, _, to)| *to).to_owned();
        let place = (module.to_owned(), name.to_owned());
        let known = self.places.insert(component.clone(), place.clone());
        assert!(known.is_none_or(|known| known == place), "{component} is taken twice");
        if !self.made.contains_key(&component) {
            // A place for it first: types may lead back to themselves.
            self.made.insert(component.clone(), Json::Null);
            let wire = self.sources.wire(&place);
            let mut schema = match wire.shape {
                Shape::Object(members) => self.object(&members, None),
                Shape::Words(words) => json!({"type": "string", "enum": words}),
                Shape::Tagged { tag, variants } => {
                    let variants = variants.iter().map(|(word, members)| self.object(members, Some((&tag, word))));
                    json!({"type": "object", "oneOf": variants.collect::<Vec<_>>()})
                }
            };
            if !wire.doc.is_empty() {
                schema["description"] = json!(wire.doc);
            }
            self.made.insert(component.clone(), schema);
        }
        reference(&component)
    }

    /// A domain value.
    pub fn domain(&mut self, ty: &str) -> Json {
        let (component, schema) = values::domain(ty).unwrap_or_else(|| panic!("the form of {ty} is not described"));
        self.made.insert(component.clone(), schema);
        reference(&component)
    }

    /// A component that is no type of the code.
    pub fn other(&mut self, component: &str, schema: Json) -> Json {
        self.made.insert(component.to_owned(), schema);
        reference(component)
    }

    /// A JWS of this type, as text with what was signed: header and payload one after the other, as JSON Schema's own
    /// example of a JWT does it (JSON Schema Validation 2020-12, 8.6).
    pub fn jws(&mut self, typ: Typ) -> Json {
        let (module, form, most) = payload(typ);
        let mut payload = self.wire(module, form);
        if let Typ::Document(name) = typ {
            payload = self.document(name);
        }
        let kid = self.domain("Kid");
        let header = json!({
            "type": "object", "additionalProperties": false, "required": ["alg", "typ", "kid"],
            "properties": {"alg": {"const": "ES256"}, "typ": {"const": typ.word()}, "kid": kid},
        });
        let schema = json!({
            "type": "string", "maxLength": most, "description": format!("JWS compact (RFC 7515) of type `{}`.", typ.word()),
            "pattern": "^[A-Za-z0-9_-]{1,400}\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]{85}[AQgw]$",
            "contentMediaType": "application/jose",
            "contentSchema": {"type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [header, payload]},
        });
        self.other(&jws_name(typ), schema)
    }

    /// The envelope with what this document carries in it.
    fn document(&mut self, name: DocumentName) -> Json {
        let ((module, form), change) = content(name);
        let whole = self.wire(module, form);
        let delta = change.map_or(json!(false), |(module, form)| self.wire(module, form));
        let schema = json!({
            "description": format!("One part of the document `{}` as it is signed.", name.word()),
            "allOf": [reference("Envelope")],
            "properties": {"name": {"const": name.word()}, "content": whole, "delta": delta},
        });
        self.other(&part_name(name), schema)
    }

    fn object(&mut self, members: &[Member], tag: Option<(&str, &str)>) -> Json {
        let mut properties = Map::new();
        let mut required = Vec::new();
        if let Some((tag, word)) = tag {
            properties.insert(tag.to_owned(), json!({"const": word}));
            required.push(tag.to_owned());
        }
        for member in members {
            let mut schema = self.value(&member.value);
            if !member.doc.is_empty() {
                schema["description"] = json!(member.doc);
            }
            properties.insert(member.name.clone(), schema);
            if member.required {
                required.push(member.name.clone());
            }
        }
        json!({
            "type": "object", "properties": properties, "required": required, "patternProperties": values::critical(),
        })
    }

    fn value(&mut self, value: &Value) -> Json {
        match value {
            Value::Text => json!({"type": "string"}),
            Value::Truth => json!({"type": "boolean"}),
            Value::Integer(ty) => values::integer(ty),
            Value::Domain(ty) => self.domain(ty),
            Value::Wire((module, name)) => self.wire(module, name),
            Value::List(item) => json!({"type": "array", "items": self.value(item)}),
            Value::Map(item) => json!({
                "type": "object", "additionalProperties": self.value(item), "patternProperties": values::critical(),
            }),
            Value::Raw => json!({}),
        }
    }
}

/// What the code asks for beyond the types, by component. A rule for a member that is not there ends the test.
fn rules() -> Vec<(&'static str, Json)> {
    let jws = |typ| reference(&jws_name(typ));
    let chain = json!({"minItems": 1, "maxItems": 5});
    let german = json!({"required": ["de"]});
    let sealed = json!({
        "contentEncoding": "base64url", "pattern": values::base64("_-", ""), "maxLength": MAX_SEALED_LEN.div_ceil(3) * 4,
    });
    let documents: Vec<_> = DocumentName::ALL.into_iter().map(|name| jws(Typ::Document(name))).collect();
    let foreign = [
        Typ::Record,
        Typ::Poll,
        Typ::Document(DocumentName::Keys),
        Typ::Document(DocumentName::TrustList),
        Typ::Document(DocumentName::DenyList),
    ];
    let foreign = foreign.map(Typ::word);
    vec![
        ("EnrolmentRequest", json!({"properties": {"secret": {"pattern": "^[A-Z2-7]{25}[AEIMQUY4]$"}}})),
        (
            "Admitted",
            json!({"properties": {
                "chain": chain, "keys": jws(Typ::Document(DocumentName::Keys)),
                "descriptor": jws(Typ::Document(DocumentName::Descriptor)),
            }}),
        ),
        ("Pending", json!({"properties": {"enrolment_id": {"pattern": "^[A-Za-z0-9-]{1,64}$"}}})),
        ("PollRequest", json!({"properties": {"poll": jws(Typ::Poll)}})),
        ("RenewalAnswer", json!({"properties": {"chain": chain}})),
        ("RecordsRequest", json!({"properties": {"records": {"minItems": 1, "maxItems": exchange::MAX_RECORDS}}})),
        (
            "RecordEntry",
            json!({"properties": {"jws": jws(Typ::Record), "original_jws": jws(Typ::Record), "sealed": sealed}}),
        ),
        ("ReceiptAnswer", json!({"properties": {"receipt": jws(Typ::Receipt)}})),
        ("DocumentAnswer", json!({"properties": {"document": {"anyOf": documents}}})),
        ("OutcomesAnswer", json!({"properties": {"outcomes": jws(Typ::Outcomes)}})),
        ("StatementAnswer", json!({"properties": {"statement": jws(Typ::Statement)}})),
        ("ControlAnswer", json!({"properties": {"control": jws(Typ::Control)}})),
        (
            "ReceiptEntry",
            json!({
                "if": {"properties": {"outcome": {"enum": ["rejected", "disputed"]}}},
                "then": {"required": ["reason"], "properties": {"reason": values::reason_code()}},
            }),
        ),
        ("Outcomes", json!({"properties": {"entries": {"maxItems": outcomes::MAX_ENTRIES}}})),
        ("Problem", json!({"oneOf": values::problems()})),
        ("Record", record()),
        ("SignedClock", json!({"properties": {"boot": {"maxLength": 64}}})),
        ("Quantity", quantity()),
        ("Envelope", envelope()),
        ("Grant", json!({"properties": {"typ": {"not": {"enum": foreign}}}})),
        (
            "NumberPrefix",
            json!({"properties": {
                "prefix": {"pattern": "^[0-9]*$"}, "length": {"minimum": 12, "maximum": 16},
            }}),
        ),
        ("Catalogue", json!({"properties": {"offers": {"maxItems": 500}}})),
        ("Notice", json!({"properties": {"text": german}})),
        (
            "Offer",
            json!({"properties": {
                "title": german, "online_wait_ms": {"maximum": 60_000}, "cut_off_day": {"minimum": 1, "maximum": 28},
            }}),
        ),
        // 32 characters are three prefixes.
        (
            "DenyList",
            json!({"properties": {"prefixes": {
                "pattern": "^([A-Za-z0-9_-]{32})*([A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]|[A-Za-z0-9_-]{21}[AQgw])?$",
            }}}),
        ),
        (
            "CardListEntry",
            json!({"properties": {
                "refs": {"minItems": 1, "maxItems": 16},
                "offers": {"propertyNames": reference("OfferId")},
            }}),
        ),
    ]
}

/// Which members a record of each type has, and must not have.
fn record() -> Json {
    let claim: &[&str] =
        &["offer", "service_date", "phase", "quantity", "amount_cents", "route", "level", "basis", "sealed"];
    let types: [(&str, &[&str], &[&str]); 7] = [
        ("redemption", claim, &[]),
        ("no_show", claim, &[]),
        ("reversal", &["reverses", "offer", "service_date", "reason"], &[]),
        ("served", &["of"], &[]),
        ("notice_ack", &["notice_version"], &[]),
        ("closing", &["service_date", "totals"], &[]),
        ("refiled", &["original"], &["sealed"]),
    ];
    let all: BTreeSet<&str> = types.iter().flat_map(|(_, needed, may)| needed.iter().chain(*may)).copied().collect();
    let of_type = |(word, needed, may): &(&str, &[&str], &[&str])| {
        let others = all.iter().filter(|name| !needed.contains(name) && !may.contains(name));
        let others: Map<String, Json> = others.map(|name| ((*name).to_owned(), json!(false))).collect();
        json!({
            "if": {"properties": {"type": {"const": word}}},
            "then": {"required": needed, "properties": others},
        })
    };
    let mut all_of: Vec<Json> = types.iter().map(of_type).collect();
    all_of.push(json!({
        "if": {"properties": {"phase": {"const": "start"}}, "required": ["phase"]},
        "then": {"properties": {"amount_cents": {"const": 0}}},
    }));
    let words: Vec<_> = types.iter().map(|(word, ..)| *word).collect();
    json!({
        "properties": {
            "v": {"const": 1}, "seq": {"minimum": 1}, "type": {"enum": words}, "totals": {"maxItems": 200},
        },
        "allOf": all_of,
    })
}

fn quantity() -> Json {
    // Ascending cannot be said in JSON Schema; that none comes twice can.
    let months = json!({"properties": {"months": {"minItems": 1, "maxItems": 12, "uniqueItems": true}}});
    let event = json!({"properties": {"event": {"maxLength": 120, "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"}}});
    json!({"oneOf": [{}, {}, months, event, {}]})
}

fn envelope() -> Json {
    let change = ["base", "result", "delta"];
    let absent: Map<String, Json> = change.iter().map(|name| ((*name).to_owned(), json!(false))).collect();
    json!({
        "properties": {
            "part": {"minimum": 1, "maximum": document::MAX_PARTS},
            "parts": {"minimum": 1, "maximum": document::MAX_PARTS},
        },
        "oneOf": [
            {"title": "a part of a whole version", "required": ["content"], "properties": absent},
            {
                "title": "a change to an older version", "required": change,
                "properties": {"content": false, "part": {"const": 1}, "parts": {"const": 1}},
            },
        ],
    })
}

/// Lays a rule over a schema: objects member by member, lists of the same length item by item, anything else instead.
fn lay_over(schema: &mut Json, rule: Json, at: &str) {
    match (schema, rule) {
        (Json::Object(schema), Json::Object(rule)) => {
            let members = at.ends_with("/properties");
            for (name, rule) in rule {
                let at = format!("{at}/{name}");
                match schema.get_mut(&name) {
                    Some(schema) => lay_over(schema, rule, &at),
                    None if members => panic!("a rule for {at}, which is not there"),
                    None => drop(schema.insert(name, rule)),
                }
            }
        }
        (Json::Array(schema), Json::Array(rule)) if schema.len() == rule.len() => {
            schema.iter_mut().zip(rule).for_each(|(schema, rule)| lay_over(schema, rule, at));
        }
        (schema, rule) => *schema = rule,
    }
}

/// Drops `type` beside what says more: a reference, a constant, a choice.
fn tidy(schema: &mut Json) {
    match schema {
        Json::Object(members) => {
            let more = ["$ref", "const"].iter().any(|keyword| members.contains_key(*keyword));
            if more && members.get("type").is_some_and(Json::is_string) {
                for keyword in ["type", "minimum", "maximum"] {
                    members.remove(keyword);
                }
            }
            members.values_mut().for_each(tidy);
        }
        Json::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}
