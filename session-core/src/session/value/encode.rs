//! From a value to MessagePack.

use std::collections::HashSet;

use rmp::encode;
use serde::ser::{self, Serialize, Serializer};

use super::{MAX_DEPTH, SOME, reason::Reason};

type Result<T, E = Reason> = std::result::Result<T, E>;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    let mut encoder = Encoder { out: Vec::new(), depth: 0 };
    value.serialize(&mut encoder)?;
    Ok(encoder.out)
}

struct Encoder {
    out: Vec<u8>,
    depth: usize,
}

/// What was written.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Written {
    /// One byte.
    Nil,
    /// `Some` of what would read as `None`: three bytes, of which the last counts.
    Some,
    /// Anything else that a field of a flattened struct may be called.
    Scalar,
    /// Elements or entries.
    Composite,
}

impl Encoder {
    /// Goes one level deeper for `write`.
    fn nested<T>(&mut self, write: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.descend()?;
        let written = write(self)?;
        self.depth -= 1;
        Ok(written)
    }

    fn descend(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Reason::new(format!("it is more than {MAX_DEPTH} levels deep")));
        }
        Ok(())
    }

    fn variant(&mut self, variant: &str) -> Result<()> {
        put(encode::write_map_len(&mut self.out, 1))?;
        put(encode::write_str(&mut self.out, variant))
    }

    fn begin(&mut self, kind: Kind, len: Option<usize>) -> Result<Compound<'_>> {
        self.descend()?;
        let start = self.out.len();
        kind.write_len(&mut self.out, len.unwrap_or(0))?;
        let body = self.out.len();
        let names = Names { first: None, all: len.is_none().then(HashSet::new) };
        Ok(Compound { encoder: self, kind, start, body, len: len.unwrap_or(0), count: 0, names })
    }
}

/// Writing into memory does not fail.
fn put<T, E>(written: std::result::Result<T, E>) -> Result<()> {
    written.map(drop).map_err(|_| Reason::new("it cannot be written"))
}

fn short(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| Reason::new("a part of it is longer than 4 GiB"))
}

#[derive(Clone, Copy)]
enum Kind {
    Array,
    Map,
}

impl Kind {
    fn write_len(self, out: &mut Vec<u8>, len: usize) -> Result<()> {
        let len = short(len)?;
        match self {
            Self::Array => put(encode::write_array_len(out, len)),
            Self::Map => put(encode::write_map_len(out, len)),
        }
    }
}

macro_rules! scalars {
    ($($method:ident($type:ty) => $write:ident;)*) => {$(
        fn $method(self, value: $type) -> Result<Written> {
            put(encode::$write(&mut self.out, value.into()))?;
            Ok(Written::Scalar)
        }
    )*};
}

impl<'a> Serializer for &'a mut Encoder {
    type Ok = Written;
    type Error = Reason;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    scalars! {
        serialize_bool(bool) => write_bool;
        serialize_i8(i8) => write_sint;
        serialize_i16(i16) => write_sint;
        serialize_i32(i32) => write_sint;
        serialize_i64(i64) => write_sint;
        serialize_u8(u8) => write_uint;
        serialize_u16(u16) => write_uint;
        serialize_u32(u32) => write_uint;
        serialize_u64(u64) => write_uint;
        serialize_f32(f32) => write_f32;
        serialize_f64(f64) => write_f64;
    }

    fn serialize_i128(self, _: i128) -> Result<Written> {
        Err(Reason::new(WIDE))
    }

    fn serialize_u128(self, _: u128) -> Result<Written> {
        Err(Reason::new(WIDE))
    }

