//! Random operations, found and shrunk by proptest; failures are kept in `model.regressions`.

use proptest::{prelude::*, test_runner::FileFailurePersistence};
use session_core::conformance::model;

use crate::memory::Memory;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct("tests/it/model.regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_operations_agrees_with_the_model(
        bytes in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        model::check::<Memory>(&bytes);
    }
}

#[test]
fn a_session_that_ends_its_request_empty_is_removed_though_it_was_to_be_renewed() {
    // Update, renew and clear in one request.
    model::check::<Memory>(&[0, 2, 0, 13, 2, 0, 16, 2, 0, 15, 2, 0, 4, 2]);
}

#[test]
fn an_update_that_would_change_nothing_is_confirmed_against_the_store() {
    // A counter is at its bound; one request sees it there, another one sets it back, and then the
    // first counts up to the bound.
    let counted = [0, 0, 0, 10, 0, 0, 2, 4, 0];
    let seen = [0, 0, 0, 0, 1, 0];
    let set_back = [10, 1, 0, 0, 4, 1];
    let count = [24, 0, 0];
    model::check::<Memory>(&[&counted[..], &seen, &set_back, &count].concat());
}
