//! The wire types as they are written in `src/protocol`: names, members, what serde was told of them, and the sentences
//! beside them.
//!
//! The source is read, not the compiled type, because serde's derive keeps neither the sentences nor which member may be
//! left out, and because a wire type should say what it is once, without a second derive beside the first. What serde is
//! told in another way than here is understood ends the test: nothing is guessed. That reading it so is right is shown by
//! `probes`, where the compiled types read what the schemas judge.

use std::{collections::BTreeMap, fs, path::Path};

use syn::{
    Attribute, Expr, ExprLit, Field, Fields, GenericArgument, Ident, Item, Lit, LitStr, Meta, PathArguments, Type,
    UseTree, Variant,
};

/// A type by the file it stands in (`receipt` of the protocol, `domain/offer`) and its name: short names are taken twice.
pub type Place = (String, String);

/// Forms that say nothing themselves because the value they are the form of says it: their members take its sentences, by
/// name.
const SPOKEN_FOR: &[(&str, &str, &[(&str, &str)])] = &[
    ("signed_part", "Flat", &[("signed_part", "SignedPart"), ("signed_part", "Claim"), ("signed_part", "SignedFact")]),
    ("signed_part", "QuantityForm", &[("domain/amount", "Quantity")]),
    ("signed_part", "BasisForm", &[("domain/record", "Basis")]),
    ("receipt", "EntryForm", &[("domain/delivery", "Receipt"), ("domain/delivery", "Outcome")]),
    ("control", "ControlForm", &[("domain/documents", "Control")]),
    ("document/envelope", "Flat", &[("document/envelope", "Header"), ("document/envelope", "Delta")]),
    ("document/keys", "KeysForm", &[("document/keys", "AccountKeySet")]),
    ("document/keys", "GrantForm", &[("document/keys", "KeyGrant")]),
    ("document/lists", "DescriptorForm", &[("domain/documents", "AccountDescriptor")]),
    ("document/lists", "PrefixForm", &[("domain/documents", "NumberPrefix")]),
    ("document/lists", "RootForm", &[("domain/documents", "CardRoot")]),
    ("document/lists", "TrustListForm", &[("domain/documents", "TrustList")]),
    ("document/lists", "IssuerForm", &[("domain/reading", "IssuerKey")]),
    ("document/lists", "CardListForm", &[("domain/documents", "CardList")]),
    ("document/lists", "EntryForm", &[("domain/standing", "CardEntry")]),
    ("document/lists", "EntitlementForm", &[("domain/standing", "Entitlement")]),
    ("document/lists", "ProfilesForm", &[("domain/documents", "ProfileBundle")]),
    ("document/catalogue", "CatalogueForm", &[("domain/offer", "Catalogue")]),
    ("document/catalogue", "LimitsForm", &[("domain/offer", "Limits")]),
    ("document/catalogue", "NoticeForm", &[("domain/offer", "Notice")]),
    ("document/catalogue", "OfferForm", &[("domain/offer", "Offer")]),
    ("document/catalogue", "RouteForm", &[("domain/offer", "RouteRule")]),
    ("document/catalogue", "UnknownCardForm", &[("domain/offer", "UnknownCard")]),
    ("document/catalogue", "OfflineForm", &[("domain/offer", "OfflineRule")]),
    ("document/catalogue", "OnFaultForm", &[("domain/offer", "OnFault")]),
    ("document/catalogue", "SuspectClockForm", &[("domain/offer", "SuspectClock")]),
];

/// A wire type.
pub struct Wire {
    pub doc: String,
    pub shape: Shape,
}

pub enum Shape {
    /// An object.
    Object(Vec<Member>),
    /// One word of a table.
    Words(Vec<String>),
    /// An object whose other members depend on the word in the member `tag`.
    Tagged { tag: String, variants: Vec<(String, Vec<Member>)> },
}

pub struct Member {
    pub name: String,
    pub doc: String,
    pub value: Value,
    pub required: bool,
}

/// What a member holds.
pub enum Value {
    Text,
    Truth,
    /// An integer of this Rust type.
    Integer(String),
    /// A domain value with a form of its own: `Digest`, `[u8; 16]`.
    Domain(String),
    /// Another wire type.
    Wire(Place),
    List(Box<Self>),
    /// An object with any names.
    Map(Box<Self>),
    /// Any JSON, kept as it came.
    Raw,
}

/// All wire types.
pub struct Sources {
    items: BTreeMap<Place, Item>,
    /// What a file imports: file and name, and the module the name comes from.
    imports: BTreeMap<Place, String>,
}

/// What serde was told of a type, variant or member.
#[derive(Default)]
struct Serde {
    rename_all: Option<String>,
    tag: Option<String>,
    through: Option<String>,
    with: Option<String>,
    default: bool,
}

