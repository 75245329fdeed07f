//! Configuration ↔ RON text, with errors that show the line and the nearest valid name.

use std::fs;
use std::path::Path;

use ron::extensions::Extensions;
use ron::ser::PrettyConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{ConfigError, SyntaxError};
use super::experiment::ExperimentConfig;
use super::nearest::suggestion;
use super::validation::Validated;

impl ExperimentConfig {
    /// Reads and validates a configuration file.
    ///
    /// # Errors
    /// The file cannot be read, is not RON, has unknown fields, or holds values that cannot be used.
    pub fn read(path: &Path) -> Result<Validated, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let origin = path.display().to_string();
        Self::from_ron(&text, &origin)?.validate().map_err(|problems| ConfigError::Invalid { origin, problems })
    }

    /// Parses RON text without judging the values; `origin` names the text in errors.
    ///
    /// # Errors
    /// [`ConfigError::Syntax`] with line, column, the source line and what was expected.
    pub fn from_ron(text: &str, origin: &str) -> Result<Self, ConfigError> {
        from_ron(text, origin).map_err(ConfigError::from)
    }

    /// Pretty RON text with every field written out, in the order of the declaration.
    ///
    /// # Errors
    /// [`ConfigError::Write`] if the serialiser refuses, which no value of this type makes it do.
    pub fn to_ron(&self) -> Result<String, ConfigError> {
        Ok(to_ron(self)?)
    }

    /// Fingerprint of everything that results depend on: CRC-32 of the canonical RON text, in hexadecimal.
    ///
    /// # Errors
    /// As [`ExperimentConfig::to_ron`].
    pub fn fingerprint(&self) -> Result<String, ConfigError> {
        Ok(format!("{:08x}", crc32fast::hash(self.canonical().to_ron()?.as_bytes())))
    }
}

/// Parses RON text of any type; a bare value is accepted where an optional one is expected.
pub(crate) fn from_ron<T: DeserializeOwned>(text: &str, origin: &str) -> Result<T, SyntaxError> {
    ron::Options::default()
        .with_default_extension(Extensions::IMPLICIT_SOME)
        .from_str(text)
        .map_err(|error| explain(&error, text, origin))
}

/// Pretty RON text, the same on every platform.
pub(crate) fn to_ron<T: Serialize>(value: &T) -> Result<String, ron::Error> {
    let pretty = PrettyConfig::new().new_line("\n").indentor("    ").compact_arrays(true);
    let mut text = ron::ser::to_string_pretty(value, pretty)?;
    text.push('\n');
    Ok(text)
}

/// Puts a parser's error into words, with the source line it is about.
fn explain(error: &ron::error::SpannedError, text: &str, origin: &str) -> SyntaxError {
    let (message, name) = describe(&error.code);
    let end = error.span.end;
    let start = if name.is_some() || error.span.start.line == end.line { error.span.start } else { end };
    let mut line = start.line;
    let mut column = start.col;
    let mut width = 1;
    if let Some(name) = name {
        // The parser reports where it stopped reading; the name is the last one before that spot.
        if let Some((found_line, found_column)) = last_occurrence(text, &name, end.line, end.col) {
            (line, column) = (found_line, found_column);
            width = name.chars().count().max(1);
        }
    }
    let source_line = text.lines().nth(line - 1).unwrap_or_default().to_owned();
    // The parser may stop before the blanks in front of what it could not read.
    let blanks = source_line.chars().skip(column - 1).take_while(|c| c.is_whitespace()).count();
    if column - 1 + blanks < source_line.chars().count() {
        column += blanks;
    }
    SyntaxError { origin: origin.to_owned(), line, column, width, message, source_line }
}

/// Line and column of the last `word` that begins before the given position.
fn last_occurrence(text: &str, word: &str, line: usize, column: usize) -> Option<(usize, usize)> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    for (index, source_line) in text.lines().enumerate().take(line).collect::<Vec<_>>().into_iter().rev() {
        let hit = source_line
            .match_indices(word)
            .filter(|(at, _)| {
                let before = source_line[..*at].chars().next_back();
                let after = source_line[at + word.len()..].chars().next();
                !before.is_some_and(is_name) && !after.is_some_and(is_name)
            })
            .map(|(at, _)| source_line[..at].chars().count() + 1)
            .filter(|&found| index + 1 < line || found <= column)
            .last();
        if let Some(found) = hit {
            return Some((index + 1, found));
        }
    }
    None
}

/// The message, and the offending name if there is one to mark.
fn describe(code: &ron::Error) -> (String, Option<String>) {
    use ron::Error as E;
    let plain = |words: &str| (words.to_owned(), None);
    match code {
        E::NoSuchStructField { expected, found, outer } => {
            let hint = suggestion(found, expected.iter().copied());
            let place = place("in", outer.as_deref());
            (format!("there is no field `{found}`{place}; {hint}"), Some(found.clone()))
        }
        E::NoSuchEnumVariant { expected, found, outer } => {
            let hint = suggestion(found, expected.iter().copied());
            let place = place("in", outer.as_deref());
            (format!("there is no choice `{found}`{place}; {hint}"), Some(found.clone()))
        }
        E::MissingStructField { field, outer } => {
            let place = place("of", outer.as_deref());
            (format!("the field `{field}`{place} is missing; add it"), None)
        }
        E::DuplicateStructField { field, .. } => {
            (format!("the field `{field}` is given twice; keep one"), Some((*field).to_owned()))
        }
        E::Eof => plain("the text ends too early; expected a value or a closing bracket"),
        E::TrailingCharacters => plain("expected the end of the text after the closing bracket"),
        E::ExpectedStructLikeEnd | E::ExpectedComma => plain("expected `,` or the closing `)`"),
        E::ExpectedStructLike | E::ExpectedNamedStructLike(_) => plain("expected an opening `(`"),
        E::ExpectedArray => plain("expected a list, which begins with `[`"),
        E::ExpectedMap => plain("expected named entries, which begin with `{`"),
        E::ExpectedFloat => plain("expected a number"),
        E::ExpectedInteger => plain("expected a whole number (an integer), 0 or above"),
        E::IntegerOutOfBounds => plain("expected a whole number, 0 or above, that fits in 64 bits"),
        E::ExpectedString => plain("expected text in double quotes"),
        E::ExpectedStringEnd => plain("this text has no closing double quote"),
        E::ExpectedIdentifier => plain("expected a name without quotes"),
        other => {
            let words = other.to_string();
            let mut letters = words.chars();
            let lower = letters.next().map(|first| first.to_lowercase().chain(letters).collect());
            (lower.unwrap_or(words), None)
        }
    }
}

/// Where a field or choice was looked for: a section by the name of its type here, or a choice by its own.
fn place(preposition: &str, outer: Option<&str>) -> String {
    match outer {
        None => String::new(),
        Some(name) => match name.strip_suffix("Config") {
            Some(section) => format!(" {preposition} the {} section", section.to_lowercase()),
            None => format!(" {preposition} `{name}`"),
        },
    }
}

#[cfg(test)]
mod tests;
