//! One setting: its name, its values, and whether Milena honours it.

use std::borrow::Cow;
use std::fmt;

use crate::value::{InvalidSetting, Value, elements};

/// The owner of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// A broker: `server.properties`, or a dynamic setting of one broker or of all of them.
    Broker,
    /// A topic.
    Topic,
    /// A group.
    Group,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broker => "broker",
            Self::Topic => "topic",
            Self::Group => "group",
        })
    }
}

/// Kafka's type of a setting's value. The numbers are those of the DescribeConfigs answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Type {
    /// `true` or `false`, in any case.
    Boolean = 1,
    /// Any text.
    String = 2,
    /// A whole number of 32 bits.
    Int = 3,
    /// A whole number of 16 bits.
    Short = 4,
    /// A whole number of 64 bits.
    Long = 5,
    /// A number with a fraction.
    Double = 6,
    /// Texts separated by commas.
    List = 7,
    /// The name of a Java class: known, so that it can be rejected by name.
    Class = 8,
    /// Text that is never shown again.
    Password = 9,
}

/// The valid values of a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Valid {
    /// All of them.
    Any,
    /// Whole numbers from the first to the last, both included.
    Whole(i64, i64),
    /// Numbers from the first to the last, both included.
    Fraction(f64, f64),
    /// One of these words (each element of a list is one of them).
    Words(&'static [&'static str]),
    /// A whole number from the first to the last, or the third.
    WholeOr(i64, i64, i64),
    /// `*`, or replicas as `partition:broker`.
    Replicas,
}

/// The time at which a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// At the next start only.
    ReadOnly,
    /// At once, for one broker.
    PerBroker,
    /// At once, for one broker or for all.
    ClusterWide,
}

