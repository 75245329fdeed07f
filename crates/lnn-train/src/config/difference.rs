//! The fields in which two configurations differ.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::experiment::ExperimentConfig;

/// One field that differs between two configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Path of the field, for example `models.lnn.training.steps`.
    pub field: String,
    /// Value in the first configuration, or `none`.
    pub left: String,
    /// Value in the second configuration, or `none`.
    pub right: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.field, self.left, self.right)
    }
}

/// Every field that influences results and differs, in the order of the field names.
///
/// # Errors
/// If a configuration has no JSON form, which no value of this type lacks.
pub fn differences(left: &ExperimentConfig, right: &ExperimentConfig) -> Result<Vec<Difference>, serde_json::Error> {
    value_differences(&left.canonical(), &right.canonical())
}

/// Every field that differs between two configurations of any kind.
pub(crate) fn value_differences<T: Serialize>(left: &T, right: &T) -> Result<Vec<Difference>, serde_json::Error> {
    let mut found = Vec::new();
    compare("", &tree(left)?, &tree(right)?, &mut found);
    Ok(found)
}

fn tree(config: &impl Serialize) -> Result<Value, serde_json::Error> {
    serde_json::to_value(config)
}

fn compare(path: &str, left: &Value, right: &Value, found: &mut Vec<Difference>) {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) if !other_variant(a, b) => {
            for (name, value) in a {
                compare(&join(path, name), value, b.get(name).unwrap_or(&ABSENT), found);
            }
            for (name, value) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                compare(&join(path, name), &ABSENT, value, found);
            }
        }
        _ if left == right => {}
        _ => found.push(Difference { field: path.to_owned(), left: shown(left), right: shown(right) }),
    }
}

/// Stands for a field that one side lacks; the same as an optional value that is not given.
const ABSENT: Value = Value::Null;

/// Two enum values with fields appear as objects with one key each, the variant; different variants are
/// compared as wholes, which reads better than two absent halves.
fn other_variant(a: &serde_json::Map<String, Value>, b: &serde_json::Map<String, Value>) -> bool {
    let variant = |map: &serde_json::Map<String, Value>| match map.keys().next() {
        Some(key) if map.len() == 1 && key.starts_with(|c: char| c.is_ascii_uppercase()) => Some(key.clone()),
        _ => None,
    };
    matches!((variant(a), variant(b)), (Some(one), Some(other)) if one != other)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(_) => {
            let text = value.to_string();
            if text.chars().count() <= LONGEST {
                text
            } else {
                format!("{}…", text.chars().take(LONGEST).collect::<String>())
            }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Initialisation;
    use super::super::presets::{self, BASELINE, LNN};
    use super::*;

    #[test]
    fn equal_configurations_have_none_and_checkpoint_timing_does_not_count() {
        let left = presets::fast();
        let right = ExperimentConfig { checkpoint_every_seconds: 1.0, ..left.clone() };
        assert_eq!(differences(&left, &right).expect("plain data"), []);
        assert_eq!(left.fingerprint().expect("plain"), right.fingerprint().expect("plain"));
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        let left = presets::fast();
        let mut right = left.clone();
        right.seed = 7;
        right.models.remove(BASELINE);
        let lnn = right.models.get_mut(LNN).expect("present");
        lnn.hidden = vec![32, 32];
        lnn.initialisation = Initialisation::Paper;
        lnn.features.velocity_scale = 1.0;
        let found = differences(&left, &right).expect("plain data");
        let lines: Vec<_> = found.iter().map(|d| d.field.as_str()).collect();
        assert_eq!(
            lines,
            [
                "models.baseline",
                "models.lnn.features.velocity_scale",
                "models.lnn.hidden",
                "models.lnn.initialisation",
                "seed"
            ]
        );
        assert_eq!(found[4].to_string(), "seed: 0 → 7");
        assert_eq!(found[2].to_string(), "models.lnn.hidden: [64,64,64] → [32,32]");
        assert_eq!(found[0].right, "none");
        assert_ne!(left.fingerprint().expect("plain"), right.fingerprint().expect("plain"));
    }
}
