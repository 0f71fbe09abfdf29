//! Values of one release read by another, in both directions.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use session_core::{ErrorKind, ManagedSession};

use crate::world::{World, cookie, finish};

/// What a server of another release finds of a value.
fn meets<T: DeserializeOwned>(value: &impl Serialize) -> session_core::Result<T> {
    let session = stored(value);
    session.get("value").map(Option::unwrap)
}

/// A session that has `value`, opened by a later request.
fn stored(value: &impl Serialize) -> ManagedSession {
    let world = World::new();
    let session = world.open("");
    session.insert("value", value).unwrap();
    world.open(&cookie(finish(&session)))
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Old {
    name: String,
    plan: u8,
}

fn old() -> Old {
    Old { name: "ada".into(), plan: 3 }
}

#[test]
fn a_field_that_was_added_has_its_default_and_is_passed_over_before() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct New {
        #[serde(default)]
        theme: Option<String>,
        plan: u8,
        name: String,
    }
    let new = New { theme: None, plan: 3, name: "ada".into() };
    assert_eq!(meets::<New>(&old()).unwrap(), new);
    let new = New { theme: Some("dark".into()), ..new };
    assert_eq!(meets::<Old>(&new).unwrap(), old());
}

#[test]
fn a_field_is_removed_once_the_release_before_has_a_default_for_it() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Between {
        name: String,
        #[serde(default)]
        plan: u8,
    }
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct New {
        name: String,
    }
    let new = New { name: "ada".into() };
    assert_eq!(meets::<New>(&old()).unwrap(), new);
    assert_eq!(meets::<Between>(&new).unwrap(), Between { name: "ada".into(), plan: 0 });
    let error = meets::<Old>(&new).unwrap_err();
    assert!(error.to_string().ends_with("field plan is not stored"), "{error}");
}

#[test]
fn a_field_is_renamed_once_the_release_before_knows_the_new_name() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Between {
        name: String,
        #[serde(alias = "tariff")]
        plan: u8,
    }
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct New {
        name: String,
        #[serde(alias = "plan")]
        tariff: u8,
    }
    let new = New { name: "ada".into(), tariff: 3 };
    assert_eq!(meets::<New>(&old()).unwrap(), new);
    assert_eq!(meets::<Between>(&new).unwrap(), Between { name: "ada".into(), plan: 3 });
    assert_eq!(meets::<Old>(&new).unwrap_err().kind(), ErrorKind::Codec);
}

#[test]
fn an_integer_is_widened_and_a_field_made_optional() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct New {
        name: Option<String>,
        plan: u64,
    }
    let new = |plan| New { name: Some("ada".into()), plan };
    assert_eq!(meets::<New>(&old()).unwrap(), new(3));
    assert_eq!(meets::<Old>(&new(3)).unwrap(), old());
    assert_eq!(meets::<Old>(&new(300)).unwrap_err().kind(), ErrorKind::Codec, "it does not fit");
    let error = meets::<Old>(&New { name: None, plan: 3 }).unwrap_err();
    assert!(error.to_string().contains("field name: nothing is stored"), "{error}");
}

#[test]
fn a_variant_that_was_added_is_another_one_before() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(tag = "kind")]
    enum Before {
        Free,
        Paid {
            until: u32,
        },
        #[serde(other)]
        Unknown,
    }
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(tag = "kind")]
    enum After {
        Free,
        Paid { until: u32 },
        Trial { days: u8 },
    }
    assert_eq!(meets::<After>(&Before::Free).unwrap(), After::Free);
    assert_eq!(meets::<After>(&Before::Paid { until: 7 }).unwrap(), After::Paid { until: 7 });
    assert_eq!(meets::<Before>(&After::Paid { until: 7 }).unwrap(), Before::Paid { until: 7 });
    assert_eq!(meets::<Before>(&After::Trial { days: 7 }).unwrap(), Before::Unknown);
}

#[test]
fn order_and_name_of_a_struct_do_not_matter() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Account {
        plan: u8,
        name: String,
    }
    let account = Account { plan: 3, name: "ada".into() };
    assert_eq!(meets::<Account>(&old()).unwrap(), account);
    assert_eq!(meets::<Old>(&account).unwrap(), old());
}

#[test]
fn a_type_of_both_meanings_reads_either() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(untagged)]
    enum Plan {
        Name(String),
        Number(u8),
    }
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct New {
        name: String,
        plan: Plan,
    }
    let new = |plan| New { name: "ada".into(), plan };
    assert_eq!(meets::<New>(&old()).unwrap(), new(Plan::Number(3)));
    assert_eq!(
        meets::<New>(&new(Plan::Name("pro".into()))).unwrap(),
        new(Plan::Name("pro".into()))
    );
    assert_eq!(meets::<Old>(&new(Plan::Number(3))).unwrap(), old(), "written in the old form");
}

#[test]
fn what_cannot_be_read_starts_over_where_that_is_asked_for() {
    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct New {
        name: String,
        plan: String,
    }
    let new = || New { name: "ada".into(), plan: "pro".into() };
    let session = stored(&old());
    let update = session.update("value", |found: Option<New>| found.unwrap_or_else(new));
    assert_eq!(crate::memory::block_on(update).unwrap_err().kind(), ErrorKind::Codec);
    assert_eq!(session.get::<Old>("value").unwrap(), Some(old()), "it stays as it is");
    let update = session.update_or_reset("value", |found: Option<New>| {
        assert_eq!(found, None);
        new()
    });
    assert_eq!(crate::memory::block_on(update).unwrap(), new());
    let session = stored(&old());
    session.insert("value", &new()).unwrap();
    assert_eq!(session.get::<New>("value").unwrap(), Some(new()));
    finish(&session);
    assert!(stored(&old()).remove("value").unwrap());
}
