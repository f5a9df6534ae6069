//! The fields of a persisted record as values with names, to show a record without knowing its type.

use crate::generated::Secret;
use crate::wire::{Str, Uuid};
use bytes::Bytes;

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// Null, if the schema allows it.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number of any width; an error code is its number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(Str),
    /// An id.
    Uuid(Uuid),
    /// Bytes of another format.
    Bytes(Bytes),
    /// A value that must not be shown: a credential, or one that may contain a credential.
    Secret,
    /// Values of one kind.
    List(Vec<FieldValue>),
    /// Fields by Kafka's names, in the order of the schema.
    Struct(Vec<(&'static str, FieldValue)>),
}

/// A type that can be shown as a value.
///
/// The records implement it by generated code: a field that the version does not have is left out, and so is
/// a tagged one that has its default.
pub trait Fields {
    /// The value in `version` of the record around it.
    fn to_value(&self, version: i16) -> FieldValue;
}

impl Fields for bool {
    fn to_value(&self, _: i16) -> FieldValue {
        FieldValue::Bool(*self)
    }
}

impl Fields for f64 {
    fn to_value(&self, _: i16) -> FieldValue {
        FieldValue::Float(*self)
    }
}

macro_rules! whole_numbers {
    ($($number:ident)*) => {
        $(impl Fields for $number {
            fn to_value(&self, _: i16) -> FieldValue {
                FieldValue::Int(i64::from(*self))
            }
        })*
    };
}

whole_numbers!(i8 i16 u16 i32 u32 i64);

impl Fields for crate::ErrorCode {
    fn to_value(&self, _: i16) -> FieldValue {
        FieldValue::Int(i64::from(self.0))
    }
}

impl Fields for Str {
    fn to_value(&self, _: i16) -> FieldValue {
        FieldValue::Text(self.clone())
    }
}

impl Fields for Uuid {
    fn to_value(&self, _: i16) -> FieldValue {
        FieldValue::Uuid(*self)
    }
}

impl Fields for Bytes {
    fn to_value(&self, _: i16) -> FieldValue {
        FieldValue::Bytes(self.clone())
    }
}

impl Fields for Secret {
    fn to_value(&self, _: i16) -> FieldValue {
        FieldValue::Secret
    }
}

impl<T: Fields> Fields for Option<T> {
    fn to_value(&self, version: i16) -> FieldValue {
        self.as_ref().map_or(FieldValue::Null, |value| value.to_value(version))
    }
}

impl<T: Fields> Fields for Vec<T> {
    fn to_value(&self, version: i16) -> FieldValue {
        FieldValue::List(self.iter().map(|value| value.to_value(version)).collect())
    }
}
