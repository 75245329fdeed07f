//! Comma-separated values: a line of names, then a line of numbers a row.
//!
//! Read as people write them: a byte order mark, Windows line ends, spaces around a field, quotes around a field, empty lines
//! and lines that start with `#` are no part of the data; semicolons or tabs separate the fields of a file whose first
//! line has no comma. Only columns that are asked for must hold numbers.

use std::collections::HashSet;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use super::reader::RawRows;
use super::{Column, Place, TableError};

/// Longest line, in bytes: more than any row, less than a machine's memory.
const LONGEST_LINE: u64 = 1 << 20;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of a file from the first row on.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    /// The line that comes next, from 1.
    next: u64,
    /// The first row, where looking for a header has read it.
    pending: Vec<u8>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("next", &self.next).finish_non_exhaustive()
    }
}

/// How a line becomes numbers.
#[derive(Clone, Debug)]
pub(super) struct TextLayout {
    delimiter: u8,
    columns: Arc<[Column]>,
    pub(super) selected: Vec<usize>,
}

/// Reads the header of `input`; with `names` the file has none.
pub(super) fn open(
    path: &Path,
    input: Box<dyn BufRead + Send>,
    names: Option<&[String]>,
) -> Result<(Lines, TextLayout), TableError> {
    let mut lines = Lines { input, next: 1, pending: Vec::new() };
    let mut first = Vec::new();
    loop {
        first.clear();
        if !lines.append_line(path, &mut first)? {
            return Err(TableError::Empty { path: path.to_owned() });
        }
        if lines.next == 2 && first.starts_with(BYTE_ORDER_MARK) {
            first.drain(..BYTE_ORDER_MARK.len());
        }
        if !is_no_row(&first) {
            break;
        }
    }
    let line = lines.next - 1;
    let text = str::from_utf8(&first).map_err(|_| TableError::NotUtf8 { path: path.to_owned(), line })?;
    let delimiter = [b',', b';', b'\t'].into_iter().find(|&byte| text.as_bytes().contains(&byte)).unwrap_or(b',');
    let fields = fields(delimiter, text);
    let numbers = fields.first().filter(|field| field.parse::<f64>().is_ok());
    let columns: Vec<Column> = match (names, numbers) {
        (None, Some(first)) => {
            return Err(TableError::NoHeader { path: path.to_owned(), line, first: first.clone() });
        }
        (Some(_), None) => return Err(TableError::NamesOfItsOwn { path: path.to_owned(), names: fields }),
        (None, None) => fields.iter().map(|field| Column::parse(field)).collect(),
        (Some(names), Some(_)) => {
            if names.len() != fields.len() {
                let (given, expected) = (names.len(), fields.len());
                return Err(TableError::NameCount { path: path.to_owned(), given, expected });
            }
            lines.pending = first;
            lines.next = line;
            names.iter().map(|name| Column::parse(name)).collect()
        }
    };
    require_distinct(path, &columns)?;
    let selected = (0..columns.len()).collect();
    Ok((lines, TextLayout { delimiter, columns: columns.into(), selected }))
}

/// Refuses two columns of one name; several without a name are fine.
pub(super) fn require_distinct(path: &Path, columns: &[Column]) -> Result<(), TableError> {
    let mut seen = HashSet::new();
    match columns.iter().find(|column| !column.name.is_empty() && !seen.insert(column.name.as_str())) {
        None => Ok(()),
        Some(column) => Err(TableError::DuplicateColumn { path: path.to_owned(), name: column.name.clone() }),
    }
}

/// The fields of one line.
fn fields(delimiter: u8, line: &str) -> Vec<String> {
    let record = reader(delimiter, line.as_bytes()).into_records().next();
    // Text in memory can always be read and split.
    let record = record.and_then(Result::ok).unwrap_or_default();
    record.iter().map(|field| field.trim().to_owned()).collect()
}

fn reader(delimiter: u8, bytes: &[u8]) -> csv::Reader<&[u8]> {
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes)
}

impl Lines {
    /// Appends the next line with its end; false if there is none.
    fn append_line(&mut self, path: &Path, bytes: &mut Vec<u8>) -> Result<bool, TableError> {
        let read = |source: io::Error| TableError::Read { path: path.to_owned(), source };
        let mut limited = (&mut self.input).take(LONGEST_LINE);
        let length = limited.read_until(b'\n', bytes).map_err(read)?;
        if length as u64 == LONGEST_LINE && !bytes.ends_with(b"\n") {
            return Err(TableError::LongLine { path: path.to_owned(), line: self.next, most: LONGEST_LINE });
        }
        self.next += 1;
        Ok(length > 0)
    }

