//! Names of files: made from ids and tags alone, never from text that came from outside.

use session_core::{PrincipalTag, SessionId};

/// Where the records are, in the folder.
pub(crate) const RECORDS: &str = "records";
/// Where the index by principal is.
pub(crate) const PRINCIPALS: &str = "principals";
/// Where damaged files are kept.
pub(crate) const ASIDE: &str = "aside";
/// When the last sweep looked, and who sweeps.
pub(crate) const SWEPT: &str = "swept";
/// What the folder is.
pub(crate) const LAYOUT: &str = "layout";

/// How many folders the records, and the entries of the index, are spread over.
pub(crate) const SHARDS: u16 = 4096;

const SHARD_CHARS: usize = 3;
const TAG_CHARS: usize = 32;
const NEW: &str = ".new";
const LONGEST: usize =
    PRINCIPALS.len() + 1 + SHARD_CHARS + 1 + TAG_CHARS + 1 + SessionId::TEXT_BYTES;

/// One of the two trees of shards.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Tree {
    Records,
    Principals,
}

impl Tree {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Records => RECORDS,
            Self::Principals => PRINCIPALS,
        }
    }
}

/// The name of a shard's folder: three hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Shard(u16);

impl Shard {
    pub(crate) const FIRST: Self = Self(0);

    /// The shard with this number, or `None` beyond the last one.
    pub(crate) fn new(number: u16) -> Option<Self> {
        (number < SHARDS).then_some(Self(number))
    }

    pub(crate) fn of(id: &SessionId) -> Self {
        Self::of_bytes(id.as_bytes())
    }

    pub(crate) fn of_tag(tag: &PrincipalTag) -> Self {
        Self::of_bytes(tag.as_bytes())
    }

    /// This one and all after it.
    pub(crate) fn and_on(self) -> impl Iterator<Item = Self> {
        (self.0..SHARDS).map(Self)
    }

    fn of_bytes(bytes: &[u8; 16]) -> Self {
        Self((u16::from(bytes[0]) << 4) | (u16::from(bytes[1]) >> 4))
    }
}

/// A path from the folder on, kept without an allocation.
#[derive(Clone, Copy)]
pub(crate) struct Name {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Name {
    /// A folder of records, or of entries of the index.
    pub(crate) fn shard(tree: Tree, Shard(number): Shard) -> Self {
        let mut name = Self { bytes: [0; LONGEST], len: 0 };
        name.push(tree.name());
        name.push("/");
        for shift in [8, 4, 0] {
            name.hex(u8::try_from((number >> shift) & 15).unwrap_or_default());
        }
        name
    }

    /// Where the record of `id` is.
    pub(crate) fn record(id: &SessionId) -> Self {
        let mut name = Self::shard(Tree::Records, Shard::of(id));
        name.push("/");
        name.id(id);
        name
    }

    /// Where a larger file for `id` is made before it takes the place of the old one.
    pub(crate) fn new_record(id: &SessionId) -> Self {
        let mut name = Self::record(id);
        name.push(NEW);
        name
    }

    /// Where the index says that `id` belongs to `tag`.
    pub(crate) fn entry(tag: &PrincipalTag, id: &SessionId) -> Self {
        let mut name = Self::shard(Tree::Principals, Shard::of_tag(tag));
        name.push("/");
        for byte in tag.as_bytes() {
            name.hex(byte >> 4);
            name.hex(byte & 15);
        }
        name.push(".");
        name.id(id);
        name
    }

    /// Where a damaged file of `id` is kept, the `number`th of them.
    pub(crate) fn aside(id: &SessionId, number: u8) -> Self {
        let mut name = Self { bytes: [0; LONGEST], len: 0 };
        name.push(ASIDE);
        name.push("/");
        name.id(id);
        name.push(".");
        name.hex(number >> 4);
        name.hex(number & 15);
        name
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    fn push(&mut self, text: &str) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text.as_bytes());
        self.len += text.len();
    }

    fn hex(&mut self, digit: u8) {
        self.bytes[self.len] = b"0123456789abcdef"[usize::from(digit)];
        self.len += 1;
    }

    fn id(&mut self, id: &SessionId) {
        let mut buffer = [0; SessionId::TEXT_BYTES];
        self.push(id.encode(&mut buffer));
    }
}

/// What a name in a folder of records stands for, by the name alone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named {
    Record(SessionId),
    New(SessionId),
}

impl Named {
    /// `None` for names that are not ours, and for ours in a folder they do not belong to.
    pub(crate) fn parse(shard: Shard, name: &[u8]) -> Option<Self> {
        let (id, named): (_, fn(_) -> _) = match name.strip_suffix(NEW.as_bytes()) {
            Some(id) => (id, Self::New),
            None => (name, Self::Record),
        };
        SessionId::parse(id).filter(|id| Shard::of(id) == shard).map(named)
    }
}

/// Reads the name of an entry of the index.
pub(crate) fn parse_entry(shard: Shard, name: &[u8]) -> Option<(PrincipalTag, SessionId)> {
    let (tag, id) = name.split_at_checked(TAG_CHARS)?;
    let id = SessionId::parse(id.strip_prefix(b".")?)?;
    let mut bytes = [0; 16];
    for (byte, digits) in bytes.iter_mut().zip(tag.chunks_exact(2)) {
        *byte = (digit(digits[0])? << 4) | digit(digits[1])?;
    }
    let tag = PrincipalTag::from_bytes(bytes);
    (Shard::of_tag(&tag) == shard).then_some((tag, id))
}

fn digit(char: u8) -> Option<u8> {
    match char {
        b'0'..=b'9' => Some(char - b'0'),
        b'a'..=b'f' => Some(char - b'a' + 10),
        _ => None,
    }
}
