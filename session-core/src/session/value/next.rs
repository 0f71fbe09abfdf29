//! What MessagePack has next.

use rmp::Marker;

use super::{SOME, decode::Decoder, reason::Reason};

type Result<T, E = Reason> = std::result::Result<T, E>;

/// What was written is authentic, so this is not seen unless by a mistake of ours.
pub(super) fn damaged() -> Reason {
    Reason::new("what is stored is no value")
}

/// What is next, as far as one look can say.
pub(super) enum Next<'de> {
    Nil,
    /// So many `Some`s around nothing.
    Some(u8),
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    Text(&'de str),
    Bytes(&'de [u8]),
    Array(usize),
    Map(usize),
}

impl<'de> Decoder<'de> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'de [u8]> {
        let (part, rest) = self.rest.split_at_checked(len).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(part)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (part, rest) = self.rest.split_first_chunk().ok_or_else(damaged)?;
        self.rest = rest;
        Ok(*part)
    }

    /// A length of `N` bytes.
    fn len<const N: usize>(&mut self) -> Result<usize> {
        let bytes = self.number::<N>()?;
        Ok(bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)))
    }

    fn text(&mut self, len: usize) -> Result<Next<'de>> {
        std::str::from_utf8(self.take(len)?).map(Next::Text).map_err(|_| damaged())
    }

    pub(super) fn next(&mut self) -> Result<Next<'de>> {
        let [first] = self.number()?;
        Ok(match Marker::from_u8(first) {
            Marker::Null => Next::Nil,
            Marker::True => Next::Bool(true),
            Marker::False => Next::Bool(false),
            Marker::FixPos(value) => Next::Unsigned(value.into()),
            Marker::U8 => Next::Unsigned(u8::from_be_bytes(self.number()?).into()),
            Marker::U16 => Next::Unsigned(u16::from_be_bytes(self.number()?).into()),
            Marker::U32 => Next::Unsigned(u32::from_be_bytes(self.number()?).into()),
            Marker::U64 => Next::Unsigned(u64::from_be_bytes(self.number()?)),
            Marker::FixNeg(value) => Next::Signed(value.into()),
            Marker::I8 => Next::Signed(i8::from_be_bytes(self.number()?).into()),
            Marker::I16 => Next::Signed(i16::from_be_bytes(self.number()?).into()),
            Marker::I32 => Next::Signed(i32::from_be_bytes(self.number()?).into()),
            Marker::I64 => Next::Signed(i64::from_be_bytes(self.number()?)),
            Marker::F32 => Next::F32(f32::from_be_bytes(self.number()?)),
            Marker::F64 => Next::F64(f64::from_be_bytes(self.number()?)),
            Marker::FixStr(len) => self.text(len.into())?,
            Marker::Str8 => self.len::<1>().and_then(|len| self.text(len))?,
            Marker::Str16 => self.len::<2>().and_then(|len| self.text(len))?,
            Marker::Str32 => self.len::<4>().and_then(|len| self.text(len))?,
            Marker::Bin8 => Next::Bytes(self.len::<1>().and_then(|len| self.take(len))?),
            Marker::Bin16 => Next::Bytes(self.len::<2>().and_then(|len| self.take(len))?),
            Marker::Bin32 => Next::Bytes(self.len::<4>().and_then(|len| self.take(len))?),
            Marker::FixArray(len) => Next::Array(len.into()),
            Marker::Array16 => Next::Array(self.len::<2>()?),
            Marker::Array32 => Next::Array(self.len::<4>()?),
            Marker::FixMap(len) => Next::Map(len.into()),
            Marker::Map16 => Next::Map(self.len::<2>()?),
            Marker::Map32 => Next::Map(self.len::<4>()?),
            Marker::FixExt1 => match self.number()? {
                [kind, count] if kind == SOME[1] && count > 0 => Next::Some(count),
                _ => return Err(damaged()),
            },
            Marker::Reserved
            | Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::FixExt16
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => return Err(damaged()),
        })
    }
}
