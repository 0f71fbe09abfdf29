//! Why a value cannot be written or read.

use std::{borrow::Cow, error, fmt};

use serde::{
    de::{self, Expected, Unexpected},
    ser,
};

/// Says what is wrong in the words of the type, and shows no part of a value.
///
/// What a type says by itself is left out, since it may quote the value it refuses: serde's own
/// sentence for a wrong type does.
#[derive(Debug)]
pub(super) struct Reason {
    /// The fields that lead to the place, the outermost last.
    path: Vec<&'static str>,
    what: Cow<'static, str>,
}

impl Reason {
    pub(super) fn new(what: impl Into<Cow<'static, str>>) -> Self {
        Self { path: Vec::new(), what: what.into() }
    }

    /// The same, in the value of `field`.
    pub(super) fn inside(mut self, field: &'static str) -> Self {
        self.path.push(field);
        self
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, field) in self.path.iter().rev().enumerate() {
            write!(f, "{}{field}", if at == 0 { "field " } else { "." })?;
        }
        let colon = if self.path.is_empty() { "" } else { ": " };
        write!(f, "{colon}{}", self.what)
    }
}

impl error::Error for Reason {}

impl ser::Error for Reason {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new("its own `Serialize` refuses it")
    }
}

impl de::Error for Reason {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::new("its own `Deserialize` refuses what is stored")
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("{} is stored, expected {expected}", kind(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("{} of a wrong value is stored, expected {expected}", kind(&unexpected)))
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("another number of elements is stored, expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("an unknown variant is stored, expected {}", list(expected)))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("an unknown field is stored, expected {}", list(expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("field {field} is not stored"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("field {field} is stored twice"))
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { format!("one of {}", names.join(", ")) }
}

fn kind(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a floating-point number",
        Unexpected::Char(_) => "a character",
        Unexpected::Str(_) => "a text",
        Unexpected::Bytes(_) => "bytes",
        Unexpected::Unit => "nothing",
        Unexpected::Option => "an option",
        Unexpected::NewtypeStruct => "a newtype",
        Unexpected::Seq => "a sequence",
        Unexpected::Map => "a map",
        Unexpected::Enum
        | Unexpected::UnitVariant
        | Unexpected::NewtypeVariant
        | Unexpected::TupleVariant
        | Unexpected::StructVariant => "a variant",
        Unexpected::Other(_) => "something else",
    }
}
