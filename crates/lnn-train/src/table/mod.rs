//! Tables of numbers by name, from a person's own files: CSV, NPY and NPZ in, CSV and NPY out.
//!
//! ```text
//! file → TableReader → rows as they lie in the file → Decoder → numbers, row-major
//!                      read by one thread             on any thread
//! ```
//!
//! Reading is in blocks of rows, so that a table of any length needs the memory of a block. What a column is called is
//! what it means: [`StateColumns`] finds the states among them.

mod arrays;
mod column;
mod error;
mod reader;
mod state_columns;
mod text;
mod writer;

pub use column::Column;
pub use error::{Place, TableError};
pub use reader::{Decoder, RawRows, TableReader};
pub use state_columns::StateColumns;
pub use writer::{Encoder, Existing, TableWriter};

#[cfg(test)]
mod tests;
