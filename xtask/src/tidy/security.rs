//! What `SECURITY.md` claims is shown by tests.

use super::{Rule, tree::Tree};

const PAGE: &str = "SECURITY.md";
/// The head of the column that names them.
const COLUMN: &str = "shown by";

#[test]
fn every_claim_about_security_names_a_test_that_is_there() {
    let page = "| against | shown by |\n| --- | --- |\n| guessing | `guesses_are_refused` |\n";
    let test = ("core/tests/it/guess.rs", "#[test]\nfn guesses_are_refused() {}\n");
    Rule {
        reason: "a claim nobody can check is a promise of somebody else's",
        find: |tree| {
            let claims = claims(tree.text(PAGE));
            let mut offences = Vec::new();
            if claims.is_empty() {
                offences.push(format!("{PAGE} has no table with a column `{COLUMN}`"));
            }
            for (claim, tests) in claims {
                if tests.is_empty() {
                    offences.push(format!("{PAGE}, {claim}: no test is named"));
                }
                let gone = tests.into_iter().filter(|name| !is_a_test(tree, name));
                offences.extend(gone.map(|name| format!("{PAGE}, {claim}: no test `{name}`")));
            }
            offences
        },
    }
    .catches(&[(PAGE, "No table.")])
    .catches(&[(PAGE, page)])
    .catches(&[(PAGE, page), (test.0, "fn guesses_are_refused() {}\n")])
    .catches(&[(PAGE, "| against | shown by |\n| --- | --- |\n| guessing | trust us |\n"), test])
    .allows(&[(PAGE, page), test])
    .holds();
}

/// The first cell of every row of such a table, and the tests its last cell names. A row of a dash
/// claims nothing.
fn claims(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut claims = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        match (line.starts_with('|'), cells.first(), cells.last()) {
            (true, Some(_), Some(&COLUMN)) => inside = true,
            (true, Some(claim), Some(last)) if inside && !last.starts_with('-') => {
                claims.push((*claim, last.split('`').skip(1).step_by(2).collect()));
            }
            (true, ..) => {}
            _ => inside = false,
        }
    }
    claims
}

/// Whether a function of this name is a test.
fn is_a_test(tree: &Tree, name: &str) -> bool {
    let called = format!("{name}(");
    tree.ending(".rs").any(|file| {
        // What follows the attribute, up to the end of the next head of a function.
        let mut tests = file.text.split("test]\n").skip(1);
        tests.any(|test| test.split("fn ").nth(1).is_some_and(|it| it.starts_with(&called)))
    })
}