impl Serde {
    fn of(attributes: &[Attribute]) -> Self {
        let mut told = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            let read = attribute.parse_nested_meta(|meta| {
                let word = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
                let text = || Ok::<_, syn::Error>(Some(meta.value()?.parse::<LitStr>()?.value()));
                match word.as_str() {
                    "rename_all" => told.rename_all = text()?,
                    "tag" => told.tag = text()?,
                    "try_from" => told.through = text()?,
                    "with" => told.with = text()?,
                    "default" => told.default = true,
                    // They change what is written, and it is written as it is read.
                    "into" | "skip_serializing_if" => drop(text()?),
                    _ => return Err(meta.error("this test does not know what serde makes of it")),
                }
                Ok(())
            });
            read.unwrap();
        }
        told
    }
}

impl Sources {
    /// Reads every file of these folders of the sources.
    pub fn read(sources: &Path, folders: &[&str]) -> Self {
        let mut read = Self { items: BTreeMap::new(), imports: BTreeMap::new() };
        let mut folders: Vec<_> = folders.iter().map(|folder| sources.join(folder)).collect();
        while let Some(at) = folders.pop() {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let module = path.strip_prefix(sources).unwrap().with_extension("").display().to_string();
                    read.file(module.trim_start_matches("protocol/"), &fs::read_to_string(&path).unwrap());
                }
            }
        }
        read
    }

    fn file(&mut self, module: &str, text: &str) {
        for item in syn::parse_file(text).unwrap().items {
            match &item {
                Item::Struct(syn::ItemStruct { ident, .. }) | Item::Enum(syn::ItemEnum { ident, .. }) => {
                    self.items.insert((module.to_owned(), ident.to_string()), item);
                }
                Item::Use(item) => import(&item.tree, "", &mut |from, name| {
                    self.imports.insert((module.to_owned(), name.to_owned()), from.to_owned());
                }),
                _ => {}
            }
        }
    }

    /// The wire type at a place.
    pub fn wire(&self, place: &Place) -> Wire {
        let item = self.items.get(place).unwrap_or_else(|| panic!("there is no {place:?}"));
        let (attributes, shape) = match item {
            Item::Struct(item) => {
                let told = Serde::of(&item.attrs);
                let shape = match told.through {
                    // It is read by way of another type; what it says of itself is its own.
                    Some(other) => self.wire(&self.find(&place.0, &other).unwrap()).shape,
                    None => Shape::Object(self.members(&place.0, &item.fields)),
                };
                (&item.attrs, shape)
            }
            Item::Enum(item) => {
                let told = Serde::of(&item.attrs);
                let case =
                    told.rename_all.unwrap_or_else(|| panic!("{place:?} does not say how its words are written"));
                let word = |variant: &Variant| in_case(&case, &variant.ident.to_string());
                let shape = match told.tag {
                    None => {
                        assert!(item.variants.iter().all(|v| v.fields.is_empty()), "{place:?} has no tag");
                        Shape::Words(item.variants.iter().map(word).collect())
                    }
                    Some(tag) => {
                        let variant = |v: &Variant| (word(v), self.members(&place.0, &v.fields));
                        Shape::Tagged { tag, variants: item.variants.iter().map(variant).collect() }
                    }
                };
                (&item.attrs, shape)
            }
            _ => unreachable!("only structs and enums are kept"),
        };
        let (mut doc, mut shape) = (doc(attributes), shape);
        if let Some((.., speakers)) =
            SPOKEN_FOR.iter().find(|(module, name, _)| (*module, *name) == (&place.0, &place.1))
        {
            for (module, name) in *speakers {
                self.speak(&((*module).to_owned(), (*name).to_owned()), &mut doc, &mut shape);
            }
        }
        Wire { doc, shape }
    }

    /// Lends a type's sentences to what has none.
    fn speak(&self, speaker: &Place, doc_of: &mut String, shape: &mut Shape) {
        let (attributes, fields): (_, Vec<&Field>) = match &self.items[speaker] {
            Item::Struct(item) => (&item.attrs, item.fields.iter().collect()),
            Item::Enum(item) => (&item.attrs, item.variants.iter().flat_map(|variant| &variant.fields).collect()),
            _ => unreachable!("only structs and enums are kept"),
        };
        // Nobody but Rust calls what is left out so.
        let said = |attributes: &[Attribute]| doc(attributes).replace("`None`", "left out");
        if doc_of.is_empty() {
            *doc_of = said(attributes);
        }
        let members: Vec<&mut Member> = match shape {
            Shape::Object(members) => members.iter_mut().collect(),
            Shape::Tagged { variants, .. } => variants.iter_mut().flat_map(|(_, members)| members).collect(),
            Shape::Words(_) => Vec::new(),
        };
        for member in members.into_iter().filter(|member| member.doc.is_empty()) {
            let name = member.name.trim_end_matches("_cents");
            let named = fields.iter().find(|field| field.ident.as_ref().is_some_and(|ident| ident == name));
            member.doc = named.map(|field| said(&field.attrs)).unwrap_or_default();
        }
    }

    fn members(&self, module: &str, fields: &Fields) -> Vec<Member> {
        fields.iter().map(|field| self.member(module, field)).collect()
    }

    fn member(&self, module: &str, field: &Field) -> Member {
        let told = Serde::of(&field.attrs);
        let inner = argument(&field.ty, "Option");
        let ty = inner.unwrap_or(&field.ty);
        let value = match told.with.as_deref() {
            None => self.value(module, ty),
            Some("form" | "number" | "form::option" | "number::option" | "form::number::option") => {
                Value::Domain(name(ty))
            }
            Some("form::list") => Value::List(Box::new(Value::Domain(name(argument(ty, "Vec").unwrap())))),
            Some(other) => panic!("this test does not know the form {other}"),
        };
        let name = field.ident.as_ref().unwrap().to_string();
        Member {
            name: name.trim_start_matches("r#").to_owned(),
            doc: doc(&field.attrs),
            value,
            required: !told.default,
        }
    }

    fn value(&self, module: &str, ty: &Type) -> Value {
        if let Some(item) = argument(ty, "Vec") {
            return Value::List(Box::new(self.value(module, item)));
        }
        if let Some(item) = argument(ty, "BTreeMap") {
            return Value::Map(Box::new(self.value(module, item)));
        }
        if argument(ty, "Box").is_some_and(|inner| name(inner) == "RawValue") {
            return Value::Raw;
        }
        match name(ty).as_str() {
            "String" => Value::Text,
            "bool" => Value::Truth,
            integer @ ("u8" | "u16" | "u32" | "u64" | "i64") => Value::Integer(integer.to_owned()),
            // Types with a form in code of their own.
            own @ ("Der" | "PublicKey") => Value::Domain(own.to_owned()),
            other => Value::Wire(self.find(module, other).unwrap_or_else(|| panic!("{other} of {module} is nowhere"))),
        }
    }

    /// A type as a file names it: its own, or the one it imports.
    fn find(&self, module: &str, name: &str) -> Option<Place> {
        let own = (module.to_owned(), name.to_owned());
        if self.items.contains_key(&own) {
            return Some(own);
        }
        let from = self.imports.get(&own)?;
        let there = |file: &str| !file.starts_with("domain/") && file.rsplit('/').next() == Some(from);
        self.items.keys().find(|(file, known)| known == name && there(file)).cloned()
    }
}

