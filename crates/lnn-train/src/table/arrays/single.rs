//! NPY: one array, structured or plain.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use npyz::DType;

use super::super::TableError;
use super::header::Header;
use super::store::Store;
use super::{ArrayLayout, Arrays, Found, Run, numbered};

/// Opens a file with one array; `names` are those of a plain one.
pub(super) fn open(path: &Path, names: Option<&[String]>) -> Result<(Arrays, ArrayLayout), TableError> {
    let file = File::open(path).map_err(|source| TableError::Read { path: path.to_owned(), source })?;
    let header = Header::read(path, None, BufReader::new(&file))?;
    let mut found = Found::default();
    let rows = match (&header.dtype, header.shape.as_slice()) {
        (DType::Record(_), &[rows]) => {
            push_fields(&mut found, &header);
            if names.is_some() {
                let names = found.columns.iter().map(|column| column.name.clone()).collect();
                return Err(TableError::NamesOfItsOwn { path: path.to_owned(), names });
            }
            rows
        }
        (DType::Record(_), _) => {
            return Err(header.refused_shape(path, "a structured array needs one dimension: (rows,)"));
        }
        (_, &[rows] | &[rows, _]) => {
            let columns = header.shape.get(1).map_or(1, |&columns| columns as usize);
            let Some(names) = names else { return Err(TableError::NamesNeeded { path: path.to_owned(), columns }) };
            if names.len() != columns {
                let (given, expected) = (names.len(), columns);
                return Err(TableError::NameCount { path: path.to_owned(), given, expected });
            }
            found.push_array(0, &header, rows, names);
            rows
        }
        _ => return Err(header.refused_shape(path, "a table needs two dimensions: (rows, columns)")),
    };
    let store = Store::of_file(path, header, file)?;
    Ok((Arrays { stores: vec![store], rows, next: 0 }, found.finish(path)?))
}

/// Numbers of one field that are taken for columns; an image, say, is none.
const MOST_NUMBERS: u64 = 4096;

/// The fields of a structured array; one of several numbers is as many columns.
fn push_fields(found: &mut Found, header: &Header) {
    let DType::Record(fields) = &header.dtype else { return };
    let mut elements = Vec::new();
    let mut offset = 0;
    for field in fields {
        let bytes = field.dtype.num_bytes().unwrap_or(0) as u64;
        match &field.dtype {
            // Numpy pads aligned records with fields without a name.
            _ if field.name.is_empty() => {}
            DType::Array(count, each) if *count <= MOST_NUMBERS && matches!(**each, DType::Plain(_)) => {
                let size = each.num_bytes().unwrap_or(0) as u64;
                let names = (0..).zip(numbered(&field.name, *count));
                elements.extend(names.map(|(j, name)| (name, offset + j * size, &**each)));
            }
            other => elements.push((field.name.clone(), offset, other)),
        }
        offset += bytes;
    }
    let stride = header.element_bytes().unwrap_or(0);
    found.push_run(Run { store: 0, base: 0, stride }, elements);
}
