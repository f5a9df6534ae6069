//! The fields of a struct as values with names, and the records by their numbers.

use crate::code::Code;
use crate::model::{Condition, Field, Kind, Message, Struct};
use crate::names;
use crate::structs::{context, differs_from_default};

/// Emits `Fields` for `of`.
pub(crate) fn define(code: &mut Code, message: &Message, of: &Struct) {
    code.line(&format!("impl Fields for {} {{", of.name));
    code.line("fn to_value(&self, version: i16) -> FieldValue {");
    code.line("let mut fields = Vec::new();");
    for field in &of.fields {
        let mut conditions = Vec::new();
        if let Condition::When(condition) = field.versions.condition(context(message, of)) {
            conditions.push(condition);
        }
        let name = names::field(&field.name);
        if field.tag.is_some() {
            conditions.push(differs_from_default(field, &format!("self.{name}")));
        }
        let push = push(field, &name);
        match conditions.as_slice() {
            [] => code.line(&push),
            _ => {
                code.line(&format!("if {} {{", conditions.join(" && ")));
                code.line(&push);
                code.line("}");
            }
        }
    }
    code.line("FieldValue::Struct(fields)");
    code.line("}");
    code.line("}");
}

fn push(field: &Field, name: &str) -> String {
    let shown = if field.secret { "Secret".to_owned() } else { format!("self.{name}") };
    format!("fields.push((\"{}\", {shown}.to_value(version)));", names::camel(&field.name))
}

/// Emits, for each file of schemas, a module with the functions that find its keys, values and records by
/// their numbers: two logs may have the same number for different things.
pub(crate) fn find(logs: &[(String, Vec<Message>)]) -> String {
    let mut code = Code::default();
    for (log, messages) in logs {
        let of = |kind| messages.iter().filter(move |message| message.kind == kind).collect::<Vec<_>>();
        if of(Kind::Key).is_empty() && of(Kind::Record).is_empty() {
            continue;
        }
        code.line(&format!("pub(super) mod {log} {{"));
        code.line("use super::*;");
        find_by_number(&mut code, "key", "reader: Reader", "decode_key", "reader", &of(Kind::Key));
        find_by_number(&mut code, "value", "bytes: Bytes", "decode_value", "bytes", &of(Kind::Value));
        let (given, arguments) = ("reader: Reader, version: i16", "reader, version");
        find_by_number(&mut code, "record", given, "decode_record", arguments, &of(Kind::Record));
        code.line("}");
    }
    code.finish()
}

fn find_by_number(code: &mut Code, name: &str, given: &str, call: &str, arguments: &str, of: &[&Message]) {
    if of.is_empty() {
        return;
    }
    code.line(&format!(
        "pub(in super::super) fn {name}(number: i16, {given}) -> Result<NamedRecord, ShowError> {{"
    ));
    code.line("match number {");
    for message in of {
        let number = message.key.unwrap_or_else(|| panic!("{} needs a key", message.name));
        code.line(&format!("{number} => {call}::<kafka::{}>({arguments}),", message.name));
    }
    code.line("_ => Err(ShowError::UnknownType(number)),");
    code.line("}");
    code.line("}");
}
