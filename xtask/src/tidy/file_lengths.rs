//! A file past the limit probably holds a second subject.

use std::collections::BTreeMap;

use super::sources::Source;

/// The most lines of a file that has no entry in `long_files`.
const LIMIT: usize = 500;

/// Files over the limit without an entry in `long_files`, and entries that no file needs.
pub(crate) fn findings(sources: &[Source], allowed: &BTreeMap<String, String>) -> Vec<String> {
    let is_long = |source: &&Source| source.text.lines().count() > LIMIT;
    let mut found: Vec<String> = sources
        .iter()
        .filter(is_long)
        .filter(|source| !allowed.contains_key(&source.path))
        .map(|source| {
            format!(
                "{}: {} lines, the limit is {LIMIT}: move its second subject to a file of its own, or give the \
                 reason under `long_files` in xtask/tidy.json",
                source.path,
                source.text.lines().count()
            )
        })
        .collect();
    for path in allowed.keys() {
        if !sources.iter().filter(is_long).any(|source| &source.path == path) {
            found.push(format!("xtask/tidy.json: `long_files` names {path}, which is not long: remove the entry"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, lines: usize) -> Source {
        Source { path: path.into(), text: "x\n".repeat(lines) }
    }

    #[test]
    fn the_limit_itself_is_allowed_and_one_more_is_not() {
        let found = findings(&[source("a.rs", LIMIT), source("b.rs", LIMIT + 1)], &BTreeMap::new());
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("b.rs: 501 lines"), "{}", found[0]);
    }

    #[test]
    fn an_entry_excuses_its_file_and_a_stale_entry_is_found() {
        let allowed = BTreeMap::from([("b.rs".to_owned(), "a table".to_owned())]);
        assert!(findings(&[source("b.rs", LIMIT + 1)], &allowed).is_empty());
        assert_eq!(findings(&[source("b.rs", 3)], &allowed).len(), 1);
    }
}
