//! What can be wrong with a table, in words for the person who made it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::config::suggestion;
use crate::store::StoreError;

/// Where a row is, as a person finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Line of a text file, from 1.
    Line(u64),
    /// Row of an array, from 0.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row} (rows count from 0)"),
        }
    }
}

/// A table that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The operating system cannot read the file.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// Writing failed; what was there before is untouched.
    #[error(transparent)]
    Write(#[from] StoreError),
    /// A file is there already.
    #[error("{} is there already, and nothing was changed; choose another name, or add --overwrite to replace it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A name that does not say in which format to write.
    #[error("the name {} does not say in which format to write; let it end in .csv or .npy", path.display())]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// A file without a byte, or without a line that is no comment.
    #[error("{} is empty; a table starts with a line of column names, such as `trajectory,t,q0,q_dot0`", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Neither text nor one of numpy's files.
    #[error(
        "{} is neither CSV nor NPY nor NPZ; save the table as UTF-8 text with commas, or with numpy.save or numpy.savez",
        path.display()
    )]
    NotATable {
        /// The file.
        path: PathBuf,
    },
    /// A line longer than any row of numbers.
    #[error("{}, line {line} is longer than {most} bytes; put each row on a line of its own", path.display())]
    LongLine {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Longest line.
        most: u64,
    },
    /// A quotation mark without its other half.
    #[error("{}, line {line} has a quotation mark that is not closed on the same line; put each row on one line", path.display())]
    OpenQuote {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
    },
    /// A line that is not UTF-8.
    #[error("{}, line {line} is not UTF-8 text; save the table as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
    },
    /// Numbers where the names belong.
    #[error(
        "{}, line {line} starts with `{first}`, a number where column names belong; write them into a first line such \
         as `trajectory,t,q0,q_dot0`, or give them with --columns",
        path.display()
    )]
    NoHeader {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// First field.
        first: String,
    },
    /// Names given for a file that has its own.
    #[error("{} has column names of its own ({}); leave --columns out", path.display(), names.join(", "))]
    NamesOfItsOwn {
        /// The file.
        path: PathBuf,
        /// Its names.
        names: Vec<String>,
    },
    /// An array without names.
    #[error(
        "{} is a plain array of {columns} column(s) without names; give them with --columns, such as \
         `--columns t,q0,q_dot0`, or save a structured array or an NPZ",
        path.display()
    )]
    NamesNeeded {
        /// The file.
        path: PathBuf,
        /// Its columns.
        columns: usize,
    },
    /// Another number of names than of columns.
    #[error("{given} column name(s) were given, but {} has {expected} column(s); give as many names", path.display())]
    NameCount {
        /// The file.
        path: PathBuf,
        /// Names given.
        given: usize,
        /// Columns of the file.
        expected: usize,
    },
    /// Two columns of one name.
    #[error("{} has two columns `{name}`; rename or remove one", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// Their name.
        name: String,
    },
    /// A column that is needed is not there.
    #[error("{} has no column `{name}`; {}", path.display(), suggestion(name, columns.iter().map(String::as_str)))]
    MissingColumn {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// Columns that are there.
        columns: Vec<String>,
    },
    /// A column of a coordinate beyond the last.
    #[error(
        "{} has a column `{name}`, but its coordinates end with `q{}`; number them q0, q1, … without a gap, or rename \
         the column",
        path.display(), degrees_of_freedom - 1
    )]
    BeyondCoordinates {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// Coordinates without a gap.
        degrees_of_freedom: usize,
    },
    /// A table of other coordinates than needed.
    #[error(
        "{} has {found} coordinate(s) (`q0` to `q{}`), but {expected} are needed",
        path.display(), found - 1
    )]
    Dimension {
        /// The file.
        path: PathBuf,
        /// Its coordinates.
        found: usize,
        /// Coordinates needed.
        expected: usize,
    },
    /// Text in a column of numbers.
    #[error("{}, {place}, column `{column}`: `{text}` is no number{}", path.display(), remedy_for(text))]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The row.
        place: Place,
        /// The column.
        column: String,
        /// What is there.
        text: String,
    },
    /// Nothing where a number belongs.
    #[error(
        "{}, {place}, column `{column}` is empty; write a number there or leave the row out",
        path.display()
    )]
    EmptyField {
        /// The file.
        path: PathBuf,
        /// The row.
        place: Place,
        /// The column.
        column: String,
    },
    /// NaN or infinity where a finite number is needed.
    #[error(
        "{}, {place}, column `{column}` is {value}; a finite number is needed there: leave the row out, or fill it in",
        path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The row.
        place: Place,
        /// The column.
        column: String,
        /// What is there.
        value: f64,
    },
    /// A row of another length.
    #[error(
        "{}, line {line} has {found} field(s), but the header names {expected} column(s); give every row one field a \
         column",
        path.display()
    )]
    Ragged {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Fields of the row.
        found: usize,
        /// Columns of the header.
        expected: usize,
    },
    /// An array's header that makes no sense.
    #[error("{}{} is no readable array: {message}; save it again with numpy", path.display(), within(array))]
    Array {
        /// The file.
        path: PathBuf,
        /// Array in an NPZ.
        array: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// Elements that are no real numbers.
    #[error(
        "{}, column `{column}` has elements of type {found}; f4, f8 and integers can be read: convert it with \
         .astype('f8')",
        path.display()
    )]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Numpy's name of the type.
        found: String,
    },
    /// An integer that a double cannot hold.
    #[error(
        "{}, {place}, column `{column}`: the integer {value} has no exact double; beyond 2⁵³ store floating-point \
         numbers",
        path.display()
    )]
    Inexact {
        /// The file.
        path: PathBuf,
        /// The row.
        place: Place,
        /// The column.
        column: String,
        /// The integer.
        value: String,
    },
    /// An array of a shape that is no table.
    #[error("{}{} has the shape {found}; {expected}", path.display(), within(array))]
    Shape {
        /// The file.
        path: PathBuf,
        /// Array in an NPZ.
        array: Option<String>,
        /// Its shape.
        found: String,
        /// What can be read.
        expected: &'static str,
    },
    /// An array in an order that has no rows.
    #[error(
        "{}{} is in Fortran order, in which trajectories are interleaved; store numpy.ascontiguousarray of it",
        path.display(), within(array)
    )]
    Order {
        /// The file.
        path: PathBuf,
        /// Array in an NPZ.
        array: Option<String>,
    },
    /// Arrays of one NPZ that do not belong together.
    #[error(
        "{}: the array `{array}` has the shape {found}, which does not fit {rows}; give every column one number a row",
        path.display()
    )]
    Lengths {
        /// The file.
        path: PathBuf,
        /// The array that does not fit.
        array: String,
        /// Its shape.
        found: String,
        /// The rows of the table, in words.
        rows: String,
    },
    /// An archive without an array.
    #[error("{} is an NPZ without a column of numbers; save it with numpy.savez(file, q=…, q_dot=…, t=…)", path.display())]
    NoArray {
        /// The file.
        path: PathBuf,
    },
    /// Fewer bytes than the header promises.
    #[error("{}{} was cut short: {found} bytes of numbers, expected {expected}; copy or save it again", path.display(), within(array))]
    CutShort {
        /// The file.
        path: PathBuf,
        /// Array in an NPZ.
        array: Option<String>,
        /// Bytes there.
        found: u64,
        /// Bytes promised.
        expected: u64,
    },
    /// An archive that cannot be unpacked.
    #[error("{}{} cannot be unpacked: {message}; save it again with numpy.savez", path.display(), within(array))]
    Archive {
        /// The file.
        path: PathBuf,
        /// Array in an NPZ.
        array: Option<String>,
        /// What is wrong.
        message: String,
    },
    /// No room to unpack a compressed array.
    #[error(
        "a temporary copy of {} cannot be written to {}: {source}; free some space there, or save with numpy.savez \
         instead of numpy.savez_compressed",
        path.display(), folder.display()
    )]
    Unpack {
        /// The archive.
        path: PathBuf,
        /// The folder for temporary files.
        folder: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
}

/// ` (array `q`)` for an array of an NPZ.
fn within(array: &Option<String>) -> String {
    array.as_ref().map_or_else(String::new, |name| format!(" (array `{name}`)"))
}

/// What to do about a field that is no number.
fn remedy_for(text: &str) -> &'static str {
    let decimal_comma = text.contains(',') && text.replacen(',', ".", 1).trim().parse::<f64>().is_ok();
    if decimal_comma { "; write decimals with a point" } else { "; write a number there or leave the row out" }
}
