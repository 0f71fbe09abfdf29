//! What can be put into a session can be read from it, whatever its shape is.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::{self, Debug},
    hash::Hash,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use proptest::prelude::*;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
};
use serde_json::Value;
use session_core::{ErrorKind, ManagedSession};
use uuid::Uuid;

use crate::{
    memory::block_on,
    world::{World, cookie, finish, key},
};

/// What a value of any type may be a part of.
trait Part: Serialize + DeserializeOwned + PartialEq + Debug + Clone {}

impl<T: Serialize + DeserializeOwned + PartialEq + Debug + Clone> Part for T {}

#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
struct Unit;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Newtype<T>(T);

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Tuple<T>(u8, T);

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Struct<T> {
    before: u8,
    part: T,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum External<T> {
    Unit,
    Newtype(T),
    Tuple(u8, T),
    Struct { part: T },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind")]
enum Internal<T> {
    Unit,
    Struct { part: T },
}

/// Only some types can be the variant of such an enum; serde refuses to write the others.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type")]
enum InternalNewtype<T> {
    Unit,
    Newtype(T),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", content = "content")]
enum Adjacent<T> {
    Unit,
    Newtype(T),
    Struct { part: T },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged)]
enum Untagged<T> {
    Struct { unmistakable: u8, part: T },
    Newtype(T),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Flattened<T> {
    outer: u8,
    #[serde(flatten)]
    inner: Struct<T>,
}

/// Only structs, enums and maps can be flattened; serde refuses to write the others.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct FlattenedPart<T> {
    outer: u8,
    #[serde(flatten)]
    part: T,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Skipping<T> {
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    part: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

/// Bytes that are nothing else: no sequence, no text.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.into()))
            }
        }

        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// A sequence and a map that do not know how long they are.
#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Unsized<T>(Vec<T>, BTreeMap<u32, T>);

impl<T: Serialize> Serialize for Unsized<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Seq<'a, T>(&'a [T]);

        impl<T: Serialize> Serialize for Seq<'_, T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter().filter(|_| true))
            }
        }

        struct Map<'a, T>(&'a BTreeMap<u32, T>);

        impl<T: Serialize> Serialize for Map<'_, T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().filter(|_| true))
            }
        }

        (Seq(&self.0), Map(&self.1)).serialize(serializer)
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Nest(Vec<Self>);

fn nest(levels: usize) -> Nest {
    (1..levels).fold(Nest(Vec::new()), |inner, _| Nest(vec![inner]))
}

/// A session into which shapes are put, and which of them were refused.
struct Shapes {
    session: ManagedSession,
    refused: Vec<&'static str>,
    taken: usize,
}

impl Shapes {
    fn new() -> Self {
        let world = World::with(key(1), |builder| builder.max_bytes(500_000));
        Self { session: world.open(""), refused: Vec::new(), taken: 0 }
    }

    #[expect(clippy::needless_pass_by_value, reason = "values are made where they are put in")]
    fn put<T: Part>(&mut self, value: T) {
        let shape = std::any::type_name::<T>();
        if let Err(error) = self.session.insert("shape", &value) {
            assert_eq!(error.kind(), ErrorKind::Codec, "{shape}: {error}");
            self.refused.push(shape);
            return;
        }
        self.taken += 1;
        match self.session.get::<T>("shape") {
            Ok(read) => assert_eq!(read.as_ref(), Some(&value), "{shape}"),
            Err(error) => panic!("{shape}: {error}"),
        }
        if let Err(error) = self.session.entries::<Value>() {
            panic!("{shape}: {error}");
        }
    }

