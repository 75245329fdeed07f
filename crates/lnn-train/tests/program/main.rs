//! The program as a whole: what it writes, what it survives, what it refuses, what it says.

mod bad_input;
mod command_line;
mod damage;
mod ensemble;
mod errors_document;
mod eval;
mod fields;
mod info;
mod initialisation;
mod interruption;
mod learning;
mod model_files;
mod motions;
mod own_data;
mod plots;
mod properties;
mod reproducibility;
mod shell;
mod small_run;
mod systems;
