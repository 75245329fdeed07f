//! The report of a training on measured data: page, figures, table for the terminal, and the held-out motions beside the
//! model's as a table of numbers.
//!
//! ```text
//! report.html                 self-contained page: what the data are, errors, figures, configuration
//! figures/<name>.svg, .png    rollout, distance, energy, loss
//! rollouts.csv                every held-out motion and the model's from the same start
//! ```

mod figures;
mod findings;
mod page;
mod rollouts;
mod table;

use std::path::Path;

pub use findings::findings_table;
pub use table::measured_table;

use super::{ReportError, ReportFiles, SaveFile, draw_files};
use crate::measured::{Labels, MeasuredRollout, MeasuredSummary};
use crate::record::MetricsLine;
use crate::store::create_folder;

/// What the report of a training on measured data is made of.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredReportInput<'a> {
    /// What was measured of the model.
    pub summary: &'a MeasuredSummary,
    /// The training log.
    pub metrics: &'a [MetricsLine],
    /// One entry a held-out motion.
    pub rollouts: &'a [MeasuredRollout],
    /// Names and units of the columns.
    pub labels: &'a Labels,
    /// Whether each coordinate is an angle.
    pub angles: &'a [bool],
    /// The configuration as text.
    pub config_ron: &'a str,
    /// Command line that repeats the run.
    pub command: &'a str,
}

/// Writes the page, the figures and `rollouts.csv` under `directory`, each file through `save`.
///
/// Existing files of the same names are replaced. Everything is made in memory first.
///
/// # Errors
/// [`ReportError::Page`], [`ReportError::Figure`], [`ReportError::Raster`], [`ReportError::Trajectories`] or
/// [`ReportError::Store`].
pub fn write_measured(
    directory: &Path,
    input: &MeasuredReportInput<'_>,
    save: &SaveFile<'_>,
) -> Result<ReportFiles, ReportError> {
    let figures = figures::all(input);
    let page = page::html(input, &figures)?;
    let table = rollouts::csv(input.labels, input.rollouts)?;
    let drawn = draw_files(&figures)?;
    let put = |path: std::path::PathBuf, bytes: &[u8]| save(&path, bytes).map(|()| path);
    let folder = directory.join("figures");
    create_folder(&folder)?;
    let figures = drawn.iter().map(|(name, bytes)| put(folder.join(name), bytes)).collect::<Result<Vec<_>, _>>()?;
    let trajectories = vec![put(directory.join("rollouts.csv"), &table)?];
    // Last, so that a page on the disk has all its companions.
    let page = put(directory.join("report.html"), page.as_bytes())?;
    Ok(ReportFiles { page, figures, trajectories })
}
