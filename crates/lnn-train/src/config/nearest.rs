//! The valid name nearest to a mistyped one, for "did you mean" in every error that refuses a name.

/// Names whose Jaro–Winkler similarity is below this are not worth suggesting.
const SIMILAR: f64 = 0.84;

/// The candidate most like `name`, or `None` if no candidate is close.
///
/// Case, `-` and `_` do not count. A candidate is close if at most a third of its letters differ
/// (Damerau–Levenshtein distance: insertions, deletions, substitutions, exchanged neighbours) or if its
/// Jaro–Winkler similarity is at least 0.84, which also catches a name cut short. Among close candidates
/// the smallest distance wins, then the largest similarity, then the first.
///
/// ```
/// # use lnn_train::config::nearest;
/// assert_eq!(nearest("dblpendulum", ["dblpend", "wave"]), Some("dblpend"));
/// assert_eq!(nearest("xyzzy", ["dblpend", "wave"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = folded(name);
    if given.is_empty() {
        return None;
    }
    let mut best: Option<(usize, f64, &'a str)> = None;
    for candidate in candidates {
        let known = folded(candidate);
        let distance = strsim::damerau_levenshtein(&given, &known);
        let similarity = strsim::jaro_winkler(&given, &known);
        let letters = given.chars().count().max(known.chars().count());
        if 3 * distance > letters && similarity < SIMILAR {
            continue;
        }
        let better = best.is_none_or(|(least, most, _)| distance < least || (distance == least && similarity > most));
        if better {
            best = Some((distance, similarity, candidate));
        }
    }
    best.map(|(_, _, candidate)| candidate)
}

/// Ends an error message: `; did you mean x?` if a candidate is close, and all valid names.
pub(crate) fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let valid = candidates.clone().into_iter().map(|candidate| format!("`{candidate}`")).collect::<Vec<_>>().join(", ");
    match nearest(name, candidates) {
        Some(close) => format!("did you mean `{close}`? Valid names: {valid}"),
        None if valid.is_empty() => "there is no valid name here".to_owned(),
        None => format!("valid names: {valid}"),
    }
}

fn folded(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 5] = ["hidden", "activation", "residual_mass", "batch", "steps"];

    #[test]
    fn finds_one_slip_of_each_kind() {
        for (given, meant) in [
            ("hiden", "hidden"),                // left out
            ("hiddden", "hidden"),              // doubled
            ("hiddan", "hidden"),               // wrong letter
            ("bacth", "batch"),                 // exchanged
            ("Residual-Mass", "residual_mass"), // other convention
            ("residual", "residual_mass"),      // cut short
        ] {
            assert_eq!(nearest(given, FIELDS), Some(meant), "{given}");
        }
    }

    #[test]
    fn refuses_what_is_far() {
        assert_eq!(nearest("momentum", FIELDS), None);
        assert_eq!(nearest("", FIELDS), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn the_closest_wins_over_the_first() {
        assert_eq!(nearest("relu3", ["relu", "relu2", "relu3"]), Some("relu3"));
        assert_eq!(nearest("relu4", ["silu", "relu2", "tanh"]), Some("relu2"));
    }

    #[test]
    fn a_suggestion_lists_the_valid_names() {
        let text = suggestion("fst", ["fast", "best"]);
        assert_eq!(text, "did you mean `fast`? Valid names: `fast`, `best`");
        let text = suggestion("quick", ["fast", "best"]);
        assert_eq!(text, "valid names: `fast`, `best`");
    }
}
