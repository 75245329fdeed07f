//! What an NPY header says of its array.

use std::io::{self, Read};
use std::path::Path;

use npyz::{DType, NpyHeader, Order};

use super::super::TableError;

/// Name, shape, order and element type of an array, and how many bytes lie before its numbers.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// Its name in an NPZ.
    pub(super) name: Option<String>,
    pub(super) shape: Vec<u64>,
    pub(super) fortran: bool,
    pub(super) dtype: DType,
    pub(super) start: u64,
}

/// Counts what was read.
struct Counting<R> {
    inner: R,
    bytes: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

impl Header {
    pub(super) fn read(path: &Path, name: Option<&str>, input: impl Read) -> Result<Self, TableError> {
        let mut counting = Counting { inner: input, bytes: 0 };
        let array = name.map(str::to_owned);
        let header = NpyHeader::from_reader(&mut counting).map_err(|error| TableError::Array {
            path: path.to_owned(),
            array: array.clone(),
            message: error.to_string(),
        })?;
        // An order says nothing of fewer than two dimensions.
        let fortran = header.order() == Order::Fortran && header.shape().len() > 1;
        let (shape, dtype) = (header.shape().to_vec(), header.dtype());
        Ok(Self { name: array, shape, fortran, dtype, start: counting.bytes })
    }

    /// Bytes of one element, if every element has as many.
    pub(super) fn element_bytes(&self) -> Option<u64> {
        self.dtype.num_bytes().map(|bytes| bytes as u64)
    }

    /// Bytes of all numbers; `None` for elements of no fixed size, and beyond any file.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(self.element_bytes()?, |bytes, &size| bytes.checked_mul(size))
    }

    /// The shape as numpy prints it.
    pub(super) fn shape_text(&self) -> String {
        let sizes: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        format!("({}{})", sizes.join(", "), if sizes.len() == 1 { "," } else { "" })
    }

    pub(super) fn refused_shape(&self, path: &Path, expected: &'static str) -> TableError {
        let (path, array) = (path.to_owned(), self.name.clone());
        TableError::Shape { path, array, found: self.shape_text(), expected }
    }
}