    /// Puts `part` in as a part of everything.
    #[expect(clippy::needless_pass_by_value, reason = "values are made where they are put in")]
    fn part<T: Part>(&mut self, part: T) {
        let part = || part.clone();
        self.put(part());
        self.put(Newtype(part()));
        self.put(Some(part()));
        self.put(Some(Newtype(Some(part()))));
        self.put([part(), part()]);
        self.put(vec![part(), part()]);
        self.put((1_u8, part()));
        self.put(Unsized(vec![part(); 20], BTreeMap::from([(1, part()), (2, part())])));
        self.put(Tuple(1, part()));
        self.put(Struct { before: 1, part: part() });
        self.put(External::Newtype(part()));
        self.put(External::Tuple(1, part()));
        self.put(External::Struct { part: part() });
        self.put(Internal::Struct { part: part() });
        self.put(InternalNewtype::Newtype(part()));
        self.put(Adjacent::Newtype(part()));
        self.put(Adjacent::Struct { part: part() });
        self.put(Untagged::Newtype(part()));
        self.put(Untagged::Struct { unmistakable: 1, part: part() });
        self.put(Flattened { outer: 1, inner: Struct { before: 2, part: part() } });
        self.put(FlattenedPart { outer: 1, part: BTreeMap::from([("name".to_owned(), part())]) });
        self.put(Skipping { part: Some(part()) });
        self.put(BTreeMap::from([("name".to_owned(), part()), ("other".to_owned(), part())]));
        self.put(Untagged::Newtype(Adjacent::Newtype(Untagged::Newtype(part()))));
        self.put(Internal::Struct { part: External::Newtype(Internal::Struct { part: part() }) });
    }

    /// The same, and as what can be flattened.
    fn flat<T: Part>(&mut self, part: T) {
        self.part(part.clone());
        self.put(FlattenedPart { outer: 1, part });
    }

