//! What a run is asked for.

use cargo_metadata::Package;
use lexopt::{Arg, Parser, ValueExt as _};

use crate::benches;

/// The form and the parts of a run.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the command line")]
pub(crate) struct Plan<'a> {
    pub(crate) quick: bool,
    /// Nothing that was measured before is used.
    pub(crate) fresh: bool,
    /// No report: a table of the benchmarks of the named crates.
    pub(crate) only_crates: bool,
    /// Whose benchmarks are run.
    pub(crate) packages: Vec<&'a Package>,
    pub(crate) http: bool,
    pub(crate) scale: bool,
}

/// The words for the parts.
const PARTS: [&str; 3] = ["limits", "http", "scale"];

/// What a quick run is about unless parts are named: from a fresh clone, most of its time goes into
/// building.
const QUICK: &str = "http";

impl<'a> Plan<'a> {
    pub(crate) fn new(
        args: impl Iterator<Item = String>,
        packages: &'a [Package],
    ) -> Result<Self, String> {
        let with_benches: Vec<_> =
            packages.iter().filter(|package| benches(package).next().is_some()).collect();
        let (mut quick, mut fresh, mut named, mut parts) = (false, false, Vec::new(), Vec::new());
        let mut args = Parser::from_args(args);
        while let Some(arg) = args.next().map_err(|it| it.to_string())? {
            match arg {
                Arg::Long("quick") => quick = true,
                Arg::Long("fresh") => fresh = true,
                Arg::Value(name) => {
                    let name = name.string().map_err(|it| it.to_string())?;
                    if let Some(part) = PARTS.into_iter().find(|it| *it == name) {
                        parts.push(part);
                    } else if let Some(it) = with_benches.iter().find(|it| *it.name == *name) {
                        named.push(*it);
                    } else {
                        return Err(unknown(&name, &with_benches));
                    }
                }
                other => return Err(other.unexpected().to_string()),
            }
        }
        if !named.is_empty() && !parts.is_empty() {
            return Err("name parts of the report, or crates, but not both".to_owned());
        }
        let only_crates = !named.is_empty();
        if quick && parts.is_empty() && !only_crates {
            parts.push(QUICK);
        }
        let wants = |part| parts.contains(&part) || parts.is_empty() && !only_crates;
        let packages = if wants("limits") { with_benches } else { named };
        Ok(Self { quick, fresh, only_crates, packages, http: wants("http"), scale: wants("scale") })
    }

    /// How often every server is asked for every handler, in turns.
    pub(crate) fn rounds(&self) -> u32 {
        if self.quick { 1 } else { 3 }
    }

    /// How many sessions the stores have.
    pub(crate) fn sizes(&self) -> &'static [u64] {
        const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
        if self.quick { &SIZES[..2] } else { &SIZES }
    }

    /// The words that ask for this form.
    pub(crate) fn command(&self) -> &'static str {
        if self.quick { "cargo xtask bench --quick" } else { "cargo xtask bench" }
    }
}

fn unknown(name: &str, with_benches: &[&Package]) -> String {
    let crates: Vec<_> = with_benches.iter().map(|it| it.name.as_str()).collect();
    format!(
        "`{name}` is neither a part, which are {}, nor a crate with benchmarks, which are {}",
        PARTS.join(", "),
        crates.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use cargo_metadata::Package;
    use serde_json::json;

    use super::Plan;

    fn packages() -> Vec<Package> {
        let package = |name: &str, kind: &str| {
            let target = json!({"name": "x", "kind": [kind], "src_path": "x.rs"});
            serde_json::from_value(json!({
                "name": name, "version": "0.1.0", "id": name, "dependencies": [], "features": {},
                "manifest_path": "Cargo.toml", "targets": [target],
            }))
            .expect("a package")
        };
        vec![package("one", "bench"), package("two", "bench"), package("none", "lib")]
    }

    /// Whether only crates are measured, how many, and whether servers and scale are.
    fn plan(args: &[&str]) -> Result<(bool, usize, bool, bool), String> {
        let packages = packages();
        let plan = Plan::new(args.iter().map(|arg| (*arg).to_owned()), &packages)?;
        Ok((plan.only_crates, plan.packages.len(), plan.http, plan.scale))
    }

    #[test]
    fn nothing_named_is_everything() {
        assert_eq!(plan(&[]), Ok((false, 2, true, true)));
    }

    #[test]
    fn a_quick_run_asks_servers_alone_unless_other_parts_are_named() {
        assert_eq!(plan(&["--quick", "--fresh"]), Ok((false, 0, true, false)));
        assert_eq!(plan(&["--quick", "limits", "scale"]), Ok((false, 2, false, true)));
    }

    #[test]
    fn parts_and_crates_are_named() {
        assert_eq!(plan(&["two", "--quick"]), Ok((true, 1, false, false)));
        assert_eq!(plan(&["http"]), Ok((false, 0, true, false)));
        assert_eq!(plan(&["scale", "limits"]), Ok((false, 2, false, true)));
    }

    #[test]
    fn a_word_nobody_knows_is_an_error() {
        for args in [&["none"][..], &["--slow"], &["one", "http"]] {
            assert!(plan(args).is_err(), "{args:?}");
        }
    }
}
