//! Figures on request: of motions in a table or a run's folder, and of what a model has learned.
//!
//! ```text
//! table → MotionTable → phase portrait, energy
//! model → LearnedView → maps of the mass matrix over two variables, potential along a line
//! ```
//!
//! A figure is a [`Drawing`]: its SVG, and the name of its files.

mod energy;
mod learned;
mod mass_matrix;
mod motions;
mod phase;
mod potential;

use std::path::{Path, PathBuf};

pub use energy::energy;
pub use learned::{LearnedView, Variable};
pub use mass_matrix::mass_matrix;
pub use motions::{EnergyColumn, MotionTable, Track, TrackChoice};
pub use phase::phase;
pub use potential::potential;

use crate::quantities::MissingMomenta;
use crate::report::draw::{WIDE, svg};
use crate::report::draw_heat;
use crate::report::figure::Figure;
use crate::report::heat::HeatFigure;
use crate::report::raster::{RasterError, Rasteriser};
use crate::store::{StoreError, create_folder, write_atomically, write_unless_there};
use crate::table::{Place, TableError};

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A table without a row, or without one of the trajectories asked for.
    #[error("{} has no row{}; nothing can be drawn", path.display(), number.map_or(String::new(), |n| format!(" of trajectory {n}")))]
    NoRows {
        /// The table.
        path: PathBuf,
        /// The trajectory, if one was asked for.
        number: Option<f64>,
    },
    /// A number that is NaN or infinite.
    #[error("{}, {place}, column `{column}` is {given}; a figure needs finite numbers, so leave the row out", path.display())]
    NotFinite {
        /// The table.
        path: PathBuf,
        /// The row.
        place: Place,
        /// The column.
        column: String,
        /// What is there.
        given: f64,
    },
    /// A variable that the model does not have.
    #[error("there is no `{given}` to {purpose}; {}", crate::config::suggestion(given, valid.iter().map(String::as_str)))]
    UnknownVariable {
        /// The name.
        given: String,
        /// What it was given for.
        purpose: &'static str,
        /// Names there are.
        valid: Vec<String>,
    },
    /// A range without an interior, or with a NaN.
    #[error("the range of `{name}` is {low}..{high}; give two finite numbers, the lower one first")]
    Range {
        /// The variable.
        name: String,
        /// Its lower end.
        low: f64,
        /// Its upper end.
        high: f64,
    },
    /// A figure of what the model does not have.
    #[error("{} has no {what}; {remedy}", path.display())]
    NotLearned {
        /// The model's file.
        path: PathBuf,
        /// What was to be drawn.
        what: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },
    /// Two figures of one name.
    #[error("two figures would be {}; draw them into folders of their own", path.display())]
    SameName {
        /// The file.
        path: PathBuf,
    },
    /// A figure that is there already.
    #[error("{} is there already, and nothing was changed; add --overwrite, or choose another folder with --out", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Momenta that are not known.
    #[error(transparent)]
    Momenta(#[from] MissingMomenta),
    /// The drawing surface.
    #[error("figure `{figure}` cannot be drawn: {reason}")]
    Draw {
        /// The figure.
        figure: String,
        /// What the surface reported.
        reason: String,
    },
    /// Pixels.
    #[error(transparent)]
    Raster(#[from] RasterError),
    /// A file.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A figure, drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// Stem of its files.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The picture.
    pub svg: String,
}

impl Drawing {
    fn of_curves(name: String, figure: &Figure) -> Result<Self, PlotError> {
        let svg =
            svg(figure, WIDE).map_err(|error| PlotError::Draw { figure: name.clone(), reason: error.to_string() })?;
        Ok(Self { name, title: figure.title.clone(), svg })
    }

    fn of_maps(name: String, figure: &HeatFigure) -> Result<Self, PlotError> {
        let svg = draw_heat::svg(figure, WIDE)
            .map_err(|error| PlotError::Draw { figure: name.clone(), reason: error.to_string() })?;
        Ok(Self { name, title: figure.title.clone(), svg })
    }
}

/// Writes each drawing as `<name>.svg` and `<name>.png` into `folder`, which is made if it is not there, and returns the
/// files. Nothing is written if one of them is there, unless `overwrite`.
///
/// # Errors
/// [`PlotError::Exists`], [`PlotError::SameName`], or a file that cannot be made.
pub fn write_drawings(folder: &Path, drawings: &[Drawing], overwrite: bool) -> Result<Vec<PathBuf>, PlotError> {
    let rasteriser = Rasteriser::new();
    let mut files = Vec::with_capacity(2 * drawings.len());
    for drawing in drawings {
        let path = folder.join(format!("{}.svg", drawing.name));
        if files.iter().any(|(known, _)| *known == path) {
            return Err(PlotError::SameName { path });
        }
        files.push((path, drawing.svg.clone().into_bytes()));
        files.push((folder.join(format!("{}.png", drawing.name)), rasteriser.png(&drawing.svg)?));
    }
    if let Some((path, _)) = files.iter().find(|(path, _)| !overwrite && path.exists()) {
        return Err(PlotError::Exists { path: path.clone() });
    }
    create_folder(folder)?;
    files
        .into_iter()
        .map(|(path, bytes)| {
            if overwrite {
                write_atomically(&path, &bytes)?;
            } else if !write_unless_there(&path, &bytes)? {
                // It was made since.
                return Err(PlotError::Exists { path });
            }
            Ok(path)
        })
        .collect()
}

#[cfg(test)]
mod tests;
