//! The struct of a message: its definition and its defaults.

use crate::code::Code;
use crate::model::{Field, Message, Struct, Type};
use crate::names;

/// Emits the definition of `of`, and its `Default` if a derived one would be wrong.
pub(crate) fn define(code: &mut Code, of: &Struct) {
    let plain = of.fields.iter().all(has_plain_default);
    let default = if plain { ", Default" } else { "" };
    let secret = of.fields.iter().any(|field| field.secret);
    let debug = if secret { "" } else { ", Debug" };
    code.line(&format!("#[derive(Clone{debug}, PartialEq{default})]"));
    code.line(&format!("pub struct {} {{", of.name));
    for field in &of.fields {
        if let Some(remark) = remark(of, field) {
            code.line(&format!("/// {remark}"));
        }
        code.line(&format!("pub {}: {},", names::field(&field.name), rust_type(field)));
    }
    code.line("}");
    if secret {
        define_debug(code, of);
    }
    if !plain {
        define_default(code, of);
    }
}

/// The properties that the type does not show: the field's versions, those in which it may be null, and its
/// default.
fn remark(of: &Struct, field: &Field) -> Option<String> {
    let mut words = Vec::new();
    if field.versions != of.versions {
        words.push(field.versions.to_string());
    }
    if let Some(nullable) = field.nullable.filter(|nullable| *nullable != field.versions) {
        words.push(format!("null in {nullable}"));
    }
    if let Some(default) = field.default.as_deref().filter(|default| *default != "null") {
        words.push(format!("default {default}"));
    } else if field.is_nullable() && !field.defaults_to_null() && field.kind != Type::Records {
        words.push("default not null".to_owned());
    }
    let sentence = words.join(", ");
    let first = sentence.get(..1)?.to_uppercase();
    Some(format!("{first}{}.", &sentence[1..]))
}

/// Emits a `Debug` that leaves out secret values.
fn define_debug(code: &mut Code, of: &Struct) {
    code.line(&format!("impl std::fmt::Debug for {} {{", of.name));
    code.line("fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {");
    code.line(&format!("let mut out = f.debug_struct(\"{}\");", of.name));
    for field in &of.fields {
        let name = names::field(&field.name);
        let value = if field.secret { "Secret".to_owned() } else { format!("self.{name}") };
        code.line(&format!("out.field(\"{name}\", &{value});"));
    }
    code.line("out.finish()");
    code.line("}");
    code.line("}");
}

fn define_default(code: &mut Code, of: &Struct) {
    code.line(&format!("impl Default for {} {{", of.name));
    code.line("fn default() -> Self {");
    code.line("Self {");
    for field in &of.fields {
        code.line(&format!("{}: {},", names::field(&field.name), default_value(field)));
    }
    code.line("}");
    code.line("}");
    code.line("}");
}

/// The type that `field` has in its struct.
pub(crate) fn rust_type(field: &Field) -> String {
    let plain = rust_type_of(&field.kind);
    if field.is_nullable() && field.kind != Type::Records { format!("Option<{plain}>") } else { plain }
}

fn rust_type_of(kind: &Type) -> String {
    let name = match kind {
        Type::Bool => "bool",
        Type::Int8 => "i8",
        Type::Int16 => "i16",
        Type::Uint16 => "u16",
        Type::Int32 => "i32",
        Type::Uint32 => "u32",
        Type::Int64 => "i64",
        Type::Float64 => "f64",
        Type::Uuid => "Uuid",
        Type::ErrorCode => "ErrorCode",
        Type::String => "Str",
        Type::Bytes => "Bytes",
        Type::Records => "Records",
        Type::Struct(name) => name,
        Type::Array(element) => return format!("Vec<{}>", rust_type_of(element)),
    };
    name.to_owned()
}

/// Whether `Default::default()` is the default that the schema gives the field.
fn has_plain_default(field: &Field) -> bool {
    if field.kind == Type::Records {
        return true;
    }
    field.is_nullable() == field.defaults_to_null() && (field.defaults_to_null() || field.default.is_none())
}

/// The field's default as a Rust expression.
pub(crate) fn default_value(field: &Field) -> String {
    if field.defaults_to_null() && field.kind != Type::Records {
        return "None".to_owned();
    }
    let plain = match (&field.kind, field.default.as_deref()) {
        (Type::Records, _) => "Records::Null".to_owned(),
        (Type::Bool, default) => default.unwrap_or("false").to_owned(),
        (Type::ErrorCode, default) => format!("ErrorCode({})", default.unwrap_or("0")),
        (Type::Float64, default) => format!("{}_f64", default.unwrap_or("0")),
        (Type::String, Some(text)) => format!("Str::from_static({text:?})"),
        (Type::String, None) => "Str::new()".to_owned(),
        (Type::Bytes, None) => "Bytes::new()".to_owned(),
        (Type::Array(_), None) => "Vec::new()".to_owned(),
        (Type::Uuid, None) => "Uuid::ZERO".to_owned(),
        (Type::Struct(name), None) => format!("{name}::default()"),
        (kind, Some(text)) if kind.fixed_bytes().is_some() => text.to_owned(),
        (kind, None) if kind.fixed_bytes().is_some() => "0".to_owned(),
        (kind, default) => panic!("{}: {default:?} is no default of {kind:?}", field.name),
    };
    if field.is_nullable() && field.kind != Type::Records { format!("Some({plain})") } else { plain }
}

/// A Rust condition that holds when `value`, a place of the field's type, is not the default.
pub(crate) fn differs_from_default(field: &Field, value: &str) -> String {
    match (&field.kind, field.is_nullable()) {
        (Type::Records, _) => format!("!{value}.is_null()"),
        (_, true) if field.defaults_to_null() => format!("{value}.is_some()"),
        (Type::String | Type::Bytes | Type::Array(_), false) if field.default.is_none() => {
            format!("!{value}.is_empty()")
        }
        (Type::Array(_), true) => format!("{value}.as_ref().is_none_or(|items| !items.is_empty())"),
        (Type::Bool, false) if field.default.as_deref() == Some("true") => format!("!{value}"),
        (Type::Bool, false) => value.to_owned(),
        _ => format!("{value} != {}", default_value(field)),
    }
}

/// `Struct.field`, by which errors name a field.
pub(crate) fn label(of: &Struct, field: &Field) -> String {
    format!("\"{}.{}\"", of.name, names::snake(&field.name))
}

/// The part of a message's versions in which `of` occurs.
pub(crate) fn context(message: &Message, of: &Struct) -> crate::model::Versions {
    of.versions.intersect(message.valid()).expect("the parser has checked it")
}
