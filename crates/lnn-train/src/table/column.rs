//! The name of a column, and the unit that a person may put behind it.

use std::fmt;

/// A column's name and unit, written `q0 [rad]` in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name, such as `q_dot0`; empty for a column without one, which can be asked for by its number only.
    pub name: String,
    /// Unit in the person's own words; a label, nothing is converted by it.
    pub unit: Option<String>,
}

impl Column {
    /// A column without a unit.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), unit: None }
    }

    /// Name and unit of `q0 [rad]`; spaces around either do not count.
    ///
    /// ```
    /// # use lnn_train::table::Column;
    /// let column = Column::parse(" q0 [rad]");
    /// assert_eq!((column.name.as_str(), column.unit.as_deref()), ("q0", Some("rad")));
    /// assert_eq!(Column::parse("t"), Column::named("t"));
    /// ```
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let parts = text.strip_suffix(']').and_then(|rest| rest.split_once('['));
        match parts {
            Some((name, unit)) if !name.trim().is_empty() => {
                let unit = unit.trim();
                Self { name: name.trim().to_owned(), unit: (!unit.is_empty()).then(|| unit.to_owned()) }
            }
            _ => Self::named(text),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unit {
            None => f.write_str(&self.name),
            Some(unit) => write!(f, "{} [{unit}]", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["q0", "q0 [rad]", "force [N m/s]", "[rad]", "a]", ""] {
            assert_eq!(Column::parse(text).to_string(), text);
        }
        assert_eq!(Column::parse("x[m]"), Column { name: "x".to_owned(), unit: Some("m".to_owned()) });
        assert_eq!(Column::parse("x [ ]"), Column::named("x"));
    }
}
