//! Reverse mode: a record of operations, replayed backwards.

mod adjoints;
mod record;
mod var;

pub use adjoints::Adjoints;
pub use record::Tape;
pub use var::Var;
