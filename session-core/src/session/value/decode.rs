//! From MessagePack to a value.

use std::fmt::Write;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Error, Unexpected, Visitor,
};

use super::{
    MAX_DEPTH, SOME,
    next::{Next, damaged},
    reason::Reason,
};

type Result<T, E = Reason> = std::result::Result<T, E>;

/// Reads `bytes` as a `T`, and if that fails as one that knows less than MessagePack does:
/// `serde_json::Value` has neither bytes nor keys that are no text.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    read(bytes, false).or_else(|reason| read(bytes, true).map_err(|_| reason))
}

fn read<T: DeserializeOwned>(bytes: &[u8], as_json: bool) -> Result<T> {
    let mut decoder = Decoder { rest: bytes, depth: 0, as_json, in_key: false };
    let value = T::deserialize(&mut decoder)?;
    if decoder.rest.is_empty() { Ok(value) } else { Err(damaged()) }
}

pub(super) struct Decoder<'de> {
    pub(super) rest: &'de [u8],
    depth: usize,
    /// Bytes are sequences, and keys are text where text is asked for.
    as_json: bool,
    in_key: bool,
}

impl<'de> Decoder<'de> {
    /// Reads the elements or entries of something, all of them, one level deeper.
    fn within<T>(
        &mut self,
        len: usize,
        fields: &'static [&'static str],
        read: impl FnOnce(&mut Parts<'_, 'de>) -> Result<T>,
    ) -> Result<T> {
        self.depth += 1;
        if self.depth > 2 * MAX_DEPTH {
            return Err(damaged());
        }
        let in_key = std::mem::take(&mut self.in_key);
        let mut parts = Parts { decoder: self, left: len, fields, field: None };
        let value = read(&mut parts)?;
        if parts.left > 0 {
            return Err(Reason::new("more elements are stored than expected"));
        }
        self.in_key = in_key;
        self.depth -= 1;
        Ok(value)
    }

    /// Writes what is next as text, for keys that are to be text.
    fn as_text(&mut self, out: &mut String) -> Result<()> {
        let written = match self.next()? {
            Next::Nil | Next::Some(_) => write!(out, "null"),
            Next::Bool(value) => write!(out, "{value}"),
            Next::Unsigned(value) => write!(out, "{value}"),
            Next::Signed(value) => write!(out, "{value}"),
            Next::F32(value) => write!(out, "{value}"),
            Next::F64(value) => write!(out, "{value}"),
            Next::Text(value) => write!(out, "{value}"),
            Next::Bytes(value) => write!(out, "{value:?}"),
            Next::Array(len) => {
                out.push('[');
                for at in 0..len {
                    out.push_str(if at == 0 { "" } else { ", " });
                    self.as_text(out)?;
                }
                write!(out, "]")
            }
            Next::Map(len) => {
                out.push('{');
                for at in 0..len {
                    out.push_str(if at == 0 { "" } else { ", " });
                    self.as_text(out)?;
                    out.push_str(": ");
                    self.as_text(out)?;
                }
                write!(out, "}}")
            }
        };
        written.map_err(|_| damaged())
    }
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Reason;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.next()? {
            Next::Nil => visitor.visit_unit(),
            Next::Some(count) => visitor.visit_some(Nothing(count - 1)),
            Next::Bool(value) => visitor.visit_bool(value),
            Next::Unsigned(value) => visitor.visit_u64(value),
            Next::Signed(value) => visitor.visit_i64(value),
            Next::F32(value) => visitor.visit_f32(value),
            Next::F64(value) => visitor.visit_f64(value),
            Next::Text(value) => visitor.visit_borrowed_str(value),
            Next::Bytes(value) if self.as_json => {
                visitor.visit_seq(de::value::SeqDeserializer::new(value.iter().copied()))
            }
            Next::Bytes(value) => visitor.visit_borrowed_bytes(value),
            Next::Array(len) => self.within(len, &[], |parts| visitor.visit_seq(parts)),
            Next::Map(len) => self.within(len, &[], |parts| visitor.visit_map(parts)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.rest.first() {
            Some(&NIL) => {
                self.take(1)?;
                visitor.visit_none()
            }
            Some(&first) if first == SOME[0] => self.deserialize_any(visitor),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.as_json && self.in_key {
            let mut text = String::new();
            self.as_text(&mut text)?;
            return visitor.visit_string(text);
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let before = self.rest;
        if let Next::Map(len) = self.next()? {
            return self.within(len, fields, |parts| visitor.visit_map(parts));
        }
        self.rest = before;
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let before = self.rest;
        match self.next()? {
            Next::Text(_) => {
                self.rest = before;
                visitor.visit_enum(Variant { decoder: self, has_content: false })
            }
            Next::Map(1) => self.within(0, &[], |parts| {
                visitor.visit_enum(Variant { decoder: parts.decoder, has_content: true })
            }),
            _ => {
                self.rest = before;
                self.deserialize_any(visitor)
            }
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

const NIL: u8 = 0xc0;

/// Nothing, in so many `Some`s.
struct Nothing(u8);

impl<'de> Deserializer<'de> for Nothing {
    type Error = Reason;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0.checked_sub(1) {
            Some(less) => visitor.visit_some(Self(less)),
            None => visitor.visit_unit(),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.0 == 0 { visitor.visit_none() } else { self.deserialize_any(visitor) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The elements of a sequence or the entries of a map.
struct Parts<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
    /// The names a struct has for its entries, and that of the entry that is read.
    fields: &'static [&'static str],
    field: Option<&'static str>,
}

impl<'de> de::SeqAccess<'de> for &mut Parts<'_, 'de> {
    type Error = Reason;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> de::MapAccess<'de> for &mut Parts<'_, 'de> {
    type Error = Reason;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let decoder = &mut *self.decoder;
        if !self.fields.is_empty() {
            let before = decoder.rest;
            let Next::Text(name) = decoder.next()? else { return Err(damaged()) };
            decoder.rest = before;
            self.field = self.fields.iter().find(|field| **field == name).copied();
        }
        decoder.in_key = true;
        let key = seed.deserialize(&mut *decoder);
        decoder.in_key = false;
        key.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(&mut *self.decoder).map_err(|reason| match self.field {
            Some(field) => reason.inside(field),
            None => reason,
        })
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A variant: its name, and behind it what it has.
struct Variant<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    has_content: bool,
}

impl<'de> de::EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Reason;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        let variant = seed.deserialize(&mut *self.decoder)?;
        Ok((variant, self))
    }
}

impl Variant<'_, '_> {
    fn check_content(&self, expected: &'static str) -> Result<()> {
        if self.has_content {
            return Ok(());
        }
        Err(Reason::invalid_type(Unexpected::UnitVariant, &expected))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Reason;

    fn unit_variant(self) -> Result<()> {
        if self.has_content { de::Deserialize::deserialize(self.decoder) } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        self.check_content("a variant with a value")?;
        seed.deserialize(self.decoder)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.check_content("a variant with values")?;
        self.decoder.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.check_content("a variant with fields")?;
        self.decoder.deserialize_struct("", fields, visitor)
    }
}
