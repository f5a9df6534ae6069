//! The notation as plain values that the other modules turn into Rust.

/// A closed range of versions, or the open end `OPEN` on the right while it is being parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) low: i16,
    pub(crate) high: i16,
}

/// The right end of `3+`: intersecting with the valid versions closes it.
pub(crate) const OPEN: i16 = i16::MAX;

impl Versions {
    pub(crate) fn intersect(self, other: Versions) -> Option<Versions> {
        let low = self.low.max(other.low);
        let high = self.high.min(other.high);
        (low <= high).then_some(Versions { low, high })
    }

    pub(crate) fn contains(self, version: i16) -> bool {
        self.low <= version && version <= self.high
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = i16> {
        self.low..=self.high
    }

    /// The Rust condition under which `version`, known to lie in `context`, lies in `self`.
    pub(crate) fn condition(self, context: Versions) -> Condition {
        let Some(here) = self.intersect(context) else { return Condition::Never };
        match (here.low > context.low, here.high < context.high) {
            (false, false) => Condition::Always,
            (true, false) => Condition::When(format!("version >= {}", here.low)),
            (false, true) => Condition::When(format!("version <= {}", here.high)),
            (true, true) => Condition::When(format!("({}..={}).contains(&version)", here.low, here.high)),
        }
    }

    /// The condition under which `version`, known to lie in `context`, lies outside `self`.
    pub(crate) fn absence(self, context: Versions) -> Condition {
        let Some(here) = self.intersect(context) else { return Condition::Always };
        match (here.low > context.low, here.high < context.high) {
            (false, false) => Condition::Never,
            (true, false) => Condition::When(format!("version < {}", here.low)),
            (false, true) => Condition::When(format!("version > {}", here.high)),
            (true, true) => Condition::When(format!("!({}..={}).contains(&version)", here.low, here.high)),
        }
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Versions { low, high } = self;
        if low == high { write!(f, "version {low}") } else { write!(f, "versions {low}-{high}") }
    }
}

/// A condition on the version that the generator may know beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Always,
    Never,
    When(String),
}

/// The types of Kafka's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    /// An `int16` whose name ends in `ErrorCode`.
    ErrorCode,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

impl Type {
    /// Bytes of a type that is always of one size.
    pub(crate) fn fixed_bytes(&self) -> Option<usize> {
        match self {
            Type::Bool | Type::Int8 => Some(1),
            Type::Int16 | Type::Uint16 | Type::ErrorCode => Some(2),
            Type::Int32 | Type::Uint32 => Some(4),
            Type::Int64 | Type::Float64 => Some(8),
            Type::Uuid => Some(16),
            Type::String | Type::Bytes | Type::Records | Type::Struct(_) | Type::Array(_) => None,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Kafka's name, as in `TransactionalId`.
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) versions: Versions,
    pub(crate) nullable: Option<Versions>,
    /// A tagged field stands in the tag section in all of its versions.
    pub(crate) tag: Option<u32>,
    /// The default as the notation spells it; `None` is zero, empty or false.
    pub(crate) default: Option<String>,
    /// Whether a value is silently dropped in versions that lack the field.
    pub(crate) ignorable: bool,
    /// Whether the length keeps its old form in flexible versions.
    pub(crate) never_compact: bool,
    /// Whether the value must not show up in a log.
    pub(crate) secret: bool,
}

impl Field {
    pub(crate) fn is_nullable(&self) -> bool {
        self.nullable.is_some()
    }

    pub(crate) fn defaults_to_null(&self) -> bool {
        self.default.as_deref() == Some("null")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) versions: Versions,
    pub(crate) fields: Vec<Field>,
}

/// The kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
    /// The key of a coordinator's record.
    Key,
    /// The value of a coordinator's record.
    Value,
    /// A record that carries its own type and version.
    Record,
    /// Anything else with a schema.
    Plain,
}

impl Kind {
    /// The word of the notation.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Kind::Request => "request",
            Kind::Response => "response",
            Kind::Key => "key",
            Kind::Value => "value",
            Kind::Record => "record",
            Kind::Plain => "data",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) key: Option<i16>,
    /// `None` for a message that Kafka has removed.
    pub(crate) versions: Option<Versions>,
    pub(crate) last_unstable: bool,
    pub(crate) flexible: Option<Versions>,
    /// The message itself first, then the structs inside it in order of appearance.
    pub(crate) structs: Vec<Struct>,
}

impl Message {
    pub(crate) fn valid(&self) -> Versions {
        self.versions.expect("a message that is generated has versions")
    }

    pub(crate) fn find(&self, name: &str) -> &Struct {
        let found = self.structs.iter().find(|s| s.name == name);
        found.unwrap_or_else(|| panic!("{}: no struct {name}", self.name))
    }

    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        self.flexible.is_some_and(|versions| versions.contains(version))
    }

    /// The Rust expression for "the lengths of this struct are compact".
    pub(crate) fn flexible_in(&self, context: Versions) -> Condition {
        self.flexible.map_or(Condition::Never, |versions| versions.condition(context))
    }

    /// The fewest bytes that a value of `kind` can take in any version of `context`.
    pub(crate) fn min_bytes(&self, kind: &Type, nullable: bool, context: Versions) -> usize {
        context.iter().map(|version| self.min_bytes_at(kind, nullable, version)).min().unwrap_or(1)
    }

    fn min_bytes_at(&self, kind: &Type, nullable: bool, version: i16) -> usize {
        if let Some(bytes) = kind.fixed_bytes() {
            return bytes;
        }
        match kind {
            Type::Struct(_) if nullable => 1,
            Type::Struct(name) => self.min_struct_bytes(self.find(name), version),
            _ if self.is_flexible(version) => 1,
            Type::String => 2,
            _ => 4,
        }
    }

    fn min_struct_bytes(&self, of: &Struct, version: i16) -> usize {
        let mut bytes = usize::from(self.is_flexible(version));
        for field in &of.fields {
            if field.tag.is_none() && field.versions.contains(version) {
                let nullable = field.nullable.is_some_and(|versions| versions.contains(version));
                bytes += self.min_bytes_at(&field.kind, nullable, version);
            }
        }
        bytes
    }
}