/// Every name of a `use`, with the module right before it.
fn import(tree: &UseTree, from: &str, take: &mut impl FnMut(&str, &str)) {
    match tree {
        UseTree::Path(path) => import(&path.tree, &path.ident.to_string(), take),
        UseTree::Group(group) => group.items.iter().for_each(|tree| import(tree, from, take)),
        UseTree::Name(name) => take(from, &name.ident.to_string()),
        UseTree::Rename(_) | UseTree::Glob(_) => {}
    }
}

/// The last type argument of a generic type of this name.
fn argument<'t>(ty: &'t Type, of: &str) -> Option<&'t Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.last()? {
        GenericArgument::Type(inner) if last.ident == of => Some(inner),
        _ => None,
    }
}

/// A type's name, or an array of bytes with its length.
fn name(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().unwrap().ident.to_string(),
        Type::Array(array) => match &array.len {
            Expr::Lit(ExprLit { lit: Lit::Int(len), .. }) => format!("[u8; {len}]"),
            _ => panic!("an array's length is a number"),
        },
        _ => panic!("a wire type holds names and arrays"),
    }
}

/// The sentences beside an item, without the brackets of their links.
pub fn doc(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(value) = &attribute.meta else { continue };
        if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &value.value
            && value.path.is_ident("doc")
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.join(" ").replace("[`", "`").replace("`]", "`")
}

/// A variant's name as serde writes it.
fn in_case(case: &str, name: &str) -> String {
    match case {
        "lowercase" => name.to_lowercase(),
        "snake_case" => {
            let mut word = String::new();
            for c in name.chars() {
                if c.is_uppercase() && !word.is_empty() {
                    word.push('_');
                }
                word.extend(c.to_lowercase());
            }
            word
        }
        other => panic!("this test does not know the case {other}"),
    }
}

/// Every route of the reference account: method in capitals, path.
pub fn routes(file: &Path) -> Vec<(String, String)> {
    let file = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
    let router = file.items.iter().find_map(|item| match item {
        Item::Fn(function) if function.sig.ident == "router" => Some(function),
        _ => None,
    });
    let Some(syn::Stmt::Expr(mut chain, _)) = router.unwrap().block.stmts.last().cloned() else {
        panic!("the router is one expression")
    };
    let mut routes = Vec::new();
    // The chain of calls from its end to its beginning.
    while let Expr::MethodCall(call) = chain {
        if call.method == "route" {
            let Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) = &call.args[0] else { panic!("a path is a text") };
            let mut methods = &call.args[1];
            // `get(one).post(other)`.
            while let Expr::MethodCall(further) = methods {
                routes.push((further.method.to_string().to_uppercase(), path.value()));
                methods = &further.receiver;
            }
            let Expr::Call(first) = methods else { panic!("a route has a method") };
            let Expr::Path(method) = &*first.func else { panic!("a method has a name") };
            routes.push((method.path.segments.last().unwrap().ident.to_string().to_uppercase(), path.value()));
        }
        chain = *call.receiver;
    }
    routes.sort();
    routes
}
