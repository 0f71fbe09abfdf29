//! The docs of the traits and the conformance suite name the same rules.

use std::collections::BTreeSet;

use super::{Rule, tree::Tree};

const DOCS: &[&str] = &["session-core/src/manager.rs", "session-core/src/abilities.rs"];
const SUITE: &str = "session-core/src/conformance/mod.rs";

#[test]
fn every_rule_in_the_docs_is_a_check_and_every_check_is_a_rule() {
    let suite = "macro_rules! __conformance_checks { { $harness, base, one_holds two_holds } }";
    Rule {
        reason: "a rule without a check is a wish, and a check without a rule cannot be known",
        find: |tree| {
            let (named, checks) = (named(tree), checks(tree));
            let unknown = named
                .difference(&checks)
                .map(|name| format!("the docs name the check `{name}`, which is not in {SUITE}"));
            let silent = checks
                .difference(&named)
                .map(|name| format!("the check `{name}` is named in no docs of {DOCS:?}"));
            unknown.chain(silent).collect()
        },
    }
    .catches(&[(DOCS[0], "/// - One. (`one_holds`)"), (SUITE, suite)])
    .catches(&[(DOCS[0], "/// (`one_holds`, `two_holds`, `three_holds`)"), (SUITE, suite)])
    .allows(&[
        (DOCS[0], "/// - One holds (or `not`).\n    ///   (`one_holds`,\n    /// `two_holds`)"),
        (SUITE, suite),
    ])
    .holds();
}

/// Checks named in the docs: code in brackets, nothing else between them.
fn named(tree: &Tree) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in DOCS.iter().filter_map(|path| tree.file(path)) {
        let docs: Vec<_> =
            file.text.lines().filter_map(|line| line.trim_start().strip_prefix("///")).collect();
        let docs = docs.join(" ");
        for rest in docs.split("(`").skip(1) {
            let Some((list, _)) = rest.split_once("`)") else { continue };
            let list: Vec<_> = list.split('`').step_by(2).collect();
            let is_name = |it: &&str| it.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
            if list.iter().all(is_name) {
                names.extend(list.into_iter().map(str::to_owned));
            }
        }
    }
    names
}

/// Checks in the one list of all.
fn checks(tree: &Tree) -> BTreeSet<String> {
    let text = tree.text(SUITE);
    let list = text.split("macro_rules! __conformance_checks").nth(1).unwrap_or_default();
    let list = list.split("\n}\n").next().unwrap_or_default();
    let groups = list.split("{ $harness, ").skip(1);
    groups
        .filter_map(|group| group.split('}').next()?.split_once(','))
        .flat_map(|(_, checks)| checks.split_whitespace())
        .map(str::to_owned)
        .collect()
}
