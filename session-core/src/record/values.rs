//! The values of a session: keys to encoded bytes.

use std::{cmp::Ordering, fmt, ops::Range, sync::Arc};

/// Counted for each value beside its key and encoded bytes.
const ENTRY_BYTES: usize = 32;

/// A small sorted map in one buffer, in the form it is stored in: the length of a key, the key, the
/// length of its value, the value; and so on. Lengths are written as postcard writes them.
///
/// Sessions have a handful of values: to go through them beats following pointers to each, a copy
/// is one reference count, and sealing takes them as they are.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Values {
    /// `None` without any: an empty `Arc<[u8]>` would be the same one for all threads, and they
    /// would fight over its count.
    pairs: Option<Arc<[u8]>>,
    len: usize,
    /// Bytes of all keys and values.
    content: usize,
}

impl Values {
    /// From the end of a record's body, which begins with their number. `None` if they are not all
    /// there, or not as [`append_to`](Self::append_to) writes them.
    pub(crate) fn read(stored: &[u8]) -> Option<Self> {
        let mut rest = stored;
        let len = take_length(&mut rest)?;
        let mut pairs = Pairs { all: rest, at: 0 };
        let mut content = 0;
        let mut last = None;
        for _ in 0..len {
            let pair = pairs.next()?;
            if std::str::from_utf8(pair.key).is_err() || last.is_some_and(|last| pair.key <= last) {
                return None;
            }
            content += pair.content();
            last = Some(pair.key);
        }
        Some(Self { pairs: shared(&rest[..pairs.at]), len, content })
    }

    /// Writes their number and themselves.
    pub(crate) fn append_to(&self, body: &mut Vec<u8>) {
        append_length(body, self.len);
        body.extend_from_slice(self.stored());
    }

    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        self.find(key).ok().map(|pair| pair.value)
    }

    pub(crate) fn set(&mut self, key: &str, value: &[u8]) {
        *self = self.with(self.find(key), Some((key, value)));
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, key: &str) -> bool {
        let found = self.find(key);
        let was_there = found.is_ok();
        if was_there {
            *self = self.with(found, None);
        }
        was_there
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // They were looked at when they were read.
        self.pairs().filter_map(|pair| Some((std::str::from_utf8(pair.key).ok()?, pair.value)))
    }

    /// Bytes of all keys and values, and of what keeping each takes: many tiny ones are not free.
    pub(crate) fn bytes(&self) -> usize {
        self.content + self.len * ENTRY_BYTES
    }

    /// What one value counts for in [`bytes`](Self::bytes).
    pub(crate) fn cost(key: &str, value: &[u8]) -> usize {
        key.len() + value.len() + ENTRY_BYTES
    }

    /// How long what [`append_to`](Self::append_to) writes is at most.
    pub(crate) fn encoded_len(&self) -> usize {
        MAX_LENGTH_BYTES + self.stored().len()
    }

    /// The same with `new` in the place that was found.
    fn with(&self, place: Result<Pair<'_>, usize>, new: Option<(&str, &[u8])>) -> Self {
        let (range, old) = match place {
            Ok(pair) => (pair.range.clone(), Some(pair.content())),
            Err(at) => (at..at, None),
        };
        let stored = self.stored();
        let (before, after) = (&stored[..range.start], &stored[range.end..]);
        let added = new.map(|(key, value)| key.len() + value.len());
        let room = added.map_or(0, |added| 2 * MAX_LENGTH_BYTES + added);
        let mut pairs = Vec::with_capacity(before.len() + room + after.len());
        pairs.extend_from_slice(before);
        if let Some((key, value)) = new {
            append(&mut pairs, key.as_bytes());
            append(&mut pairs, value);
        }
        pairs.extend_from_slice(after);
        Self {
            pairs: shared(&pairs),
            len: self.len + usize::from(added.is_some()) - usize::from(old.is_some()),
            content: self.content + added.unwrap_or(0) - old.unwrap_or(0),
        }
    }

    /// The pair of `key`, or where it would be.
    fn find(&self, key: &str) -> Result<Pair<'_>, usize> {
        for pair in self.pairs() {
            match pair.key.cmp(key.as_bytes()) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(pair),
                Ordering::Greater => return Err(pair.range.start),
            }
        }
        Err(self.stored().len())
    }

    fn pairs(&self) -> Pairs<'_> {
        Pairs { all: self.stored(), at: 0 }
    }

    fn stored(&self) -> &[u8] {
        self.pairs.as_deref().unwrap_or_default()
    }
}

fn shared(pairs: &[u8]) -> Option<Arc<[u8]>> {
    (!pairs.is_empty()).then(|| pairs.into())
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values").field("len", &self.len).finish_non_exhaustive()
    }
}

struct Pair<'a> {
    key: &'a [u8],
    value: &'a [u8],
    /// Where it stands.
    range: Range<usize>,
}

