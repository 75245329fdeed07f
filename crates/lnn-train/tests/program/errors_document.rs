//! `docs/errors.md`: each message there is one that the program gives.

use std::path::Path;

/// The message that the document has for a fault, in its words for it.
pub(crate) fn documented(fault: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let text = std::fs::read_to_string(path).expect("the document is in the repository");
    let row = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| {fault} | ")))
        .unwrap_or_else(|| panic!("no row {fault}"));
    row.trim_end_matches(" |").trim_matches('`').to_owned()
}

/// Whether a message has the parts of the documented one, in their order; `…` stands for anything.
pub(crate) fn is_documented(message: &str, fault: &str) -> bool {
    let mut rest = message;
    documented(fault).split('…').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn a_message_with_another_place_is_not_the_documented_one() {
    let fault = "NaN or infinity";
    let message = documented(fault);
    assert!(message.starts_with("data.csv, line 3, column `q_dot1`"), "{message}");
    assert!(is_documented(&format!("error: {message}"), fault));
    assert!(!is_documented(&message.replace("line 3", "line 4"), fault));
}