    fn keyed<K: Part + Eq + Hash>(&mut self, key: K) {
        self.flat(HashMap::from([(key, 7_u8)]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn what_insert_takes_get_reads(
        (bool, char, text) in (any::<bool>(), any::<char>(), ".{0,40}"),
        (small, int, signed) in (any::<u8>(), any::<u64>(), any::<i64>()),
        (single, double) in (any::<f32>(), any::<f64>()),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        list in prop::collection::vec(any::<i16>(), 0..40),
        map in prop::collection::btree_map(any::<u32>(), ".{0,5}", 0..20),
        option in any::<Option<Option<Option<u8>>>>(),
    ) {
        let mut shapes = Shapes::new();
        shapes.part(bool);
        shapes.part(char);
        shapes.part(text.clone());
        shapes.part(small);
        shapes.part(int);
        shapes.part(signed);
        shapes.part(single);
        shapes.part(double);
        shapes.part(Bytes(bytes.clone()));
        shapes.part(list);
        shapes.part(map);
        shapes.part(option);
        shapes.part(Uuid::from_u128(int.into()));
        shapes.part(IpAddr::from(signed.to_be_bytes().map(u16::from)));
        shapes.part(Duration::from_millis(int));
        shapes.keyed(text);
        shapes.keyed(int);
        shapes.keyed(signed);
        shapes.keyed(bool);
        shapes.keyed(char);
        shapes.keyed(Bytes(bytes));
        prop_assert!(shapes.taken > 450);
        let refused = |shape: &&&str| !shape.contains("InternalNewtype");
        prop_assert_eq!(shapes.refused.iter().find(refused), None);
    }
}

#[test]
fn the_corners_of_every_shape_are_read_as_they_were_put_in() {
    let mut shapes = Shapes::new();
    shapes.part(());
    shapes.part(Unit);
    shapes.part(f64::INFINITY);
    shapes.part(i64::MIN);
    shapes.part(u64::MAX);
    shapes.part(String::new());
    shapes.part(Bytes(vec![0; 300]));
    shapes.part("long".repeat(80));
    shapes.put(Bytes(vec![0; 70_000]));
    shapes.put("long".repeat(20_000));
    shapes.put(vec![7_u8; 70_000]);
    shapes.put((0..70_000).map(|at| (at, true)).collect::<BTreeMap<u32, bool>>());
    shapes.part(None::<u8>);
    shapes.part(Some(None::<u8>));
    shapes.part(Some(Some(None::<Option<u8>>)));
    shapes.part(Some(()));
    shapes.part(Some(Some(Unit)));
    shapes.part(Ok::<u8, String>(1));
    shapes.part(SocketAddr::from(([127, 0, 0, 1], 80)));
    shapes.part(std::collections::BTreeSet::from([1, 2]));
    shapes.part(External::<u8>::Unit);
    shapes.part(Internal::<u8>::Unit);
    shapes.part(Adjacent::<u8>::Unit);
    shapes.part(nest(60));
    shapes.flat(External::Struct { part: 1 });
    shapes.flat(Adjacent::Struct { part: 1 });
    shapes.flat(Internal::Struct { part: 1 });
    shapes.keyed(Unit);
    shapes.keyed(());
    shapes.keyed(None::<u8>);
    shapes.keyed(Some(1_u8));
    shapes.keyed(Uuid::nil());
    shapes.part(HashMap::from([((1_u8, 2_u8), 3)]));
    shapes.part(HashMap::from([(vec!["list".to_owned()], 3)]));
    shapes.part(HashMap::from([(Some(None::<u8>), 3)]));
    shapes.part(HashMap::from([(BTreeMap::from([(1, Bytes(vec![1]))]), 3)]));
    let refused: Vec<_> =
        shapes.refused.iter().filter(|shape| !shape.contains("InternalNewtype")).collect();
    assert_eq!(refused, [&""; 0]);
}

#[test]
fn what_serde_could_not_read_again_is_refused() {
    let world = World::new();
    let session = world.open("");
    let reason = |value: &dyn Fn() -> session_core::Result<()>| {
        let error = value().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        error.to_string()
    };
    let wide = reason(&|| session.insert("n", &Struct { before: 1, part: u128::MAX }));
    assert!(wide.contains("field part: it has a 128-bit integer"), "{wide}");
    reason(&|| session.insert("n", &Untagged::Newtype(-1_i128)));
    let deep = reason(&|| session.insert("deep", &nest(65)));
    assert!(deep.contains("128 levels"), "{deep}");
    let keys = FlattenedPart { outer: 1, part: HashMap::from([((1, 2), 3)]) };
    let keys = reason(&|| session.insert("keys", &keys));
    assert!(keys.contains("a flattened map has keys"), "{keys}");
    for twice in [
        reason(&|| {
            let inner = InternalNewtype::Newtype(Struct { before: 1, part: 2 });
            session.insert("twice", &InternalNewtype::Newtype(inner))
        }),
        reason(&|| {
            let map = BTreeMap::from([("type".to_owned(), "Unit".to_owned())]);
            session.insert("twice", &InternalNewtype::Newtype(map))
        }),
        reason(&|| {
            let part = Struct { before: 1, part: BTreeMap::from([("outer", 2)]) };
            let part = FlattenedPart { outer: 1, part };
            session.insert("twice", &FlattenedPart { outer: 3, part })
        }),
    ] {
        assert!(twice.contains("two fields have the same name"), "{twice}");
    }
    assert!(session.is_empty());
    session.insert("deep", &nest(64)).unwrap();
    assert_eq!(session.get("deep").unwrap(), Some(nest(64)));
}

#[test]
fn a_not_a_number_stays_one() {
    let session = World::new().open("");
    session.insert("nan", &Untagged::Newtype(f32::NAN)).unwrap();
    let Some(Untagged::Newtype(nan)) = session.get::<Untagged<f32>>("nan").unwrap() else {
        panic!("no newtype")
    };
    assert!(nan.is_nan());
    assert_eq!(session.entries::<Value>().unwrap()["nan"], Value::Null);
}

#[test]
fn everything_is_shown_as_json() {
    let session = World::new().open("");
    session.insert("bytes", &Bytes(vec![1, 255])).unwrap();
    session.insert("numbers", &HashMap::from([(5_u32, 'x')])).unwrap();
    session.insert("pairs", &HashMap::from([((1, true), Some(()))])).unwrap();
    session.insert("id", &Uuid::nil()).unwrap();
    let entries = session.entries::<Value>().unwrap();
    assert_eq!(
        serde_json::to_string(&entries).unwrap(),
        r#"{"bytes":[1,255],"id":"00000000-0000-0000-0000-000000000000","numbers":{"5":"x"},"pairs":{"[1, true]":null}}"#
    );
    let keys = session.get::<HashMap<String, char>>("numbers").unwrap().unwrap();
    assert_eq!(keys["5"], 'x', "as it is in JSON");
    let values = session.get::<HashMap<u32, u32>>("numbers").unwrap_err();
    assert_eq!(values.kind(), ErrorKind::Codec, "a text is no number");
}

#[derive(Debug, Deserialize, Serialize)]
struct Profile<T> {
    name: String,
    settings: Settings<T>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Settings<T> {
    plan: T,
}

fn profile<T>(plan: T) -> Profile<T> {
    Profile { name: "swordfish".into(), settings: Settings { plan } }
}

#[test]
fn an_error_names_the_key_the_field_and_the_types_and_no_value() {
    let session = World::new().open("");
    let error = |stored: &dyn Fn(), read: &dyn Fn() -> Option<session_core::Error>| {
        stored();
        let text = read().unwrap().to_string();
        assert!(text.starts_with("core: the value of \"profile\" cannot be "), "{text}");
        assert!(!text.contains("swordfish") && !text.contains("4711"), "{text}");
        text
    };
    let plan = error(&|| session.insert("profile", &profile(4711)).unwrap(), &|| {
        session.get::<Profile<String>>("profile").err()
    });
    assert!(
        plan.ends_with("field settings.plan: an integer is stored, expected a string"),
        "{plan}"
    );
    let stored = &|| session.insert("profile", &profile("swordfish")).unwrap();
    for (read, says) in [
        (session_error::<Profile<u8>> as fn(&ManagedSession) -> _, "a text is stored"),
        (session_error::<Profile<Uuid>>, "its own `Deserialize` refuses"),
        (session_error::<Profile<External<u8>>>, "an unknown variant is stored, expected one of"),
        (session_error::<Profile<Untagged<u8>>>, "its own `Deserialize` refuses"),
        (session_error::<Struct<u8>>, "field before is not stored"),
        (session_error::<Skipping<u8>>, "an unknown field is stored, expected one of part"),
        (session_error::<(u8, u8)>, "a map is stored"),
    ] {
        let text = error(stored, &|| read(&session));
        assert!(text.contains(says), "{text}");
    }
    let pair = error(&|| session.insert("profile", &("swordfish", 4711)).unwrap(), &|| {
        session.get::<(String, u16, u8)>("profile").err()
    });
    assert!(pair.contains("another number of elements is stored"), "{pair}");
    let pair = error(&|| session.insert("profile", &("swordfish", 4711)).unwrap(), &|| {
        session.get::<(String,)>("profile").err()
    });
    assert!(pair.contains("more elements are stored than expected"), "{pair}");
    let path = std::path::Path::new("swordfish");
    #[cfg(unix)]
    let path = path.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff"));
    #[cfg(unix)]
    error(&|| {}, &|| session.insert("profile", &path).err());
}

fn session_error<T: DeserializeOwned>(session: &ManagedSession) -> Option<session_core::Error> {
    session.get::<T>("profile").err()
}

#[test]
fn a_value_that_cannot_be_read_is_replaced_by_inserting_another() {
    let world = World::new();
    let session = world.open("");
    session.insert("profile", &profile(4711)).unwrap();
    let session = world.open(&cookie(finish(&session)));
    let update = session.update("profile", |old: Option<Profile<String>>| {
        old.unwrap_or_else(|| profile("new".into()))
    });
    assert_eq!(block_on(update).unwrap_err().kind(), ErrorKind::Codec);
    session.insert("profile", &profile("new")).unwrap();
    assert_eq!(session.get::<Profile<String>>("profile").unwrap().unwrap().settings.plan, "new");
    finish(&session);
}
