//! The writing half of a struct.

use crate::code::Code;
use crate::decode::{flexible_word, method};
use crate::model::{Condition, Field, Message, Struct, Type, Versions};
use crate::names;
use crate::structs::{context, differs_from_default, label};

/// Emits `fn write` for `of`.
pub(crate) fn define(code: &mut Code, message: &Message, of: &Struct) {
    let context = context(message, of);
    let flexible = message.flexible_in(context);
    // Compiled where it is called, so that what nobody calls costs nothing: most of Kafka's messages.
    code.line("#[inline]");
    code.line("pub(crate) fn write(&self, writer: &mut Writer, version: i16) -> Result<(), EncodeError> {");
    if let Condition::When(condition) = &flexible {
        code.line(&format!("let flexible = {condition};"));
    }
    for field in &of.fields {
        if !field.ignorable {
            refuse_in_other_versions(code, of, field, context);
        }
        if field.tag.is_none() {
            write_in_place(code, message, of, field, context);
        }
    }
    match &flexible {
        Condition::Always => write_tags(code, of, context),
        Condition::Never => {}
        Condition::When(_) => {
            code.line("if flexible {");
            write_tags(code, of, context);
            code.line("}");
        }
    }
    code.line("Ok(())");
    code.line("}");
}

/// Emits an error for a value that the version cannot carry, so that it is not lost silently.
fn refuse_in_other_versions(code: &mut Code, of: &Struct, field: &Field, context: Versions) {
    if let Condition::When(condition) = field.versions.absence(context) {
        let differs = differs_from_default(field, &format!("self.{}", names::field(&field.name)));
        code.line(&format!("if {condition} && {differs} {{"));
        code.line(&format!("return Err(EncodeError::not_in_version({}));", label(of, field)));
        code.line("}");
    }
}

fn write_in_place(code: &mut Code, message: &Message, of: &Struct, field: &Field, context: Versions) {
    let condition = field.versions.condition(context);
    if let Condition::When(condition) = &condition {
        code.line(&format!("if {condition} {{"));
    }
    let here = field.versions.intersect(context).expect("the parser has checked it");
    let label = label(of, field);
    let flexible = flexible_word(message, field, here);
    let value = format!("self.{}", names::field(&field.name));
    let nullable = field.nullable.map_or(Condition::Never, |versions| versions.condition(here));
    if field.kind == Type::Records {
        refuse_null(code, &label, &format!("{value}.is_null()"), &nullable);
        code.line(&format!("writer.records(&{value}, {flexible});"));
    } else if field.is_nullable() {
        refuse_null(code, &label, &format!("{value}.is_none()"), &nullable);
        // A rejected null never gets here, so the nullable form is right for every version, except for
        // structs, whose marker byte exists only in versions that allow null.
        let always = matches!(nullable, Condition::Always);
        assert!(
            always || !matches!(field.kind, Type::Struct(_)),
            "{label}: a struct that is sometimes nullable"
        );
        write_nullable(code, &field.kind, &value, &label, &flexible, "presence");
    } else {
        write_plain(code, &field.kind, &value, &label, &flexible, false);
    }
    if let Condition::When(_) = condition {
        code.line("}");
    }
}

fn refuse_null(code: &mut Code, label: &str, is_null: &str, nullable: &Condition) {
    let condition = match nullable {
        Condition::Always => return,
        Condition::Never => is_null.to_owned(),
        Condition::When(condition) => format!("!({condition}) && {is_null}"),
    };
    code.line(&format!("if {condition} {{"));
    code.line(&format!("return Err(EncodeError::null({label}));"));
    code.line("}");
}

/// Writes an `Option`. `presence` is the writer's method that marks a struct as there or null.
fn write_nullable(code: &mut Code, kind: &Type, value: &str, label: &str, flexible: &str, presence: &str) {
    match kind {
        Type::String => {
            code.line(&format!("writer.string_nullable({label}, {value}.as_ref(), {flexible})?;"));
        }
        Type::Bytes => code.line(&format!("writer.bytes_nullable({value}.as_ref(), {flexible});")),
        Type::Array(element) => {
            code.line(&format!("writer.array_length_nullable({value}.as_ref().map(Vec::len), {flexible});"));
            code.line(&format!("for item in {value}.iter().flatten() {{"));
            write_plain(code, element, "item", label, flexible, true);
            code.line("}");
        }
        Type::Struct(_) => {
            code.line(&format!("writer.{presence}({value}.is_some());"));
            code.line(&format!("if let Some(item) = &{value} {{"));
            code.line("item.write(writer, version)?;");
            code.line("}");
        }
        other => panic!("{label}: {other:?} cannot be null"),
    }
}

/// Writes a value that is not null; `by_reference` says that `value` is already a reference.
fn write_plain(code: &mut Code, kind: &Type, value: &str, label: &str, flexible: &str, by_reference: bool) {
    let borrow = if by_reference { "" } else { "&" };
    let copy = if by_reference { "*" } else { "" };
    match kind {
        Type::String => code.line(&format!("writer.string({label}, {borrow}{value}, {flexible})?;")),
        Type::Bytes => code.line(&format!("writer.bytes({borrow}{value}, {flexible});")),
        Type::Struct(_) => code.line(&format!("{value}.write(writer, version)?;")),
        Type::Array(element) => {
            code.line(&format!("writer.array_length({value}.len(), {flexible});"));
            code.line(&format!("for item in {borrow}{value} {{"));
            write_plain(code, element, "item", label, flexible, true);
            code.line("}");
        }
        fixed => code.line(&format!("writer.{}({copy}{value});", method(fixed))),
    }
}

fn write_tags(code: &mut Code, of: &Struct, context: Versions) {
    let mut tagged: Vec<&Field> = of.fields.iter().filter(|field| field.tag.is_some()).collect();
    tagged.sort_by_key(|field| field.tag);
    if tagged.is_empty() {
        code.line("writer.no_tags();");
        return;
    }
    code.line("let mut tags = writer.begin_tags();");
    for field in tagged {
        let value = format!("self.{}", names::field(&field.name));
        let differs = differs_from_default(field, &value);
        match field.versions.condition(context) {
            Condition::When(condition) => code.line(&format!("if {condition} && {differs} {{")),
            _ => code.line(&format!("if {differs} {{")),
        }
        code.line(&format!("let tag = writer.begin_tag(&mut tags, {});", field.tag.expect("filtered above")));
        if field.is_nullable() {
            write_nullable(code, &field.kind, &value, &label(of, field), "true", "presence_tagged");
        } else {
            write_plain(code, &field.kind, &value, &label(of, field), "true", false);
        }
        code.line("writer.end_tag(&tag);");
        code.line("}");
    }
    code.line("writer.end_tags(&tags);");
}