    fn serialize_char(self, value: char) -> Result<Written> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<Written> {
        short(value.len())?;
        put(encode::write_str(&mut self.out, value))?;
        Ok(Written::Scalar)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Written> {
        short(value.len())?;
        put(encode::write_bin(&mut self.out, value))?;
        Ok(Written::Scalar)
    }

    fn serialize_none(self) -> Result<Written> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Written> {
        let written = self.nested(|encoder| value.serialize(encoder))?;
        match written {
            Written::Nil => {
                self.out.pop();
                self.out.extend_from_slice(&[SOME[0], SOME[1], 1]);
            }
            Written::Some => {
                // At most as many as there are levels.
                if let Some(count) = self.out.last_mut() {
                    *count += 1;
                }
            }
            Written::Scalar | Written::Composite => return Ok(written),
        }
        Ok(Written::Some)
    }

    fn serialize_unit(self) -> Result<Written> {
        put(encode::write_nil(&mut self.out))?;
        Ok(Written::Nil)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Written> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &str, _: u32, variant: &'static str) -> Result<Written> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Written> {
        self.nested(|encoder| value.serialize(encoder))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Written> {
        self.variant(variant)?;
        self.nested(|encoder| value.serialize(encoder)).map_err(|reason| reason.inside(variant))?;
        Ok(Written::Composite)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'a>> {
        self.begin(Kind::Array, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'a>> {
        self.begin(Kind::Array, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>> {
        self.begin(Kind::Array, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a>> {
        self.variant(variant)?;
        self.begin(Kind::Array, Some(len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'a>> {
        self.begin(Kind::Map, len)
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<Compound<'a>> {
        self.begin(Kind::Map, Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a>> {
        self.variant(variant)?;
        self.begin(Kind::Map, Some(len))
    }
}

const WIDE: &str = "it has a 128-bit integer, which serde cannot read in enums with tags and in \
                    flattened structs: store it as text";

/// A sequence or a map that is being written.
struct Compound<'a> {
    encoder: &'a mut Encoder,
    kind: Kind,
    /// Where its length stands, and what is behind that.
    start: usize,
    body: usize,
    /// How many elements were announced, and how many came.
    len: usize,
    count: usize,
    names: Names,
}

/// The keys of a map, as far as they must not come twice.
///
/// An enum with a tag writes the tag first, beside the fields of its variant: one of the same name
/// would be read as the tag. A map of unknown length is a struct with a flattened part, which may
/// bring a name that is there already.
struct Names {
    first: Option<(usize, usize)>,
    all: Option<HashSet<Vec<u8>>>,
}

impl Compound<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.count += 1;
        value.serialize(&mut *self.encoder).map(drop)
    }

    fn key(&mut self, write: impl FnOnce(&mut Encoder) -> Result<Written>) -> Result<()> {
        self.count += 1;
        let start = self.encoder.out.len();
        let written = write(self.encoder)?;
        let bytes = &self.encoder.out;
        let key = &bytes[start..];
        let Names { first, all } = &mut self.names;
        let twice = match (&first, all) {
            (_, Some(all)) => {
                if matches!(written, Written::Composite | Written::Some) {
                    return Err(Reason::new(
                        "a flattened map has keys that serde cannot read there: give the map a \
                         field of its own",
                    ));
                }
                !all.insert(key.to_vec())
            }
            (Some((start, end)), None) => bytes[*start..*end] == *key,
            (None, None) => false,
        };
        if twice {
            return Err(Reason::new(
                "two fields have the same name, of a tag and a field or of a flattened part: \
                 rename one",
            ));
        }
        first.get_or_insert((start, bytes.len()));
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<()> {
        self.key(|encoder| encoder.serialize_str(name))?;
        value.serialize(&mut *self.encoder).map(drop).map_err(|reason| reason.inside(name))
    }

    fn finish(self) -> Result<Written> {
        if self.count != self.len {
            let mut header = Vec::new();
            self.kind.write_len(&mut header, self.count)?;
            self.encoder.out.splice(self.start..self.body, header);
        }
        self.encoder.depth -= 1;
        Ok(Written::Composite)
    }
}

macro_rules! elements {
    ($($trait:ident: $method:ident;)*) => {$(
        impl ser::$trait for Compound<'_> {
            type Ok = Written;
            type Error = Reason;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.element(value)
            }

            fn end(self) -> Result<Written> {
                self.finish()
            }
        }
    )*};
}

elements! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Compound<'_> {
            type Ok = Written;
            type Error = Reason;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<()> {
                self.field(name, value)
            }

            fn end(self) -> Result<Written> {
                self.finish()
            }
        }
    )*};
}

fields!(SerializeStruct SerializeStructVariant);

impl ser::SerializeMap for Compound<'_> {
    type Ok = Written;
    type Error = Reason;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.key(|encoder| key.serialize(encoder))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(&mut *self.encoder).map(drop)
    }

    fn end(self) -> Result<Written> {
        self.finish()
    }
}