impl Pair<'_> {
    /// Bytes of the key and the value.
    fn content(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

struct Pairs<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        let mut rest = self.all.get(self.at..)?;
        let (key, value) = (take(&mut rest)?, take(&mut rest)?);
        let range = self.at..self.all.len() - rest.len();
        self.at = range.end;
        Some(Pair { key, value, range })
    }
}

/// Seven bits a byte, the low ones first; the top bit says that there are more. Nothing in memory
/// is as long as 2^63.
const MAX_LENGTH_BYTES: usize = 9;

fn append_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        bytes.push(length.to_le_bytes()[0] | 0x80);
        length >>= 7;
    }
    bytes.push(length.to_le_bytes()[0]);
}

fn take_length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for at in 0..MAX_LENGTH_BYTES {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        length |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let shortest = *byte != 0 || at == 0;
            return usize::try_from(length).ok().filter(|_| shortest);
        }
    }
    None
}

fn append(bytes: &mut Vec<u8>, part: &[u8]) {
    append_length(bytes, part.len());
    bytes.extend_from_slice(part);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(rest)?;
    let (part, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(part)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn of(map: &BTreeMap<String, Vec<u8>>) -> Values {
        let mut values = Values::default();
        for (key, value) in map {
            values.set(key, value);
        }
        values
    }

    fn stored(values: &Values) -> Vec<u8> {
        let mut body = Vec::new();
        values.append_to(&mut body);
        assert!(body.len() <= values.encoded_len());
        body
    }

    #[derive(Clone, Debug)]
    enum Do {
        Set(String, Vec<u8>),
        Remove(String),
    }

    fn anything() -> impl Strategy<Value = Vec<Do>> {
        // Few keys, so that they meet; some values whose length takes two bytes.
        let key = || "[a-cä]{0,2}";
        let value = || {
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..4),
                prop::collection::vec(any::<u8>(), 126..130),
            ]
        };
        prop::collection::vec(
            prop_oneof![
                (key(), value()).prop_map(|(key, value)| Do::Set(key, value)),
                key().prop_map(Do::Remove),
            ],
            0..40,
        )
    }

    proptest! {
        #[test]
        fn they_are_a_map_and_are_stored_as_postcard_would(steps in anything()) {
            let (mut values, mut map) = (Values::default(), BTreeMap::new());
            for step in steps {
                match step {
                    Do::Set(key, value) => {
                        values.set(&key, &value);
                        map.insert(key, value);
                    }
                    Do::Remove(key) => {
                        prop_assert_eq!(values.remove(&key), map.remove(&key).is_some());
                    }
                }
                prop_assert!(values == of(&map), "the way there does not show");
            }
            let pairs: Vec<_> = map.iter().map(|(key, value)| (&**key, &**value)).collect();
            prop_assert_eq!(values.iter().collect::<Vec<_>>(), &*pairs);
            prop_assert_eq!(values.len(), map.len());
            prop_assert_eq!(values.is_empty(), map.is_empty());
            for key in ["", "a", "ab", "ä", "z"] {
                prop_assert_eq!(values.get(key), map.get(key).map(|value| &**value));
            }
            let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len() + 32).sum();
            prop_assert_eq!(values.bytes(), bytes);
            prop_assert_eq!(stored(&values), postcard::to_extend(&pairs, Vec::new()).unwrap());
            prop_assert!(Values::read(&stored(&values)) == Some(values));
        }

        #[test]
        fn any_bytes_are_values_or_none(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(values) = Values::read(&bytes) {
                prop_assert_eq!(values.iter().count(), values.len());
                prop_assert!(bytes.starts_with(&stored(&values)));
            }
        }
    }

    #[test]
    fn what_is_cut_off_or_out_of_order_is_refused() {
        let map = BTreeMap::from([("a".to_owned(), vec![1]), ("b".to_owned(), vec![2, 3])]);
        let whole = stored(&of(&map));
        assert_eq!(whole, [2, 1, b'a', 1, 1, 1, b'b', 2, 2, 3]);
        for end in 0..whole.len() {
            assert!(Values::read(&whole[..end]).is_none(), "{end} bytes");
        }
        assert!(Values::read(&[2, 1, b'b', 0, 1, b'a', 0]).is_none(), "out of order");
        assert!(Values::read(&[2, 1, b'a', 0, 1, b'a', 0]).is_none(), "twice");
        assert!(Values::read(&[1, 1, 0xff, 0]).is_none(), "a key is text");
        assert!(Values::read(&[1, 1, b'a', 0x80, 0]).is_none(), "a length longer than it need be");
        assert!(Values::read(&[0xff; 11]).is_none(), "a length that does not end");
        let beyond = [[0xff; 8].as_slice(), &[0x7f]].concat();
        assert!(
            Values::read(&[[1].as_slice(), &beyond].concat()).is_none(),
            "a length past the end"
        );
    }
}
