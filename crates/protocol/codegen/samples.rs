//! The lists that the tests need: all messages, and values for them.

use crate::code::Code;
use crate::model::{Field, Message, Struct, Type, Versions};
use crate::names;
use crate::structs::label;

/// From this tag on fields are Milena's own: the other implementations that messages are compared with know none.
const OWN_TAGS: u32 = 10_000;

/// Emits `every_message!`, which calls a macro with each message: its module, its kind, its name, and the name of
/// the class that generators after Kafka's pattern give it.
pub(crate) fn list(groups: &[(&str, &[Message])]) -> String {
    let mut code = Code::default();
    code.line("/// Calls a macro with every message, for tests and fuzz targets.");
    code.line("#[doc(hidden)]");
    code.line("#[macro_export]");
    code.line("macro_rules! every_message {");
    code.line("($do:ident) => {");
    code.line("$do! {");
    for (path, messages) in groups {
        for message in messages.iter().filter(|message| message.versions.is_some()) {
            let name = &message.name;
            code.line(&format!("{path} {} {name} {name}Data,", message.kind.word()));
        }
    }
    code.line("}");
    code.line("};");
    code.line("}");
    code.finish()
}

/// Emits an implementation of the tests' trait `Sample` for every struct.
pub(crate) fn define(groups: &[(&str, &[Message])]) -> String {
    let mut code = Code::default();
    for (path, messages) in groups {
        for message in messages.iter().filter(|message| message.versions.is_some()) {
            let module = format!("protocol::{path}::{}", names::snake(&message.name));
            for of in &message.structs {
                define_struct(&mut code, message, of, &module);
            }
        }
    }
    code.finish()
}

fn define_struct(code: &mut Code, message: &Message, of: &Struct, module: &str) {
    code.line(&format!("impl Sample for {module}::{} {{", of.name));
    code.line("fn sample(source: &mut Source) -> Self {");
    code.line("let mut it = Self::default();");
    for field in of.fields.iter().filter(|field| field.tag.is_none_or(|tag| tag < OWN_TAGS)) {
        let Versions { low, high } = field.versions.intersect(message.valid()).expect("checked before");
        code.line(&format!("if source.sets({}, {low}, {high}) {{", label(of, field)));
        code.line(&format!("it.{} = {};", names::field(&field.name), value(field)));
        code.line("}");
    }
    code.line("it");
    code.line("}");
    code.line("}");
}

fn value(field: &Field) -> String {
    match (&field.kind, field.nullable) {
        (Type::Records, nullable) => format!("source.records({})", nullable.is_some()),
        (kind, Some(Versions { low, high })) => {
            format!("source.option({low}, {high}, |source| {})", plain(kind))
        }
        (kind, None) => plain(kind),
    }
}

fn plain(kind: &Type) -> String {
    match kind {
        Type::Struct(_) => "Sample::sample(source)".to_owned(),
        Type::Array(element) => format!("source.list(|source| {})", plain(element)),
        Type::String => "source.string()".to_owned(),
        Type::Bytes => "source.bytes()".to_owned(),
        fixed => format!("source.{}()", crate::decode::method(fixed)),
    }
}
