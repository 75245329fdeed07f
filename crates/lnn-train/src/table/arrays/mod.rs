//! Numpy's files: NPY, one array, and NPZ, an archive of them.
//!
//! A column is a number at a fixed place of every row of bytes. So a structured array and a plain one in C order are read
//! a block of rows at a time, an array in Fortran order a block of each column; nothing is held but the block.

mod archive;
mod element;
mod header;
mod single;
mod store;

use std::path::Path;
use std::sync::Arc;

use npyz::DType;

use super::reader::RawRows;
use super::{Column, Place, TableError};
use element::{Element, Placement};
use header::Header;
use store::Store;

/// The arrays of a file, from the next row on.
#[derive(Debug)]
pub(super) struct Arrays {
    stores: Vec<Store>,
    rows: u64,
    next: u64,
}

/// Where each column is.
#[derive(Clone, Debug)]
pub(super) struct ArrayLayout {
    columns: Arc<[Column]>,
    sources: Arc<[Source]>,
    runs: Arc<[Run]>,
    selected: Vec<usize>,
    /// Runs that hold a selected column, ascending.
    used: Vec<usize>,
}

/// Bytes of consecutive rows: `stride` bytes a row, those of row 0 at `base` of the array's numbers.
#[derive(Clone, Copy, Debug)]
struct Run {
    store: usize,
    base: u64,
    stride: u64,
}

/// Where the numbers of a column come from.
#[derive(Clone, Debug)]
enum Source {
    /// A number in every row of a run.
    Run { run: usize, offset: usize, element: Element },
    /// The same numbers for every trajectory, one for each of its rows.
    Shared(Arc<[f64]>),
    /// One number for all `rows` of a trajectory.
    Each { numbers: Arc<[f64]>, rows: u64 },
    /// The number of the trajectory, each of so many rows.
    Trajectory { rows: u64 },
    /// No numbers of this table.
    Refused(Refusal),
}

/// Why an array's column cannot be read.
#[derive(Clone, Debug)]
enum Refusal {
    Element { found: String },
    Lengths { array: String, found: String, rows: String },
    Order { array: Option<String> },
}

/// Columns and where they are, while a file is opened.
#[derive(Debug, Default)]
struct Found {
    columns: Vec<Column>,
    sources: Vec<Source>,
    runs: Vec<Run>,
}

impl Found {
    fn push(&mut self, name: &str, source: Source) {
        self.columns.push(Column::parse(name));
        self.sources.push(source);
    }

    /// Adds `elements` as the columns of one run, their places in bytes beside them.
    fn push_run<'a>(&mut self, run: Run, elements: impl IntoIterator<Item = (String, u64, &'a DType)>) {
        let number = self.runs.len();
        self.runs.push(run);
        for (name, offset, dtype) in elements {
            let source = match Element::of(dtype) {
                Ok(element) => Source::Run { run: number, offset: offset as usize, element },
                Err(found) => Source::Refused(Refusal::Element { found }),
            };
            self.push(&name, source);
        }
    }

    /// Adds `names` as the columns of an array `[rows…, columns]` of plain elements.
    fn push_array(&mut self, store: usize, header: &Header, rows: u64, names: &[String]) {
        let size = header.element_bytes().unwrap_or(0);
        let columns = names.len() as u64;
        if header.fortran {
            for (j, name) in (0..).zip(names) {
                let run = Run { store, base: j * rows * size, stride: size };
                self.push_run(run, [(name.clone(), 0, &header.dtype)]);
            }
        } else {
            let elements = (0..).zip(names).map(|(j, name)| (name.clone(), j * size, &header.dtype));
            self.push_run(Run { store, base: 0, stride: columns * size }, elements);
        }
    }

    fn finish(self, path: &Path) -> Result<ArrayLayout, TableError> {
        super::text::require_distinct(path, &self.columns)?;
        let Self { columns, sources, runs } = self;
        let mut layout = ArrayLayout {
            columns: columns.into(),
            sources: sources.into(),
            runs: runs.into(),
            selected: Vec::new(),
            used: Vec::new(),
        };
        layout.use_columns((0..layout.columns.len()).collect());
        Ok(layout)
    }
}

/// The columns of an array that is called `stem` and has `count` numbers a row: `q` has `q0`, `q1`, …, and `t` is `t`.
fn numbered(stem: &str, count: u64) -> Vec<String> {
    if count == 1 && !["q", "q_dot", "q_ddot"].contains(&stem) {
        return vec![stem.to_owned()];
    }
    (0..count).map(|j| format!("{stem}{j}")).collect()
}