/// Milena's treatment of a value that is not the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honour {
    /// It acts as documented.
    Honoured,
    /// It is kept and shown, but has no effect (yet): a warning names it, with this reason.
    Warned(&'static str),
    /// It is rejected, with this reason: to ignore it would break what it asks for.
    Refused(&'static str),
}

/// One row of the table of settings.
#[derive(Debug)]
pub struct Setting {
    /// Kafka's name.
    pub name: &'static str,
    /// Its owner.
    pub scope: Scope,
    /// The type of its values.
    pub kind: Type,
    /// The default; `None` if there is none.
    pub default: Option<&'static str>,
    /// Its valid values.
    pub valid: Valid,
    /// The time at which a change takes effect. Settings of topics and groups always do at once.
    pub update: Update,
    /// Milena's treatment of it.
    pub honour: Honour,
    /// Its meaning, for people. Empty if Milena does not honour it.
    pub doc: &'static str,
    /// Internal to Kafka: accepted if it is set, left out of lists.
    pub internal: bool,
}

/// A setting with a default; the start of a table row.
pub(crate) const fn setting(scope: Scope, name: &'static str, kind: Type, default: &'static str) -> Setting {
    Setting { default: Some(default), ..unset(scope, name, kind) }
}

/// A setting without a default; the start of a table row.
pub(crate) const fn unset(scope: Scope, name: &'static str, kind: Type) -> Setting {
    Setting {
        name,
        scope,
        kind,
        default: None,
        valid: Valid::Any,
        update: Update::ReadOnly,
        honour: Honour::Honoured,
        doc: "",
        internal: false,
    }
}

impl Setting {
    pub(crate) const fn at_least(mut self, least: i64) -> Self {
        self.valid = Valid::Whole(least, i64::MAX);
        self
    }

    pub(crate) const fn between(mut self, least: i64, most: i64) -> Self {
        self.valid = Valid::Whole(least, most);
        self
    }

    pub(crate) const fn between_or(mut self, least: i64, most: i64, other: i64) -> Self {
        self.valid = Valid::WholeOr(least, most, other);
        self
    }

    pub(crate) const fn fraction(mut self, least: f64, most: f64) -> Self {
        self.valid = Valid::Fraction(least, most);
        self
    }

    pub(crate) const fn replicas(mut self) -> Self {
        self.valid = Valid::Replicas;
        self
    }

    pub(crate) const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.valid = Valid::Words(words);
        self
    }

    pub(crate) const fn dynamic(mut self) -> Self {
        self.update = Update::ClusterWide;
        self
    }

    pub(crate) const fn per_broker(mut self) -> Self {
        self.update = Update::PerBroker;
        self
    }

    pub(crate) const fn warned(mut self, reason: &'static str) -> Self {
        self.honour = Honour::Warned(reason);
        self
    }

    pub(crate) const fn refused(mut self, reason: &'static str) -> Self {
        self.honour = Honour::Refused(reason);
        self
    }

    pub(crate) const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    pub(crate) const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// Whether its value is never shown.
    pub fn is_sensitive(&self) -> bool {
        self.kind == Type::Password
    }

    /// Whether a client may not change it while the broker runs.
    pub fn is_read_only(&self) -> bool {
        self.scope == Scope::Broker && self.update == Update::ReadOnly
    }

    /// The meaning of the setting and Milena's treatment of it, for people.
    pub fn documentation(&self) -> Cow<'static, str> {
        let (doc, is_empty) = (self.doc, self.doc.is_empty());
        Cow::Owned(match self.honour {
            Honour::Honoured => return Cow::Borrowed(doc),
            Honour::Warned(reason) if is_empty => format!("It has no effect: {reason}."),
            Honour::Warned(reason) => format!("{doc} Another value has no effect: {reason}."),
            Honour::Refused(reason) if is_empty => format!("It is rejected: {reason}."),
            Honour::Refused(reason) => format!("{doc} Another value is rejected: {reason}."),
        })
    }

    /// Parses a value.
    ///
    /// # Errors
    /// [`InvalidSetting`] if it is not valid, with the valid values.
    pub fn parse(&self, text: &str) -> Result<Value, InvalidSetting> {
        let value = Value::parse(self.kind, text)
            .filter(|value| value.is_valid(self.valid))
            .ok_or_else(|| InvalidSetting::from_given(self, text))?;
        Ok(value)
    }

    /// A value in its canonical form: a list without repetitions and spaces.
    pub fn canonical<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.kind == Type::List { Cow::Owned(elements(text).join(",")) } else { Cow::Borrowed(text) }
    }

    /// Whether `text` means the same as the default.
    pub fn is_default(&self, text: &str) -> bool {
        let Some(default) = self.default else { return false };
        if default == text {
            return true;
        }
        match (Value::parse(self.kind, default), Value::parse(self.kind, text)) {
            (Some(default), Some(given)) => default.same_as(&given),
            _ => false,
        }
    }

    /// The warning or rejection of `text`, or `None` if it is honoured.
    pub fn objection(&self, text: &str) -> Option<Objection> {
        let (refused, reason) = match self.honour {
            Honour::Honoured => return None,
            Honour::Warned(reason) => (false, reason),
            Honour::Refused(reason) => (true, reason),
        };
        (!self.is_default(text)).then_some(Objection { name: self.name, refused, reason })
    }

    /// The valid values, in words that complete "expected …".
    pub fn expectation(&self) -> String {
        let kind = match self.kind {
            Type::Boolean => "true or false",
            Type::Int | Type::Short | Type::Long => "a whole number",
            Type::Double => "a number",
            Type::List => "a list separated by commas",
            Type::String | Type::Class | Type::Password => "a text",
        };
        match self.valid {
            Valid::Any => kind.to_owned(),
            Valid::Whole(least, i64::MAX) => format!("{kind} of at least {least}"),
            Valid::Whole(least, most) => format!("{kind} from {least} to {most}"),
            Valid::WholeOr(least, most, other) => format!("{kind} from {least} to {most}, or {other}"),
            Valid::Fraction(least, most) => format!("{kind} from {least} to {most}"),
            Valid::Replicas => format!("*, or {kind} of replicas as partition:broker"),
            Valid::Words(words) if self.kind == Type::List => format!("any of {}", words.join(", ")),
            Valid::Words(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// The reason why a valid value is not (fully) honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objection {
    /// The setting.
    pub name: &'static str,
    /// Whether the value is rejected; otherwise it is kept and has no effect.
    pub refused: bool,
    /// The reason, a sentence without its full stop.
    pub reason: &'static str,
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, refused, reason } = self;
        if *refused {
            write!(f, "{name} cannot be set to this value: {reason}.")
        } else {
            write!(f, "{name} is kept but has no effect: {reason}.")
        }
    }
}
