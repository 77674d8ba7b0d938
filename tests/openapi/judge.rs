//! The document as a judge: a validator of JSON Schema 2020-12 that also looks into signatures and base64.

use std::error::Error;

use boon::{Compiler, Decoder, Draft, MediaType, SchemaIndex, Schemas};
use data_encoding::BASE64URL_NOPAD as B64;
use serde_json::{Value as Json, json};

const AT: &str = "https://konto.example/openapi.json";

pub struct Judge {
    compiler: Compiler,
    schemas: Schemas,
}

impl Judge {
    pub fn new(document: &Json) -> Self {
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.enable_content_assertions();
        compiler.register_content_encoding(Decoder { name: "base64url", func: base64url });
        let jose = MediaType { name: "application/jose", json_compatible: true, func: jose };
        compiler.register_content_media_type(jose);
        compiler.add_resource(AT, document.clone()).unwrap();
        Self { compiler, schemas: Schemas::new() }
    }

    /// The value is as the schema at this pointer says, or why not.
    pub fn judge(&mut self, pointer: &str, value: &Json) -> Result<(), String> {
        let pointer: String = pointer.replace('{', "%7B").replace('}', "%7D");
        let index: SchemaIndex = self.compiler.compile(&format!("{AT}#{pointer}"), &mut self.schemas).unwrap();
        self.schemas.validate(value, index).map_err(|error| format!("{error:#}"))
    }

    pub fn component(&mut self, name: &str, value: &Json) -> Result<(), String> {
        self.judge(&format!("/components/schemas/{name}"), value)
    }
}

fn base64url(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(B64.decode(text.as_bytes())?)
}

/// Header and payload of a JWS compact.
fn jose(text: &[u8], _: bool) -> Result<Option<Json>, Box<dyn Error>> {
    let mut parts = text.split(|byte| *byte == b'.');
    let mut part = || -> Result<Json, Box<dyn Error>> {
        Ok(serde_json::from_slice(&B64.decode(parts.next().ok_or("a part is missing")?)?)?)
    };
    Ok(Some(json!([part()?, part()?])))
}
