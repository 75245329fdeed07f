//! The program as a whole: what it writes, what it survives, what it refuses, what it says.

mod bad_input;
mod command_line;
mod damage;
mod errors_document;
mod eval;
mod fields;
mod initialisation;
mod interruption;
mod learning;
mod own_data;
mod properties;
mod reproducibility;
mod small_run;
mod systems;
