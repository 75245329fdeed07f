//! What a model's inputs are called.

use std::path::Path;

use lnn_train::store::ModelHeader;

use super::error::CommandError;

/// Names of a model's conditionals: those `given`, or those that its file knows.
pub(super) fn conditional_names(
    path: &Path,
    header: &ModelHeader,
    given: Option<&[String]>,
) -> Result<Vec<String>, CommandError> {
    let labels = &header.conditional_labels;
    let known = || {
        if !labels.is_empty() {
            return Some(labels.iter().map(|label| label.name.clone()).collect());
        }
        let system = header.system.as_ref()?.build().ok()?;
        Some(system.conditionals().iter().map(|one| one.name.to_owned()).collect::<Vec<_>>())
    };
    let names = match given {
        Some(given) => given.to_vec(),
        None => known().unwrap_or_default(),
    };
    if names.len() == header.conditionals {
        return Ok(names);
    }
    Err(CommandError::ConditionalNames { path: path.to_owned(), given: names, expected: header.conditionals })
}
