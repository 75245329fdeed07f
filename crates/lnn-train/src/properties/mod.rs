//! The paper's table of which model can learn what, measured: every model is trained on the systems that decide a cell,
//! and every cell is a figure held against a threshold.

mod cell;
mod config;
mod error;
mod judge;
mod measure;
mod run;
pub(crate) mod table;

pub use cell::{Cell, Column, Figure, Property, published};
pub use config::{CHARGE, DOUBLE_PENDULUM, PRESETS, PropertiesConfig, RELATIVISTIC};
pub use error::PropertiesError;
pub use judge::judge;
pub use measure::{EnergyDrift, Measured};
pub use run::{PropertiesEvent, PropertiesOptions, PropertiesOutcome, PropertiesSummary, measure_properties};
pub use table::{around_section, properties_markdown, properties_table, replace_section};

/// The experiment's name.
pub const EXPERIMENT: &str = "properties";
