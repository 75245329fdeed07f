//! What can be wrong with a configuration, in words for the person who wrote it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::nearest::suggestion;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The text is not RON, or does not have the configuration's shape.
    #[error("{0}")]
    Syntax(Box<SyntaxError>),
    /// The text is well formed but its values make no sense; all problems at once.
    #[error("{}", problem_list(origin, problems))]
    Invalid {
        /// File or preset that the configuration came from.
        origin: String,
        /// Every problem found, in the order of the fields.
        problems: Vec<Problem>,
    },
    /// A name from a closed set (experiment, preset, model) that is not in the set.
    #[error("there is no {what} named `{given}`; {}", suggestion(given, valid.iter().map(String::as_str)))]
    UnknownName {
        /// Kind of name: `experiment`, `preset`, `model`.
        what: &'static str,
        /// The name asked for.
        given: String,
        /// The names that exist.
        valid: Vec<String>,
    },
    /// The configuration cannot be written as RON.
    #[error("the configuration cannot be written as RON: {0}")]
    Write(#[from] ron::Error),
}

impl ConfigError {
    /// The error for a `given` name outside the closed set `valid` of names of kind `what`.
    pub fn unknown_name<'a>(what: &'static str, given: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        Self::UnknownName { what, given: given.to_owned(), valid: valid.into_iter().map(str::to_owned).collect() }
    }
}

/// One value that makes no sense: where it is, what it is, what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, for example `models.lnn.training.batch`.
    pub field: String,
    /// The value given, as text.
    pub given: String,
    /// What would be accepted.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, given, expected } = self;
        write!(f, "{field} is {given}; expected {expected}")
    }
}

fn problem_list(origin: &str, problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => format!("the configuration from {origin} has a value that cannot be used:"),
        n => format!("the configuration from {origin} has {n} values that cannot be used:"),
    };
    for problem in problems {
        text.push_str("\n  ");
        text.push_str(&problem.to_string());
    }
    text
}

/// Where a RON text stops making sense, with the source line and a caret under the spot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// File name, or words that say where the text came from.
    pub origin: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Number of characters to mark, at least 1.
    pub width: usize,
    /// What is wrong and what was expected.
    pub message: String,
    /// The whole source line.
    pub source_line: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, line, column, width, message, source_line } = self;
        writeln!(f, "{origin}, line {line}, column {column}: {message}")?;
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        // Tabs are shown as one space so that the caret stands under its character on every terminal.
        let shown: String = source_line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
        writeln!(f, "  {gutter} |")?;
        writeln!(f, "  {number} | {}", shown.trim_end())?;
        write!(f, "  {gutter} | {}{}", " ".repeat(column - 1), "^".repeat(*width))
    }
}

impl From<SyntaxError> for ConfigError {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(Box::new(error))
    }
}
