//! Values of settings, read as Kafka reads them.

use std::fmt;

use crate::setting::{Setting, Type, Valid};

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Type::Boolean`].
    Boolean(bool),
    /// Of [`Type::Int`], [`Type::Short`] and [`Type::Long`].
    Whole(i64),
    /// Of [`Type::Double`].
    Fraction(f64),
    /// Of [`Type::String`], [`Type::Class`] and [`Type::Password`].
    Text(String),
    /// Of [`Type::List`], in the order given, without repetitions.
    List(Vec<String>),
}

impl Value {
    /// Parses `text`; spaces around it do not count. `None` if it is not of that type.
    pub(crate) fn parse(kind: Type, text: &str) -> Option<Self> {
        let trimmed = text.trim();
        match kind {
            Type::Boolean if trimmed.eq_ignore_ascii_case("true") => Some(Self::Boolean(true)),
            Type::Boolean if trimmed.eq_ignore_ascii_case("false") => Some(Self::Boolean(false)),
            Type::Boolean => None,
            Type::Int => trimmed.parse::<i32>().ok().map(|n| Self::Whole(n.into())),
            Type::Short => trimmed.parse::<i16>().ok().map(|n| Self::Whole(n.into())),
            Type::Long => trimmed.parse::<i64>().ok().map(Self::Whole),
            Type::Double => trimmed.parse::<f64>().ok().filter(|n| !n.is_nan()).map(Self::Fraction),
            Type::String | Type::Class => Some(Self::Text(trimmed.to_owned())),
            Type::Password => Some(Self::Text(text.to_owned())),
            Type::List => Some(Self::List(elements(trimmed))),
        }
    }

    pub(crate) fn is_valid(&self, valid: Valid) -> bool {
        match (self, valid) {
            (_, Valid::Any) => true,
            (Self::Whole(n), Valid::Whole(least, most)) => (least..=most).contains(n),
            (Self::Whole(n), Valid::WholeOr(least, most, other)) => (least..=most).contains(n) || *n == other,
            (Self::Fraction(n), Valid::Fraction(least, most)) => (least..=most).contains(n),
            (Self::Text(word), Valid::Words(words)) => words.contains(&word.as_str()),
            (Self::List(list), Valid::Replicas) => is_replicas(list),
            (Self::List(list), Valid::Words(words)) => list.iter().all(|word| words.contains(&word.as_str())),
            _ => false,
        }
    }

    /// Equality as a reader of the setting sees it: lists are sets.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(ours), Self::List(theirs)) => {
                ours.len() == theirs.len() && ours.iter().all(|word| theirs.contains(word))
            }
            _ => self == other,
        }
    }

    /// The boolean.
    ///
    /// # Panics
    /// If the setting is of another type: the table and the code that reads it disagree.
    pub fn boolean(&self) -> bool {
        let Self::Boolean(value) = self else { panic!("a boolean setting holds {self:?}") };
        *value
    }

    /// The whole number.
    ///
    /// # Panics
    /// See [`Self::boolean`].
    pub fn whole(&self) -> i64 {
        let Self::Whole(value) = self else { panic!("a whole-number setting holds {self:?}") };
        *value
    }

    /// The number.
    ///
    /// # Panics
    /// See [`Self::boolean`].
    pub(crate) fn fraction(&self) -> f64 {
        let Self::Fraction(value) = self else { panic!("a fraction setting holds {self:?}") };
        *value
    }

    /// The text.
    ///
    /// # Panics
    /// See [`Self::boolean`].
    pub(crate) fn text(&self) -> &str {
        let Self::Text(value) = self else { panic!("a text setting holds {self:?}") };
        value
    }

    /// The elements of the list.
    ///
    /// # Panics
    /// See [`Self::boolean`].
    pub(crate) fn list(&self) -> &[String] {
        let Self::List(value) = self else { panic!("a list setting holds {self:?}") };
        value
    }
}

/// The elements of a list: separated by commas, spaces around them dropped, none twice.
pub fn elements(text: &str) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for element in text.split(',').map(str::trim).filter(|element| !element.is_empty()) {
        if !list.iter().any(|known| known == element) {
            list.push(element.to_owned());
        }
    }
    list
}

/// Whether a list has an empty element. Readers ignore it, but setting one is an error.
pub fn has_empty_element(text: &str) -> bool {
    !text.trim().is_empty() && text.split(',').any(|element| element.trim().is_empty())
}

/// Whether the list is `*` alone, or names replicas as `partition:broker`.
fn is_replicas(list: &[String]) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_replica = |text: &String| {
        text.split_once(':').is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
    };
    matches!(list, [all] if all == "*") || list.iter().all(is_replica)
}

/// An invalid value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSetting {
    /// The setting.
    pub name: String,
    /// A sentence: the fault, and the remedy.
    pub message: String,
}

impl InvalidSetting {
    pub(crate) fn from_given(setting: &Setting, given: &str) -> Self {
        let shown = if setting.is_sensitive() { "[hidden]" } else { given };
        let default = match setting.default {
            Some("") | None => String::new(),
            Some(default) => format!(" (the default is {default})"),
        };
        let message = format!(
            "Invalid value {shown} for configuration {}: expected {}{default}.",
            setting.name,
            setting.expectation(),
        );
        Self { name: setting.name.to_owned(), message }
    }

    /// Creates one with a sentence of its own.
    pub(crate) fn because(name: &str, message: String) -> Self {
        Self { name: name.to_owned(), message }
    }
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for InvalidSetting {}
