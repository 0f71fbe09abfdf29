//! The repository's own rules, each of them a test with its reason in the text of its failure.
//!
//! A rule looks at the files as text. Its test first shows it an offence made up for the purpose,
//! because a rule that was never seen failing proves nothing, and then the repository. What clippy
//! and cargo-deny can enforce stands in `clippy.toml` and `deny.toml`.

mod checks;
mod documents;
mod packages;
mod readmes;
mod security;
mod sources;
mod tree;

use self::tree::Tree;

/// A rule: why it is there, and what finds offences against it.
struct Rule {
    reason: &'static str,
    find: fn(&Tree) -> Vec<String>,
}

impl Rule {
    /// The rule finds an offence in these made-up files.
    #[track_caller]
    fn catches(self, files: &[(&str, &str)]) -> Self {
        let found = (self.find)(&Tree::made_up(files));
        assert!(!found.is_empty(), "the rule does not catch what it is for");
        self
    }

    /// The rule finds nothing in these made-up files.
    #[track_caller]
    fn allows(self, files: &[(&str, &str)]) -> Self {
        let found = (self.find)(&Tree::made_up(files));
        assert!(found.is_empty(), "the rule catches what it is not for: {found:?}");
        self
    }

    /// The repository keeps the rule.
    #[track_caller]
    fn holds(self) {
        let found = (self.find)(&Tree::of_the_repository());
        let (found, why) = (found.join("\n"), self.reason);
        assert!(found.is_empty(), "{found}\n\nThe rule is there because {why}.\n");
    }
}
