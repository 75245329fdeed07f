//! Who may know whom: each crate's dependencies against the rules.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rules::Rules;
use crate::cargo;
use crate::error::TaskError;

/// Breaches of the dependency rules in the workspace.
pub(crate) fn findings(rules: &Rules) -> Result<Vec<String>, TaskError> {
    let mut found = direct(&cargo::metadata()?, rules);
    for (package, barred) in &rules.never_linked {
        let mut command =
            cargo::cargo(&["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        found.extend(linked(package, &cargo::output(&mut command)?, barred));
    }
    Ok(found)
}

/// Dependencies that a crate declares without being allowed to, crates that have no rule, and rules
/// that have no crate.
fn direct(metadata: &Value, rules: &Rules) -> Vec<String> {
    let mut found = Vec::new();
    let mut members = BTreeSet::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        members.insert(name);
        let Some(allowed) = rules.dependencies.get(name) else {
            found.push(format!("{name}: not in `dependencies` of xtask/tidy.json: list there what it may use"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            let for_tests = dependency["kind"] == "dev";
            let allowed_for_tests = rules.dev_dependencies.get(name).is_some_and(|list| list.contains(used));
            if allowed.contains(used) || (for_tests && allowed_for_tests) {
                continue;
            }
            let table = if for_tests { "dev_dependencies" } else { "dependencies" };
            found.push(format!(
                "{name}: must not use `{used}`: remove it from {name}'s Cargo.toml, or change the design first and \
                 then `{table}.{name}` in xtask/tidy.json"
            ));
        }
    }
    let ruled = rules.dependencies.keys().chain(rules.dev_dependencies.keys()).chain(rules.never_linked.keys());
    for name in ruled.collect::<BTreeSet<_>>() {
        if !members.contains(name.as_str()) {
            found.push(format!("xtask/tidy.json: there is no crate `{name}` in the workspace: remove its rules"));
        }
    }
    found
}

/// Barred packages in the list of all that is linked into a crate, one `name vVERSION …` a line.
fn linked(package: &str, tree: &str, barred: &BTreeSet<String>) -> Vec<String> {
    let linked: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    barred
        .iter()
        .filter(|name| linked.contains(name.as_str()))
        .map(|name| {
            format!(
                "{package}: links `{name}`, which belongs elsewhere: `cargo tree --package {package} --edges normal \
                 --invert {name}` shows by which way; switch that feature off"
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::parse(
            r#"{ "dependencies": { "core": ["faer"], "app": ["core", "serde"] },
                 "dev_dependencies": { "core": ["proptest"] }, "never_linked": {}, "long_files": {} }"#,
        )
        .expect("well-formed")
    }

    fn workspace(core: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<Value> =
            core.iter().map(|(name, kind)| serde_json::json!({ "name": name, "kind": kind })).collect();
        serde_json::json!({ "packages": [
            { "name": "core", "dependencies": dependencies },
            { "name": "app", "dependencies": [{ "name": "core", "kind": null }, { "name": "serde", "kind": null }] },
        ]})
    }

    #[test]
    fn what_is_allowed_passes() {
        let found = direct(&workspace(&[("faer", None), ("faer", Some("dev")), ("proptest", Some("dev"))]), &rules());
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn what_is_not_allowed_is_found_by_crate_and_kind() {
        for (dependency, kind) in [("serde", None), ("app", None), ("proptest", None), ("proptest", Some("build"))] {
            let found = direct(&workspace(&[(dependency, kind)]), &rules());
            assert_eq!(found.len(), 1, "{dependency} {kind:?}: {found:?}");
            assert!(found[0].starts_with(&format!("core: must not use `{dependency}`")), "{}", found[0]);
            assert!(found[0].contains("`dependencies.core`"), "{}", found[0]);
        }
        let found = direct(&workspace(&[("criterion", Some("dev"))]), &rules());
        assert!(found.len() == 1 && found[0].contains("`dev_dependencies.core`"), "{found:?}");
    }

    #[test]
    fn a_crate_without_rules_and_rules_without_a_crate_are_found() {
        let metadata = serde_json::json!({ "packages": [{ "name": "new", "dependencies": [] }] });
        let found = direct(&metadata, &rules());
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("new: "));
        assert!(found[1].contains("`app`") && found[2].contains("`core`"), "{found:?}");
    }

    #[test]
    fn an_indirectly_linked_package_is_found_by_its_whole_name() {
        let barred = BTreeSet::from(["serde".to_owned(), "clap".to_owned()]);
        let tree = "core v0.1.0 (/x)\nfaer v0.24.0\nserde_core v1.0.0\n";
        assert!(linked("core", tree, &barred).is_empty());
        let found = linked("core", &format!("{tree}serde v1.0.0 (*)\n"), &barred);
        assert!(found.len() == 1 && found[0].contains("`serde`"), "{found:?}");
    }
}
