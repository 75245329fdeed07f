//! Reading a table block by block, whatever its format.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use super::arrays::{ArrayLayout, Arrays};
use super::text::{self, Lines, TextLayout};
use super::{Column, Place, TableError};

/// Bytes of a file that tell its format.
const START: usize = 4096;

/// Rows as they lie in the file: what one thread reads and any thread can decode.
#[derive(Clone, Debug, Default)]
pub struct RawRows {
    pub(super) bytes: Vec<u8>,
    pub(super) rows: usize,
    /// First row of an array, from 0.
    pub(super) first: u64,
    /// Line of each row of a text, from 1.
    pub(super) lines: Vec<u64>,
    /// Whether a line of these has a quotation mark.
    pub(super) quoted: bool,
    /// Line after these rows, in which a quotation mark is not closed.
    pub(super) open_quote: Option<u64>,
}

/// A table of numbers, read from CSV, NPY or NPZ; the file's first bytes say which.
///
/// - CSV: a line of names, then a line of numbers a row. A unit may follow a name: `q0 [rad]`. Semicolons or tabs separate
///   the fields where the first line has no comma; empty lines and lines that start with `#` are passed over.
/// - NPY: a structured array, whose fields are columns, or a plain one `[rows, columns]` with names given.
/// - NPZ: arrays `[rows]`, which are columns, and `[rows, n]`, which are n columns numbered from 0: `q` gives `q0`, `q1`, ….
///   Where `q` is `[trajectories, rows, d]` there is a column `trajectory` as well; other arrays are `[trajectories, rows]`,
///   `[rows]` for what all trajectories share, such as the time, or `[trajectories]`.
///
/// Numbers of arrays may be f4, f8 or integers of any width and byte order, in C or Fortran order. Only columns that are
/// selected must hold numbers. NaN and infinities are read as such.
///
/// ```
/// use lnn_train::table::{StateColumns, TableReader};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("swing.csv");
/// std::fs::write(&path, "t [s],q0 [rad],q_dot0\n0.0,1.5,0\n0.1,1.4,-0.9\n")?;
/// let mut reader = TableReader::open(&path, None)?;
/// let states = StateColumns::find(&path, reader.columns(), &[])?;
/// reader.select(&[states.q[0], states.q_dot[0]])?;
/// let mut values = Vec::new();
/// assert_eq!(reader.read(100, &mut values)?, 2);
/// assert_eq!(values, [1.5, 0.0, 1.4, -0.9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TableReader {
    source: Source,
    decoder: Decoder,
    raw: RawRows,
}

#[derive(Debug)]
enum Source {
    Text(Lines),
    Arrays(Arrays),
}

/// How raw rows of one table become numbers, for any thread.
#[derive(Clone, Debug)]
pub struct Decoder {
    path: PathBuf,
    layout: Layout,
}

#[derive(Clone, Debug)]
enum Layout {
    Text(TextLayout),
    Arrays(ArrayLayout),
}

impl TableReader {
    /// Opens a table and reads what its columns are; `names` are those of a file that has none of its own: a plain NPY, or
    /// a CSV whose first line is a row.
    ///
    /// # Errors
    /// [`TableError`]: the file cannot be read, is no table, has no names or two of one kind, or has arrays that do not
    /// belong together.
    pub fn open(path: &Path, names: Option<&[String]>) -> Result<Self, TableError> {
        let read = |source: io::Error| TableError::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(read)?;
        let mut start = Vec::with_capacity(START);
        (&mut file).take(START as u64).read_to_end(&mut start).map_err(read)?;
        if start.is_empty() {
            return Err(TableError::Empty { path: path.to_owned() });
        }
        if let Some((arrays, layout)) = Arrays::open(path, &start, names)? {
            let decoder = Decoder { path: path.to_owned(), layout: Layout::Arrays(layout) };
            return Ok(Self { source: Source::Arrays(arrays), decoder, raw: RawRows::default() });
        }
        if start.contains(&0) {
            return Err(TableError::NotATable { path: path.to_owned() });
        }
        // The bytes that were looked at first: a pipe gives them once.
        let input = BufReader::with_capacity(1 << 18, Cursor::new(start).chain(file));
        Self::from_text(path, Box::new(input), names)
    }

