//! Writing a table block by block, CSV or NPY by the file's ending.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use npyz::{DType, Field};

use super::{Column, TableError};
use crate::store::{PartialFile, StoreError};

/// What to do with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse, and leave it alone.
    Keep,
    /// Put the new one in its place once that is complete.
    Replace,
}

/// A table on its way to a file.
///
/// A name that ends in `.csv` gets comma-separated values, each number the shortest text that reads back to the same
/// double, `nan` and `inf` included; one that ends in `.npy` a structured array of f8, whose fields are the columns. The
/// file has its name once it is complete ([`finish`](Self::finish)): without that, nothing of it is left.
///
/// ```
/// use lnn_train::table::{Column, Existing, TableWriter};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("energy.csv");
/// let mut writer = TableWriter::create(&path, &[Column::parse("t [s]"), Column::named("energy")], Existing::Keep)?;
/// writer.write(&[0.0, -1.5, 0.1, 1e-300])?;
/// writer.finish()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "t [s],energy\n0,-1.5\n0.1,1e-300\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TableWriter {
    path: PathBuf,
    file: PartialFile,
    existing: Existing,
    encoder: Encoder,
    rows: u64,
    buffer: Vec<u8>,
}

/// How rows of one table become bytes of its file, for any thread.
#[derive(Clone, Debug)]
pub struct Encoder {
    format: Format,
    columns: Arc<[Column]>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Csv,
    Npy,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?;
        if ending.eq_ignore_ascii_case("csv") {
            Some(Self::Csv)
        } else {
            ending.eq_ignore_ascii_case("npy").then_some(Self::Npy)
        }
    }
}

impl TableWriter {
    /// Begins a table of these columns, at least one.
    ///
    /// # Errors
    /// [`TableError::Ending`] for a name of another ending, [`TableError::Exists`], [`TableError::DuplicateColumn`], or the
    /// folder cannot be written to.
    pub fn create(path: &Path, columns: &[Column], existing: Existing) -> Result<Self, TableError> {
        let format = Format::of(path).ok_or_else(|| TableError::Ending { path: path.to_owned() })?;
        super::text::require_distinct(path, columns)?;
        if existing == Existing::Keep && path.exists() {
            return Err(TableError::Exists { path: path.to_owned() });
        }
        let encoder = Encoder { format, columns: columns.into() };
        let file = PartialFile::create(path)?;
        let mut writer = Self { path: path.to_owned(), file, existing, encoder, rows: 0, buffer: Vec::new() };
        let header = writer.encoder.header(0);
        writer.write_bytes(&header)?;
        Ok(writer)
    }

    /// Appends rows, row-major.
    ///
    /// # Errors
    /// [`TableError::Write`], with what to do.
    ///
    /// # Panics
    /// If there are not as many numbers as whole rows have.
    pub fn write(&mut self, values: &[f64]) -> Result<(), TableError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let rows = self.encoder.encode(values, &mut buffer);
        let written = self.write_encoded(&buffer, rows);
        self.buffer = buffer;
        written
    }

    /// What turns rows into the bytes of [`write_encoded`](Self::write_encoded).
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Appends rows that the table's [`encoder`](Self::encoder) has turned into bytes.
    ///
    /// # Errors
    /// [`TableError::Write`], with what to do.
    pub fn write_encoded(&mut self, bytes: &[u8], rows: usize) -> Result<(), TableError> {
        self.rows += rows as u64;
        self.write_bytes(bytes)
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), TableError> {
        self.file.write_all(bytes).map_err(|source| StoreError::write(&self.path)(source).into())
    }

    /// Completes the table, gives the file its name and returns its rows.
    ///
    /// # Errors
    /// [`TableError::Write`], or [`TableError::Exists`] if another file has taken the name meanwhile.
    pub fn finish(mut self) -> Result<u64, TableError> {
        if self.encoder.format == Format::Npy {
            // Only now is the number of rows known; the header has the same length for any.
            self.file.seek(SeekFrom::Start(0)).map_err(StoreError::write(&self.path))?;
            let header = self.encoder.header(self.rows);
            self.write_bytes(&header)?;
        }
        match self.existing {
            Existing::Replace => self.file.finish()?,
            Existing::Keep if !self.file.finish_unless_there()? => {
                return Err(TableError::Exists { path: self.path });
            }
            Existing::Keep => {}
        }
        Ok(self.rows)
    }
}

impl Encoder {
    /// Appends rows, row-major, as bytes of the file, and returns how many they are.
    ///
    /// # Panics
    /// If there are not as many numbers as whole rows have.
    pub fn encode(&self, values: &[f64], bytes: &mut Vec<u8>) -> usize {
        let width = self.columns.len();
        assert!(values.len().is_multiple_of(width), "{} numbers are no rows of {width}", values.len());
        match self.format {
            Format::Npy => {
                bytes.reserve(size_of_val(values));
                for value in values {
                    bytes.extend_from_slice(&value.to_le_bytes());
                }
            }
            Format::Csv => {
                for row in values.chunks_exact(width) {
                    for &value in row {
                        push_number(bytes, value);
                        bytes.push(b',');
                    }
                    bytes.pop();
                    bytes.push(b'\n');
                }
            }
        }
        values.len() / width
    }

    fn header(&self, rows: u64) -> Vec<u8> {
        match self.format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(Vec::new());
                // Writing fields to memory cannot fail.
                let _ = writer.write_record(self.columns.iter().map(ToString::to_string));
                writer.into_inner().unwrap_or_default()
            }
            Format::Npy => npy_header(&self.columns, rows),
        }
    }
}

/// The shortest text that reads back to the same double, without a useless `.0`.
fn push_number(bytes: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        bytes.extend_from_slice(b"nan");
        return;
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format(value);
    bytes.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

/// Format 3.0 (UTF-8 names), of the same length for any number of rows.
fn npy_header(columns: &[Column], rows: u64) -> Vec<u8> {
    const ALIGNMENT: usize = 64;
    const BEFORE: usize = 12;
    let double: npyz::TypeStr = "<f8".parse().expect("numpy's name of a double");
    let fields = columns.iter().map(|column| Field { name: column.name.clone(), dtype: DType::Plain(double.clone()) });
    let descr = DType::Record(fields.collect()).descr();
    let text = |rows: u64| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': ({rows},), }}");
    let length = (BEFORE + text(u64::MAX).len() + 1).next_multiple_of(ALIGNMENT) - BEFORE;
    let mut header = b"\x93NUMPY\x03\x00".to_vec();
    header.extend((length as u32).to_le_bytes());
    header.extend(text(rows).as_bytes());
    header.resize(BEFORE + length - 1, b' ');
    header.push(b'\n');
    header
}
