//! What a run was asked for, by words of the cases' names.

use crate::case::{self, Case};
use crate::rollout::{self, Rollout};

/// The steps and the motions with all of these words in their names.
///
/// # Errors
/// There are none; the message names those that are.
pub(crate) fn cases(quick: bool, words: &[String]) -> Result<(Vec<Case>, Vec<Rollout>), String> {
    let (steps, motions) = (case::all(quick), rollout::all(quick));
    let found = (fitting(steps, words, Case::name), fitting(motions, words, Rollout::name));
    if found.0.is_empty() && found.1.is_empty() {
        return Err(none_fits(words, steps.iter().map(Case::name).chain(motions.iter().map(Rollout::name))));
    }
    Ok(found)
}

/// Those with all of these words in their names; × may be written x.
pub(crate) fn fitting<T: Copy>(all: &[T], words: &[String], name: impl Fn(&T) -> String) -> Vec<T> {
    let plain = |text: &str| text.to_lowercase().replace('×', "x");
    let fits = |one: &&T| words.iter().all(|word| plain(&name(one)).contains(&plain(word)));
    all.iter().filter(fits).copied().collect()
}

/// What to say of words that fit none of these names.
pub(crate) fn none_fits(words: &[String], names: impl Iterator<Item = String>) -> String {
    let (words, names) = (words.join("`, `"), names.collect::<Vec<_>>().join("; "));
    format!("no case has all of the words `{words}` in its name; the cases are: {names}")
}
