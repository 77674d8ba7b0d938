//! `docs/openapi.json` describes every call of the protocol. It is made from the wire types, kept beside the page for people,
//! and proven here in both directions: against what the compiled readers take and refuse, and against what an account says.
#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has to fail")]

mod calls;
mod exchanges;
mod judge;
mod probes;
mod schemas;
mod source;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/till.rs"]
mod till;
mod values;

use std::{fs, path::Path};

use serde_json::Value as Json;
use source::Sources;

/// Members of the document in the order of the standard (OpenAPI 3.1, 4.8.1); inside they are sorted.
const ORDER: [&str; 8] = ["openapi", "info", "jsonSchemaDialect", "servers", "security", "tags", "paths", "components"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn made() -> Json {
    calls::document(&Sources::read(&root().join("src"), &["protocol", "domain"]))
}

fn text(document: &Json) -> String {
    let members: Vec<_> = ORDER
        .iter()
        .filter_map(|name| Some((name, document.get(name)?)))
        .map(|(name, value)| {
            let value = serde_json::to_string_pretty(value).unwrap().replace('\n', "\n  ");
            format!("  \"{name}\": {value}")
        })
        .collect();
    assert_eq!(members.len(), document.as_object().unwrap().len(), "every member has its place");
    format!("{{\n{}\n}}\n", members.join(",\n"))
}

#[test]
fn the_kept_document_is_the_one_the_types_make() {
    let (path, made) = (root().join("docs/openapi.json"), text(&made()));
    if std::env::var_os("TEILHABE_WRITE_OPENAPI").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/openapi.json is not what the wire types say now; renew it with \
         TEILHABE_WRITE_OPENAPI=1 cargo test --features demo --test openapi"
    );
}

#[test]
fn the_program_hands_the_document_out() {
    let said = std::process::Command::new(env!("CARGO_BIN_EXE_teilhabe-konto")).arg("openapi").output().unwrap();
    assert!(said.status.success());
    assert_eq!(said.stdout, fs::read(root().join("docs/openapi.json")).unwrap());
}

/// A reader is never left with a bare `string`: what a member means is said beside it, or where it leads.
#[test]
fn every_member_says_what_it_means() {
    fn mute(at: &str, schema: &Json, found: &mut Vec<String>) {
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let says = ["description", "$ref", "const", "anyOf"].iter().any(|keyword| member.get(keyword).is_some());
            if member.is_object() && !says {
                found.push(format!("{at}.{name}"));
            }
        }
        for variant in schema["oneOf"].as_array().into_iter().flatten() {
            mute(at, variant, found);
        }
    }
    let (document, mut found) = (made(), Vec::new());
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        mute(name, schema, &mut found);
        if schema.get("description").is_none() {
            found.push(name.clone());
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_route_is_described_and_every_call_is_served() {
    let document = made();
    let mut described: Vec<(String, String)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()));
        described.extend(methods.filter(|(_, path)| path != calls::NOT_SERVED));
    }
    described.sort();
    assert_eq!(described, source::routes(&root().join("src/account/api.rs")));
}
