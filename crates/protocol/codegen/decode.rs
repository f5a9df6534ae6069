//! The reading half of a struct.

use crate::code::Code;
use crate::model::{Condition, Field, Message, Struct, Type, Versions};
use crate::names;
use crate::structs::{context, label};

/// Emits `fn read` for `of`.
pub(crate) fn define(code: &mut Code, message: &Message, of: &Struct) {
    let context = context(message, of);
    let flexible = message.flexible_in(context);
    // Compiled where it is called, so that what nobody calls costs nothing: most of Kafka's messages.
    code.line("#[inline]");
    code.line("pub(crate) fn read(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {");
    if let Condition::When(condition) = &flexible {
        code.line(&format!("let flexible = {condition};"));
    }
    code.line("let mut it = Self::default();");
    for field in of.fields.iter().filter(|field| field.tag.is_none()) {
        read_in_place(code, message, of, field, context);
    }
    match &flexible {
        Condition::Always => read_tags(code, message, of, context),
        Condition::Never => {}
        Condition::When(_) => {
            code.line("if flexible {");
            read_tags(code, message, of, context);
            code.line("}");
        }
    }
    code.line("Ok(it)");
    code.line("}");
}

fn read_in_place(code: &mut Code, message: &Message, of: &Struct, field: &Field, context: Versions) {
    let condition = field.versions.condition(context);
    if let Condition::When(condition) = &condition {
        code.line(&format!("if {condition} {{"));
    }
    let here = field.versions.intersect(context).expect("the parser has checked it");
    let nullable = field.nullable.map_or(Condition::Never, |versions| versions.condition(here));
    let place = format!("it.{}", names::field(&field.name));
    let reading =
        FieldReader { message, label: label(of, field), flexible: flexible_word(message, field, here), here };
    if field.kind == Type::Records {
        // Null is one of the values of `Records`, so it needs no other type if it is not allowed.
        let allowed = match nullable {
            Condition::Always => "true".to_owned(),
            Condition::Never => "false".to_owned(),
            Condition::When(condition) => condition,
        };
        code.line(&format!("{place} = reader.records({}, {}, {allowed})?;", reading.label, reading.flexible));
    } else {
        match nullable {
            Condition::Always => code.line(&format!("{place} = {};", reading.nullable(field, false))),
            Condition::Never if field.is_nullable() => {
                code.line(&format!("{place} = Some({});", reading.plain(&field.kind)));
            }
            Condition::Never => code.line(&format!("{place} = {};", reading.plain(&field.kind))),
            Condition::When(condition) => {
                code.line(&format!("{place} = if {condition} {{"));
                code.line(&reading.nullable(field, false));
                code.line("} else {");
                code.line(&format!("Some({})", reading.plain(&field.kind)));
                code.line("};");
            }
        }
    }
    if let Condition::When(_) = condition {
        code.line("}");
    }
}

fn read_tags(code: &mut Code, message: &Message, of: &Struct, context: Versions) {
    let tagged: Vec<&Field> = of.fields.iter().filter(|field| field.tag.is_some()).collect();
    let name = format!("\"{}\"", of.name);
    if tagged.is_empty() {
        code.line(&format!("reader.skip_tags({name})?;"));
        return;
    }
    code.line(&format!("let mut tags = reader.tags({name})?;"));
    code.line("while let Some(tag) = reader.next_tag(&mut tags)? {");
    code.line("match tag {");
    for field in tagged {
        let number = field.tag.expect("filtered above");
        let guard = match field.versions.condition(context) {
            Condition::When(condition) => format!(" if {condition}"),
            _ => String::new(),
        };
        let reading = FieldReader {
            message,
            label: label(of, field),
            flexible: "true".to_owned(),
            here: field.versions,
        };
        let value =
            if field.is_nullable() { reading.nullable(field, true) } else { reading.plain(&field.kind) };
        code.line(&format!("{number}{guard} => it.{} = {value},", names::field(&field.name)));
    }
    code.line("_ => reader.skip_tag(&tags),");
    code.line("}");
    code.line("}");
}

/// The Rust expression that says whether the field's length is compact.
pub(crate) fn flexible_word(message: &Message, field: &Field, here: Versions) -> String {
    if field.never_compact {
        return "false".to_owned();
    }
    match message.flexible_in(here) {
        Condition::Always => "true".to_owned(),
        Condition::Never => "false".to_owned(),
        Condition::When(_) => "flexible".to_owned(),
    }
}

/// The generator of the code that reads one field in the versions `here`.
struct FieldReader<'a> {
    message: &'a Message,
    label: String,
    flexible: String,
    here: Versions,
}

impl FieldReader<'_> {
    /// The expression that reads a value that is not null.
    fn plain(&self, kind: &Type) -> String {
        let FieldReader { label, flexible, .. } = self;
        match kind {
            Type::Struct(name) => format!("{name}::read(reader, version)?"),
            Type::Array(element) => {
                format!(
                    "reader.array({label}, {flexible}, {}, {})?",
                    self.min_bytes(element),
                    self.element(element)
                )
            }
            Type::String => format!("reader.string({label}, {flexible})?"),
            Type::Bytes => format!("reader.bytes({label}, {flexible})?"),
            fixed => format!("reader.{}({label})?", method(fixed)),
        }
    }

    /// The expression that reads a value that may be null.
    fn nullable(&self, field: &Field, tagged: bool) -> String {
        let FieldReader { label, flexible, .. } = self;
        match &field.kind {
            Type::Struct(name) => {
                let present = if tagged { "is_present_tagged" } else { "is_present" };
                format!(
                    "if reader.{present}({label})? {{ Some({name}::read(reader, version)?) }} else {{ None }}"
                )
            }
            Type::Array(element) => {
                let (min_bytes, element) = (self.min_bytes(element), self.element(element));
                format!("reader.array_nullable({label}, {flexible}, {min_bytes}, {element})?")
            }
            Type::String => format!("reader.string_nullable({label}, {flexible})?"),
            Type::Bytes => format!("reader.bytes_nullable({label}, {flexible})?"),
            other => panic!("{}: {other:?} cannot be null", field.name),
        }
    }

    fn min_bytes(&self, element: &Type) -> usize {
        self.message.min_bytes(element, false, self.here)
    }

    fn element(&self, element: &Type) -> String {
        let read = self.plain(element);
        format!("|reader| {}", strip_question(&read))
    }
}

/// The last `?` of a closure's body is left to the caller.
fn strip_question(read: &str) -> &str {
    read.strip_suffix('?').expect("every read can fail")
}

/// The name of the reader's and the writer's method for a type of fixed size.
pub(crate) fn method(kind: &Type) -> &'static str {
    match kind {
        Type::Bool => "bool",
        Type::Int8 => "i8",
        Type::Int16 => "i16",
        Type::Uint16 => "u16",
        Type::Int32 => "i32",
        Type::Uint32 => "u32",
        Type::Int64 => "i64",
        Type::Float64 => "f64",
        Type::Uuid => "uuid",
        Type::ErrorCode => "error_code",
        other => panic!("{other:?} has no fixed size"),
    }
}
