//! Each source file says in its first line what it is.

use super::sources::Source;

/// Files without a `//!` line, or with an empty one.
pub(crate) fn findings(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| !has_header(&source.text))
        .map(|source| format!("{}: start the file with a `//!` line that says in a sentence what it is", source.path))
        .collect()
}

/// Whether the first line, blank lines and inner attributes aside, is a `//!` line with words on it.
fn has_header(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with("#!["))
        .and_then(|line| line.strip_prefix("//!"))
        .is_some_and(|words| words.chars().any(char::is_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_follow_blank_lines_and_inner_attributes() {
        for text in ["//! Dual numbers.\n", "\n\n//! Dual numbers.\nuse x;", "#![no_std]\n//! Dual numbers."] {
            assert!(has_header(text), "{text:?}");
        }
    }

    #[test]
    fn missing_late_and_empty_headers_are_found() {
        for text in ["", "use x;\n//! Late.", "/// Of the item below.\nfn f() {}", "//!\n//!", "// Plain.", "//! ---"] {
            assert!(!has_header(text), "{text:?}");
        }
    }

    #[test]
    fn the_finding_names_the_file_and_only_that_file() {
        let source = |path: &str, text: &str| Source { path: path.into(), text: text.into() };
        let found = findings(&[source("src/good.rs", "//! Good."), source("src/bad.rs", "fn f() {}")]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("src/bad.rs: "), "{}", found[0]);
    }
}
