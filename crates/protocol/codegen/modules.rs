//! Puts the messages into modules: one a message, all of a file's directory side by side.

use crate::code::Code;
use crate::model::{Kind, Message, Versions};
use crate::{decode, encode, fields, names, structs};

/// Emits the modules of `messages` and re-exports each message beside them.
pub(crate) fn define(messages: &[Message]) -> String {
    let mut code = Code::default();
    for message in messages.iter().filter(|message| message.versions.is_some()) {
        define_module(&mut code, message);
    }
    code.finish()
}

fn define_module(code: &mut Code, message: &Message) {
    let module = names::snake(&message.name);
    code.line(&format!("pub use {module}::{};", message.name));
    code.line(&format!("/// {}", describe(message)));
    code.line(&format!("pub mod {module} {{"));
    code.line("use crate::generated::*;");
    for of in &message.structs {
        structs::define(code, of);
        code.line(&format!("impl {} {{", of.name));
        decode::define(code, message, of);
        encode::define(code, message, of);
        code.line("}");
        // Only what is kept on disk is ever shown by name; for the others it would cost a build.
        if !matches!(message.kind, Kind::Request | Kind::Response) {
            fields::define(code, message, of);
        }
    }
    let Versions { low, high } = message.valid();
    let flexible = message.flexible.map_or("None".to_owned(), |versions| format!("Some({})", versions.low));
    let name = &message.name;
    code.line(&format!("crate::generated::message!({name}, {low}, {high}, {flexible});"));
    let key = || message.key.unwrap_or_else(|| panic!("{name} needs a key"));
    match message.kind {
        Kind::Request => {
            let short = short_name(name);
            code.line(&format!("crate::generated::request!({name}, {short}, {short}Response);"));
        }
        Kind::Response => code.line(&format!("crate::generated::response!({name}, {});", short_name(name))),
        Kind::Key => code.line(&format!("crate::generated::record_key!({name}, {});", key())),
        Kind::Value => code.line(&format!("crate::generated::record_value!({name}, {});", key())),
        Kind::Record => code.line(&format!("crate::generated::record!({name}, {});", key())),
        Kind::Plain => {}
    }
    code.line("}");
}

fn describe(message: &Message) -> String {
    let name = &message.name;
    let (short, what) = match message.kind {
        Kind::Request => (short_name(name), "request"),
        Kind::Response => (short_name(name), "response"),
        Kind::Key => (name.as_str(), "record key"),
        Kind::Value => (name.as_str(), "record value"),
        Kind::Record => (name.as_str(), "record"),
        Kind::Plain => (name.as_str(), "structure"),
    };
    let versions = message.valid();
    let flexible = match message.flexible {
        Some(flexible) if flexible.low > versions.low => format!(", flexible from {}", flexible.low),
        Some(_) => ", flexible".to_owned(),
        None => String::new(),
    };
    format!("`{short}` {what}, {versions}{flexible}.")
}

/// `ProduceRequest` and `ProduceResponse` are both about `Produce`.
pub(crate) fn short_name(name: &str) -> &str {
    name.strip_suffix("Request").or_else(|| name.strip_suffix("Response")).unwrap_or(name)
}
