//! NPZ: an archive of arrays, each a column or several.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use npyz::DType;
use zip::ZipArchive;

use super::super::TableError;
use super::element::{Element, Placement};
use super::header::Header;
use super::store::{Store, refused};
use super::{ArrayLayout, Arrays, Found, Refusal, Source, numbered};

/// Before columns are made of it: a header may say what it likes.
const MOST_COLUMNS: u64 = 4096;

/// The rows of all columns of an archive.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rows {
    /// One after another.
    Flat { rows: u64 },
    /// `q` is `[trajectories, rows, d]`.
    Trajectories { trajectories: u64, rows: u64 },
}

impl Rows {
    fn of(headers: &[&Header]) -> Option<Self> {
        let named = |name: &str| headers.iter().copied().find(|header| header.name.as_deref() == Some(name));
        if let Some(&[trajectories, rows, _]) = named("q").map(|q| q.shape.as_slice()) {
            return Some(Self::Trajectories { trajectories, rows });
        }
        let leading = ["q", "q0", "t"].into_iter().find_map(named).or_else(|| headers.first().copied())?;
        Some(Self::Flat { rows: leading.shape[0] })
    }

    fn total(self) -> Option<u64> {
        match self {
            Self::Flat { rows } => Some(rows),
            Self::Trajectories { trajectories, rows } => trajectories.checked_mul(rows),
        }
    }

    fn words(self) -> String {
        match self {
            Self::Flat { rows } => format!("the table's {rows} row(s)"),
            Self::Trajectories { trajectories, rows } => {
                format!("the {trajectories} trajectories of {rows} row(s) of `q`")
            }
        }
    }

    /// How many numbers a row an array of this shape has; `None` if it has other rows.
    fn columns(self, shape: &[u64]) -> Option<u64> {
        match (self, shape) {
            (Self::Flat { rows }, &[n]) if n == rows => Some(1),
            (Self::Flat { rows }, &[n, columns]) if n == rows => Some(columns),
            (Self::Trajectories { trajectories, rows }, &[t, n]) if (t, n) == (trajectories, rows) => Some(1),
            (Self::Trajectories { trajectories, rows }, &[t, n, columns]) if (t, n) == (trajectories, rows) => {
                Some(columns)
            }
            _ => None,
        }
    }
}

/// Opens an archive. Arrays without a dimension, such as a time step kept beside the data, are no columns.
pub(super) fn open(path: &Path, names: Option<&[String]>) -> Result<(Arrays, ArrayLayout), TableError> {
    let file = File::open(path).map_err(|source| TableError::Read { path: path.to_owned(), source })?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| refused(path, None, &error))?;
    let mut stores = Vec::new();
    for member in 0..archive.len() {
        let packed = archive.by_index(member).map_err(|error| refused(path, None, &error))?;
        let member_name = packed.name().map(std::borrow::Cow::into_owned).unwrap_or_default();
        let Some(name) = member_name.strip_suffix(".npy") else { continue };
        let length = packed.size();
        let header = Header::read(path, Some(name), packed)?;
        if !header.shape.is_empty() {
            stores.push(Store::of_member(path, header, member, length)?);
        }
    }
    let headers: Vec<&Header> = stores.iter().map(Store::header).collect();
    if names.is_some() {
        let names = headers.iter().filter_map(|header| header.name.clone()).collect();
        return Err(TableError::NamesOfItsOwn { path: path.to_owned(), names });
    }
    let rows = Rows::of(&headers).ok_or_else(|| TableError::NoArray { path: path.to_owned() })?;
    let total = rows.total().ok_or_else(|| headers[0].refused_shape(path, "no file holds as many rows"))?;
    let mut found = Found::default();
    if let Rows::Trajectories { rows, .. } = rows
        && !headers.iter().any(|header| header.name.as_deref() == Some("trajectory"))
    {
        found.push("trajectory", Source::Trajectory { rows });
    }
    for (number, store) in stores.iter_mut().enumerate() {
        push_array(path, &mut found, number, store, rows, total)?;
    }
    Ok((Arrays { stores, rows: total, next: 0 }, found.finish(path)?))
}

/// The columns of one array.
fn push_array(
    path: &Path,
    found: &mut Found,
    number: usize,
    store: &mut Store,
    rows: Rows,
    total: u64,
) -> Result<(), TableError> {
    let header = store.header().clone();
    let name = header.name.as_deref().unwrap_or_default();
    if let DType::Record(_) = header.dtype {
        found.push(name, Source::Refused(Refusal::Element { found: header.dtype.descr() }));
        return Ok(());
    }
    if let Some(columns) = rows.columns(&header.shape) {
        if columns > MOST_COLUMNS {
            return Err(header.refused_shape(path, "a table has at most 4096 columns"));
        }
        let names = numbered(name, columns);
        if header.fortran && matches!(rows, Rows::Trajectories { .. }) {
            for name in &names {
                found.push(name, Source::Refused(Refusal::Order { array: header.name.clone() }));
            }
        } else {
            found.push_array(number, &header, total, &names);
        }
        return Ok(());
    }
    // One number a row of every trajectory is of use for the time; anything else belongs to a trajectory.
    let of_trajectories = match (rows, header.shape.as_slice()) {
        (Rows::Trajectories { rows, .. }, &[n]) if name == "t" && n == rows => Some((true, rows)),
        (Rows::Trajectories { trajectories, rows }, &[n]) if name != "t" && n == trajectories => Some((false, rows)),
        _ => None,
    };
    let Some((shared, rows)) = of_trajectories else {
        // Under the names that it would have, so that who asks for one of them is told why it cannot be read.
        let columns = header.shape[1..].last().copied().unwrap_or(1);
        for column in numbered(name, columns.min(MOST_COLUMNS)) {
            let (array, found_shape) = (name.to_owned(), header.shape_text());
            let refusal = Refusal::Lengths { array, found: found_shape, rows: rows.words() };
            found.push(&column, Source::Refused(refusal));
        }
        return Ok(());
    };
    let source = match Element::of(&header.dtype) {
        Err(found) => Source::Refused(Refusal::Element { found }),
        Ok(element) => {
            let numbers = all_numbers(path, store, element)?;
            if shared { Source::Shared(numbers) } else { Source::Each { numbers, rows } }
        }
    };
    found.push(name, source);
    Ok(())
}

/// The numbers of an array `[n]`.
fn all_numbers(path: &Path, store: &mut Store, element: Element) -> Result<Arc<[f64]>, TableError> {
    let header = store.header().clone();
    let size = header.element_bytes().unwrap_or(0) as usize;
    let count = header.shape[0] as usize;
    let mut bytes = vec![0; count * size];
    store.read(path, 0, &mut bytes)?;
    let mut numbers = vec![0.0; count];
    let placement = Placement { offset: 0, stride: size };
    element.decode(&bytes, placement, &mut numbers, 1).map_err(|refused| TableError::Inexact {
        path: path.to_owned(),
        place: super::Place::Row(refused.row as u64),
        column: header.name.unwrap_or_default(),
        value: refused.value,
    })?;
    Ok(numbers.into())
}
