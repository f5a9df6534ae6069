//! The settings as a page for people, in Markdown.

use std::fmt::Write as _;

use crate::{Honour, Scope, Setting, Type, Update, all};

/// The documentation of every setting, generated from the table.
pub fn document() -> String {
    let mut page = String::from(
        "# Settings\n\nGenerated from the table in `crates/settings/src`; do not edit.\n\n\
         Names and values are those of Kafka 4.3. A broker's settings come from a properties file, the \
         environment or flags; those marked dynamic can be changed while it runs. A setting that is listed \
         as having no effect is accepted with a warning that names it; one that is rejected stops the start, \
         or fails the request, if it asks for anything but its default.\n",
    );
    section(&mut page, "Topics", Scope::Topic);
    section(&mut page, "Brokers", Scope::Broker);
    section(&mut page, "Groups", Scope::Group);
    page
}

fn section(page: &mut String, title: &str, scope: Scope) {
    let mut settings: Vec<&Setting> = all(scope).filter(|setting| !setting.internal).collect();
    settings.sort_by_key(|setting| setting.name);
    writeln!(page, "\n## {title}\n").expect("a string takes all");
    let (documented, bare): (Vec<_>, Vec<_>) = settings.into_iter().partition(|s| !s.doc.is_empty());
    for setting in documented {
        write_setting(page, setting);
    }
    if bare.is_empty() {
        return;
    }
    writeln!(page, "\n### Known and without effect\n\n| setting | reason |\n|---|---|").expect("as above");
    for setting in bare {
        let (verb, reason) = match setting.honour {
            Honour::Refused(reason) => ("rejected: ", reason),
            Honour::Warned(reason) => ("", reason),
            Honour::Honoured => ("", ""),
        };
        writeln!(page, "| `{}` | {verb}{reason} |", setting.name).expect("as above");
    }
}

fn write_setting(page: &mut String, setting: &Setting) {
    let kind = match setting.kind {
        Type::Boolean => "boolean",
        Type::String => "text",
        Type::Int => "int",
        Type::Short => "short",
        Type::Long => "long",
        Type::Double => "number",
        Type::List => "list",
        Type::Class => "class",
        Type::Password => "password",
    };
    let default = match setting.default {
        None => "no default".to_owned(),
        Some("") => "empty by default".to_owned(),
        Some(default) => format!("default `{default}`"),
    };
    let update = match (setting.scope, setting.update) {
        (Scope::Broker, Update::PerBroker | Update::ClusterWide) => ", dynamic",
        _ => "",
    };
    let (name, expected) = (setting.name, setting.expectation());
    writeln!(page, "* **`{name}`** ({kind}, {default}{update}): {}", setting.doc).expect("as above");
    writeln!(page, "  Takes {expected}.").expect("as above");
    match setting.honour {
        Honour::Honoured => {}
        Honour::Warned(reason) => {
            writeln!(page, "  Another value has no effect: {reason}.").expect("as above");
        }
        Honour::Refused(reason) => {
            writeln!(page, "  Another value is rejected: {reason}.").expect("as above");
        }
    }
}