    /// Reads CSV from any input, such as a pipe; `path` is its name in messages.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_text(
        path: &Path,
        input: Box<dyn BufRead + Send>,
        names: Option<&[String]>,
    ) -> Result<Self, TableError> {
        let (lines, layout) = text::open(path, input, names)?;
        let decoder = Decoder { path: path.to_owned(), layout: Layout::Text(layout) };
        Ok(Self { source: Source::Text(lines), decoder, raw: RawRows::default() })
    }

    /// The file, as messages name it.
    pub fn path(&self) -> &Path {
        &self.decoder.path
    }

    /// All columns, in the file's order.
    pub fn columns(&self) -> &[Column] {
        self.decoder.columns()
    }

    /// Rows of the table, if known before they are read: of arrays.
    pub fn rows(&self) -> Option<u64> {
        match &self.source {
            Source::Text(_) => None,
            Source::Arrays(arrays) => Some(arrays.rows()),
        }
    }

    /// Chooses which columns are read, and in which order; without it, all.
    ///
    /// # Errors
    /// [`TableError::ElementType`] or [`TableError::Lengths`] for a column of an array that is not of numbers or has other
    /// rows.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn select(&mut self, columns: &[usize]) -> Result<(), TableError> {
        let count = self.columns().len();
        assert!(columns.iter().all(|&column| column < count), "columns {columns:?} of {count}");
        match &mut self.decoder.layout {
            Layout::Text(layout) => layout.selected = columns.to_vec(),
            Layout::Arrays(layout) => layout.select(&self.decoder.path, columns)?,
        }
        Ok(())
    }

    /// Appends up to `most_rows` rows of the selected columns, row-major, and returns how many; 0 at the end.
    ///
    /// # Errors
    /// [`TableError`] with row and column of what is no number, or the file cannot be read.
    pub fn read(&mut self, most_rows: usize, values: &mut Vec<f64>) -> Result<usize, TableError> {
        let mut raw = std::mem::take(&mut self.raw);
        let read = self.read_raw(most_rows, &mut raw);
        // The rows before one that cannot be read may have a fault of their own, which comes first.
        let decoded = self.decoder.decode(&raw, values);
        self.raw = raw;
        decoded.and_then(|rows| read.map(|_| rows))
    }

    /// Fills `raw` with the next rows, at most `most_rows`; false at the end.
    ///
    /// # Errors
    /// The file cannot be read, or was cut short; `raw` then holds the rows before.
    pub fn read_raw(&mut self, most_rows: usize, raw: &mut RawRows) -> Result<bool, TableError> {
        let Decoder { path, layout } = &self.decoder;
        match (&mut self.source, layout) {
            (Source::Text(lines), _) => lines.read(path, most_rows, raw),
            (Source::Arrays(arrays), Layout::Arrays(layout)) => arrays.read(path, layout, most_rows, raw),
            (Source::Arrays(_), Layout::Text(_)) => unreachable!("a source has the layout it was opened with"),
        }
    }

    /// What decodes the rows of [`read_raw`](Self::read_raw), with the columns that are selected now.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Where the row with this number, counted from 0, is found: a text is read once more for it.
    pub fn place(&self, row: u64) -> Place {
        let Layout::Text(layout) = &self.decoder.layout else { return Place::Row(row) };
        line_of(self.path(), layout, row).unwrap_or(Place::Row(row))
    }
}

/// The line of a row of a text.
fn line_of(path: &Path, layout: &TextLayout, row: u64) -> Option<Place> {
    if !path.is_file() {
        return None;
    }
    let names: Vec<String> = layout.columns().iter().map(ToString::to_string).collect();
    let mut again = match TableReader::open(path, None) {
        Err(TableError::NoHeader { .. }) => TableReader::open(path, Some(&names)),
        other => other,
    }
    .ok()?;
    let (mut raw, mut before) = (RawRows::default(), 0);
    while again.read_raw(1024, &mut raw).ok()? {
        if let Some(&line) = raw.lines.get((row - before) as usize) {
            return Some(Place::Line(line));
        }
        before += raw.rows as u64;
    }
    None
}

impl RawRows {
    /// Where one of these rows is found, by its number from 0.
    ///
    /// # Panics
    /// If a text has fewer rows.
    pub fn place(&self, row: usize) -> Place {
        if self.lines.is_empty() { Place::Row(self.first + row as u64) } else { Place::Line(self.lines[row]) }
    }
}

impl Decoder {
    /// The file, as messages name it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn columns(&self) -> &[Column] {
        match &self.layout {
            Layout::Text(layout) => layout.columns(),
            Layout::Arrays(layout) => layout.columns(),
        }
    }

    /// Appends the numbers of `raw`, row-major, and returns how many rows they are.
    ///
    /// # Errors
    /// [`TableError`] with row and column of what is no number.
    pub fn decode(&self, raw: &RawRows, values: &mut Vec<f64>) -> Result<usize, TableError> {
        match &self.layout {
            Layout::Text(layout) => layout.decode(&self.path, raw, values),
            Layout::Arrays(layout) => layout.decode(&self.path, raw, values),
        }
    }

    /// Appends the fields of one column of `raw`, one a row, as they are written; false, with nothing appended, for arrays,
    /// which have no text.
    ///
    /// # Errors
    /// [`TableError`] with the place of a row that is none.
    ///
    /// # Panics
    /// If there is no such column.
    pub fn texts(&self, raw: &RawRows, column: usize, texts: &mut Vec<String>) -> Result<bool, TableError> {
        assert!(column < self.columns().len(), "column {column} of {}", self.columns().len());
        match &self.layout {
            Layout::Text(layout) => layout.texts(&self.path, raw, column, texts).map(|()| true),
            Layout::Arrays(_) => Ok(false),
        }
    }
}