    /// Fills `raw` with the next lines that are rows, at most `most`; false if there is none.
    pub(super) fn read(&mut self, path: &Path, most: usize, raw: &mut RawRows) -> Result<bool, TableError> {
        raw.bytes.clear();
        raw.lines.clear();
        raw.open_quote = None;
        raw.quoted = false;
        while raw.lines.len() < most {
            let (start, line) = (raw.bytes.len(), self.next);
            if self.pending.is_empty() {
                match self.append_line(path, &mut raw.bytes) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        // The rows before it are whole.
                        raw.bytes.truncate(start);
                        raw.rows = raw.lines.len();
                        return Err(error);
                    }
                }
            } else {
                raw.bytes.append(&mut self.pending);
                self.next += 1;
            }
            let content = &raw.bytes[start..];
            if is_no_row(content) {
                raw.bytes.truncate(start);
                continue;
            }
            let quotes = content.iter().filter(|&&byte| byte == b'"').count();
            raw.quoted |= quotes > 0;
            if quotes % 2 == 1 {
                // Told when the rows before it have been judged.
                raw.bytes.truncate(start);
                raw.open_quote = Some(line);
                break;
            }
            raw.lines.push(line);
        }
        raw.rows = raw.lines.len();
        Ok(raw.rows > 0 || raw.open_quote.is_some())
    }
}

/// Whether a line is empty or a comment.
fn is_no_row(line: &[u8]) -> bool {
    line.starts_with(b"#") || line.trim_ascii().is_empty()
}

impl TextLayout {
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Appends the numbers of the selected columns, row by row.
    pub(super) fn decode(&self, path: &Path, raw: &RawRows, values: &mut Vec<f64>) -> Result<usize, TableError> {
        self.each_row(path, raw, |line, fields| {
            for &column in &self.selected {
                let value = number(fields[column]);
                values.push(value.ok_or_else(|| self.refused(path, line, column, fields[column]))?);
            }
            Ok(())
        })?;
        Ok(raw.rows)
    }

    /// Appends the fields of one column as they are written, without the spaces around them.
    pub(super) fn texts(
        &self,
        path: &Path,
        raw: &RawRows,
        column: usize,
        texts: &mut Vec<String>,
    ) -> Result<(), TableError> {
        self.each_row(path, raw, |_, fields| {
            texts.push(String::from_utf8_lossy(fields[column].trim_ascii()).into_owned());
            Ok(())
        })
    }

    /// Calls `row` with the line and the fields of each row.
    fn each_row(
        &self,
        path: &Path,
        raw: &RawRows,
        mut row: impl FnMut(u64, &[&[u8]]) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        let expected = self.columns.len();
        let mut whole = |line: u64, fields: &[&[u8]]| match fields.len() {
            found if found == expected => row(line, fields),
            found => Err(TableError::Ragged { path: path.to_owned(), line, found, expected }),
        };
        if raw.quoted {
            let mut reader = reader(self.delimiter, &raw.bytes);
            let mut record = csv::ByteRecord::new();
            for &line in &raw.lines {
                reader.read_byte_record(&mut record).map_err(|error| {
                    let source = io::Error::new(io::ErrorKind::InvalidData, error);
                    TableError::Read { path: path.to_owned(), source }
                })?;
                whole(line, &record.iter().collect::<Vec<_>>())?;
            }
        } else {
            // Without a quotation mark every delimiter is one: no need of a parser, which costs as much as the numbers.
            let mut fields = Vec::new();
            for (bytes, &line) in raw.bytes.split_inclusive(|&byte| byte == b'\n').zip(&raw.lines) {
                fields.clear();
                fields.extend(bytes.split(|&byte| byte == self.delimiter));
                whole(line, &fields)?;
            }
        }
        match raw.open_quote {
            None => Ok(()),
            Some(line) => Err(TableError::OpenQuote { path: path.to_owned(), line }),
        }
    }

    /// The error for a field that is no number.
    fn refused(&self, path: &Path, line: u64, column: usize, field: &[u8]) -> TableError {
        const SHOWN: usize = 40;
        let (path, place, column) = (path.to_owned(), Place::Line(line), self.columns[column].name.clone());
        let text = String::from_utf8_lossy(field.trim_ascii());
        if text.is_empty() {
            return TableError::EmptyField { path, place, column };
        }
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        TableError::NotANumber { path, place, column, text: shown }
    }
}

fn number(field: &[u8]) -> Option<f64> {
    str::from_utf8(field.trim_ascii()).ok()?.parse().ok()
}
