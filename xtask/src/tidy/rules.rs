//! `xtask/tidy.json`: the rules that are data.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use crate::cargo;
use crate::error::TaskError;

/// What each crate may use, and which files may be long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// By crate: the packages it may depend on directly.
    pub(crate) dependencies: BTreeMap<String, BTreeSet<String>>,
    /// By crate: the packages that only its tests, examples and benchmarks may use as well.
    pub(crate) dev_dependencies: BTreeMap<String, BTreeSet<String>>,
    /// By crate: the packages that must not be linked into it, however indirectly.
    pub(crate) never_linked: BTreeMap<String, BTreeSet<String>>,
    /// By path from the root: why this file is over the limit.
    pub(crate) long_files: BTreeMap<String, String>,
}

impl Rules {
    /// Reads `xtask/tidy.json`.
    pub(crate) fn load() -> Result<Self, TaskError> {
        let path = cargo::root().join("xtask/tidy.json");
        let text = fs::read_to_string(&path).map_err(|source| TaskError::Read { path, source })?;
        Self::parse(&text)
    }

    /// Reads the rules from JSON text.
    pub(crate) fn parse(text: &str) -> Result<Self, TaskError> {
        let format = |expected: String| TaskError::Format { origin: "xtask/tidy.json".into(), expected };
        let value: Value = serde_json::from_str(text).map_err(|error| format(format!("JSON ({error})")))?;
        let table = |key: &str| {
            let entries = value[key].as_object();
            entries.ok_or_else(|| format(format!("an object `{key}`")))
        };
        let names = |key: &str| -> Result<BTreeMap<String, BTreeSet<String>>, TaskError> {
            table(key)?
                .iter()
                .map(|(owner, list)| {
                    let list = list.as_array().and_then(|list| {
                        list.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<BTreeSet<_>>>()
                    });
                    let list = list.ok_or_else(|| format(format!("a list of names at `{key}.{owner}`")))?;
                    Ok((owner.clone(), list))
                })
                .collect()
        };
        let dependencies = names("dependencies")?;
        let dev_dependencies = names("dev_dependencies")?;
        let never_linked = names("never_linked")?;
        let long_files = table("long_files")?
            .iter()
            .map(|(file, reason)| match reason.as_str() {
                Some(reason) if !reason.trim().is_empty() => Ok((file.clone(), reason.to_owned())),
                _ => Err(format(format!("the reason, as text, at `long_files.{file}`"))),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { dependencies, dev_dependencies, never_linked, long_files })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_rules_are_readable() {
        let rules = Rules::load().expect("xtask/tidy.json is part of the repository");
        assert!(rules.dependencies["lnn-physics"].contains("lnn-autodiff"));
    }

    #[test]
    fn each_malformed_rule_is_named() {
        for (text, named) in [
            ("[", "JSON"),
            (r#"{"dependencies": []}"#, "`dependencies`"),
            (r#"{"dependencies": {"a": "b"}}"#, "`dependencies.a`"),
            (
                r#"{"dependencies": {}, "dev_dependencies": {}, "never_linked": {}, "long_files": {"f": ""}}"#,
                "`long_files.f`",
            ),
        ] {
            let message = Rules::parse(text).expect_err("malformed").to_string();
            assert!(message.contains(named), "{text}: {message}");
        }
    }
}