impl Arrays {
    /// Opens a file that starts with these bytes; `None` if it is none of numpy's.
    pub(super) fn open(
        path: &Path,
        start: &[u8],
        names: Option<&[String]>,
    ) -> Result<Option<(Self, ArrayLayout)>, TableError> {
        // An empty archive starts with its end.
        if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            archive::open(path, names).map(Some)
        } else if start.starts_with(b"\x93NUMPY") {
            single::open(path, names).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Fills `raw` with the runs of the next rows, one after another.
    pub(super) fn read(
        &mut self,
        path: &Path,
        layout: &ArrayLayout,
        most: usize,
        raw: &mut RawRows,
    ) -> Result<bool, TableError> {
        layout.refuse(path)?;
        let rows = (self.rows - self.next).min(most as u64);
        raw.first = self.next;
        // None, until all of them are there.
        raw.rows = 0;
        let lengths = layout.used.iter().map(|&run| layout.runs[run].stride as usize * rows as usize);
        raw.bytes.resize(lengths.clone().sum(), 0);
        let mut rest = raw.bytes.as_mut_slice();
        for (&run, length) in layout.used.iter().zip(lengths) {
            let Run { store, base, stride } = layout.runs[run];
            let (bytes, after) = rest.split_at_mut(length);
            self.stores[store].read(path, base + self.next * stride, bytes)?;
            rest = after;
        }
        self.next += rows;
        raw.rows = rows as usize;
        Ok(rows > 0)
    }
}

impl ArrayLayout {
    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(super) fn select(&mut self, path: &Path, columns: &[usize]) -> Result<(), TableError> {
        self.use_columns(columns.to_vec());
        self.refuse(path)
    }

    fn use_columns(&mut self, columns: Vec<usize>) {
        self.used = columns
            .iter()
            .filter_map(|&column| match self.sources[column] {
                Source::Run { run, .. } => Some(run),
                _ => None,
            })
            .collect();
        self.used.sort_unstable();
        self.used.dedup();
        self.selected = columns;
    }

    /// The error of the first selected column that cannot be read.
    fn refuse(&self, path: &Path) -> Result<(), TableError> {
        let path = path.to_owned();
        let refused = self.selected.iter().find_map(|&column| match &self.sources[column] {
            Source::Refused(refusal) => Some((column, refusal)),
            _ => None,
        });
        Err(match refused {
            None => return Ok(()),
            Some((column, Refusal::Element { found })) => {
                TableError::ElementType { path, column: self.columns[column].name.clone(), found: found.clone() }
            }
            Some((_, Refusal::Lengths { array, found, rows })) => {
                TableError::Lengths { path, array: array.clone(), found: found.clone(), rows: rows.clone() }
            }
            Some((_, Refusal::Order { array })) => TableError::Order { path, array: array.clone() },
        })
    }

    /// Appends the numbers of the selected columns, row by row.
    pub(super) fn decode(&self, path: &Path, raw: &RawRows, values: &mut Vec<f64>) -> Result<usize, TableError> {
        let (before, width, rows) = (values.len(), self.selected.len(), raw.rows);
        values.resize(before + rows * width, 0.0);
        for (j, &column) in self.selected.iter().enumerate() {
            if rows == 0 {
                break;
            }
            let out = &mut values[before + j..];
            let mut fill = |number: &dyn Fn(u64) -> f64| {
                for (row, out) in (raw.first..).zip(out.iter_mut().step_by(width)) {
                    *out = number(row);
                }
            };
            match &self.sources[column] {
                Source::Shared(numbers) => fill(&|row| numbers[(row % numbers.len() as u64) as usize]),
                Source::Each { numbers, rows } => fill(&|row| numbers[(row / rows) as usize]),
                Source::Trajectory { rows } => fill(&|row| (row / rows) as f64),
                Source::Refused(_) => unreachable!("refused before it was read"),
                &Source::Run { run, offset, element } => {
                    let earlier = self.used.iter().take_while(|&&used| used != run);
                    let start: usize = earlier.map(|&used| self.runs[used].stride as usize * rows).sum();
                    let placement = Placement { offset: start + offset, stride: self.runs[run].stride as usize };
                    element.decode(&raw.bytes, placement, out, width).map_err(|refused| TableError::Inexact {
                        path: path.to_owned(),
                        place: Place::Row(raw.first + refused.row as u64),
                        column: self.columns[column].name.clone(),
                        value: refused.value,
                    })?;
                }
            }
        }
        Ok(rows)
    }
}
