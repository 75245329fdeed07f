//! The report of a run: a table for the terminal, figures, a page with an animation, and the rollouts
//! as a table of numbers.
//!
//! [`write()`] takes the run's records as they are and writes
//!
//! ```text
//! report.html             self-contained page: table, figures, animation, configuration
//! figures/<name>.svg      loss, angles, energy, energy_error, mass_matrix; of an ensemble ensemble_learning, ensemble_errors
//! figures/<name>.png      the same at twice the size, drawn with an embedded font
//! trajectories.csv        every frame of every rollout
//! ```
//!
//! A figure without data is left out: a run with no mass matrix has no `mass_matrix.svg`.

mod animation;
pub(crate) mod axis;
pub(crate) mod colour_map;
pub(crate) mod draw;
pub(crate) mod draw_heat;
mod ensemble;
mod field;
pub(crate) mod figure;
mod figures;
#[cfg(test)]
mod fixture;
pub(crate) mod heat;
mod initialisation;
mod input;
mod kinds;
mod measure;
mod measured;
pub(crate) mod number;
mod page;
pub(crate) mod palette;
pub(crate) mod picture;
mod properties;
pub(crate) mod raster;
pub(crate) mod ruled_table;
mod seeds;
mod table;
mod tiles;
mod trajectories;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub use ensemble::ensemble_table;
pub use field::{FieldReportInput, field_table, write_field};
pub use initialisation::{InitialisationInput, initialisation_table, write_initialisation};
pub use input::{Coordinate, PendulumGeometry, ReportInput, SystemDescription};
pub use measured::{MeasuredReportInput, findings_table, measured_table, write_measured};
pub(crate) use number::{duration, significant};
pub use page::PageError;
pub use properties::write_properties;
pub use raster::RasterError;
pub use seeds::seeds_table;
pub use table::terminal_table;

use crate::store::{StoreError, create_folder};
use figure::Figure;
use raster::Rasteriser;

/// Writes one whole file; the report leaves it to the caller how that is made atomic.
pub type SaveFile<'a> = dyn Fn(&Path, &[u8]) -> Result<(), StoreError> + 'a;

/// Where the report's files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportFiles {
    /// The page.
    pub page: PathBuf,
    /// The figures, each as SVG and then as PNG.
    pub figures: Vec<PathBuf>,
    /// The rollouts as tables of numbers; empty if the run has none.
    pub trajectories: Vec<PathBuf>,
}

/// Why a report could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The records contradict each other.
    #[error("the report cannot use the rollouts: {what} is {given}, expected {expected}")]
    Inconsistent {
        /// The quantity, in words.
        what: String,
        /// Its value.
        given: String,
        /// What it has to be.
        expected: String,
    },
    /// The page could not be made.
    #[error(transparent)]
    Page(#[from] PageError),
    /// A figure could not be drawn.
    #[error("figure '{figure}' cannot be drawn: {reason}")]
    Figure {
        /// The figure's name.
        figure: String,
        /// What the drawing surface reported.
        reason: String,
    },
    /// A figure could not be turned into pixels.
    #[error("figure '{figure}' has no PNG: {source}")]
    Raster {
        /// The figure's name.
        figure: String,
        /// What went wrong.
        source: RasterError,
    },
    /// The rollouts could not be written as comma-separated values.
    #[error("the rollouts cannot be written as comma-separated values: {0}")]
    Trajectories(#[from] csv::Error),
    /// A file or folder could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes the page, the figures and the rollouts under `directory`, each file through `save`.
///
/// Existing files of the same names are replaced. Everything is made in memory first, so records that
/// cannot be used leave the folder as it was.
///
/// # Errors
///
/// [`ReportError::Inconsistent`] if the rollouts do not fit the system or each other, and the other
/// variants for what their names say.
pub fn write(directory: &Path, input: &ReportInput<'_>, save: &SaveFile<'_>) -> Result<ReportFiles, ReportError> {
    check(input)?;
    let (figures, of_ensemble) = (figures::all(input), figures::ensemble(input));
    let page = page::html(input, &figures, &of_ensemble)?;
    let trajectories = if input.rollouts.truth.is_empty() { None } else { Some(trajectories::csv(input.rollouts)?) };
    let drawn = [draw_files(&figures)?, draw_files(&of_ensemble)?].concat();

    let put = |path: PathBuf, bytes: &[u8]| save(&path, bytes).map(|()| path);
    let folder = directory.join("figures");
    create_folder(&folder)?;
    let figures = drawn.iter().map(|(name, bytes)| put(folder.join(name), bytes)).collect::<Result<Vec<_>, _>>()?;
    let trajectories = trajectories.map(|bytes| put(directory.join("trajectories.csv"), &bytes)).transpose()?;
    let trajectories = trajectories.into_iter().collect();
    // Last, so that a page on the disk has all its companions.
    let page = put(directory.join("report.html"), page.as_bytes())?;
    Ok(ReportFiles { page, figures, trajectories })
}

/// Draws each figure as SVG and as PNG, with the files' names.
fn draw_files(figures: &[Figure]) -> Result<Vec<(String, Vec<u8>)>, ReportError> {
    let rasteriser = Rasteriser::new();
    let mut drawn = Vec::with_capacity(2 * figures.len());
    for figure in figures {
        let name = figure.name;
        let svg = draw::svg(figure, draw::WIDE)
            .map_err(|error| ReportError::Figure { figure: name.to_owned(), reason: error.to_string() })?;
        let png = rasteriser.png(&svg).map_err(|source| ReportError::Raster { figure: name.to_owned(), source })?;
        drawn.push((format!("{name}.svg"), svg.into_bytes()));
        drawn.push((format!("{name}.png"), png));
    }
    Ok(drawn)
}

/// Refuses records that contradict each other, so that no figure has to.
fn check(input: &ReportInput<'_>) -> Result<(), ReportError> {
    let (rollouts, system) = (input.rollouts, input.system);
    let expect = |holds: bool, what: &str, given: String, expected: String| {
        if holds { Ok(()) } else { Err(ReportError::Inconsistent { what: what.to_owned(), given, expected }) }
    };
    let reference = system.energy_reference.value;
    expect(
        reference.is_finite() && reference > 0.0,
        "the reference energy",
        reference.to_string(),
        "a positive number".to_owned(),
    )?;
    if rollouts.truth.is_empty() && rollouts.models.is_empty() {
        return Ok(());
    }
    let dof = system.coordinates.len();
    expect(
        rollouts.dof == dof && dof > 0,
        "the number of degrees of freedom",
        rollouts.dof.to_string(),
        format!("{dof}, the number of the system's coordinates, and at least one"),
    )?;
    let truth = ("truth", &rollouts.truth);
    let models = rollouts.models.iter().map(|(name, all)| (name.as_str(), all));
    for (name, trajectories) in std::iter::once(truth).chain(models) {
        expect(
            trajectories.len() == rollouts.truth.len(),
            &format!("the number of rollouts of '{name}'"),
            trajectories.len().to_string(),
            format!("{}, as many as the truth has", rollouts.truth.len()),
        )?;
        for (index, trajectory) in trajectories.iter().enumerate() {
            let frames = trajectory.energies.len();
            expect(
                trajectory.states.len() == 2 * dof * frames,
                &format!("the length of the states of rollout {index} of '{name}'"),
                trajectory.states.len().to_string(),
                format!("{}: 2 × {dof} values for each of its {frames} energies", 2 * dof * frames),
            )?;
            let all = rollouts.times.len();
            let complete = if trajectory.failure.is_none() { frames == all } else { frames <= all };
            expect(
                complete,
                &format!("the number of frames of rollout {index} of '{name}'"),
                frames.to_string(),
                format!("{all}, one for each time, or fewer with a stated failure"),
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::store::write_atomically as save;
    use resvg::tiny_skia::Pixmap;

    #[test]
    fn the_whole_report_is_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (summary, rollouts, metrics, system) = fixture::run();
        let input = fixture::input(&summary, &metrics, &rollouts, &system);
        let files = write(folder.path(), &input, &save).expect("complete input");
        assert_eq!(files.figures.len(), 10);
        assert!(files.page.ends_with("report.html") && files.page.is_file());
        assert!(files.trajectories.len() == 1 && files.trajectories[0].is_file());
        for pair in files.figures.chunks(2) {
            let svg = std::fs::read_to_string(&pair[0]).expect("written");
            let bytes = std::fs::read(&pair[1]).expect("written");
            let picture = Pixmap::decode_png(&bytes).expect("a PNG");
            assert_eq!(picture.width(), draw::WIDE * raster::SCALE);
            assert!(svg.contains(&format!("height=\"{}\"", picture.height() / raster::SCALE)));
            let blue = picture
                .pixels()
                .iter()
                .filter(|pixel| (pixel.red(), pixel.green(), pixel.blue()) == (0x00, 0x72, 0xB2))
                .count();
            assert!(blue > 100, "{}: {blue} pixels of the LNN's colour", pair[1].display());
        }
    }

    #[test]
    fn a_run_without_rollouts_has_the_rest_of_the_report() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (summary, _, metrics, system) = fixture::run();
        let nothing = crate::record::Rollouts::default();
        let input = fixture::input(&summary, &metrics, &nothing, &system);
        let files = write(folder.path(), &input, &save).expect("usable input");
        assert_eq!(files.figures.len(), 4);
        assert!(files.trajectories.is_empty());
    }

    #[test]
    fn contradictions_are_named_and_nothing_is_written() {
        let (summary, rollouts, metrics, system) = fixture::run();
        let refused = |change: &dyn Fn(&mut crate::record::Rollouts, &mut SystemDescription)| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (mut rollouts, mut system) = (rollouts.clone(), system.clone());
            change(&mut rollouts, &mut system);
            let input = fixture::input(&summary, &metrics, &rollouts, &system);
            let error = write(folder.path(), &input, &save).expect_err("a contradiction");
            let left = std::fs::read_dir(folder.path()).expect("readable").count();
            assert_eq!(left, 0);
            assert!(matches!(error, ReportError::Inconsistent { .. }));
            error.to_string()
        };
        assert!(refused(&|rollouts, _| rollouts.dof = 3).contains("degrees of freedom is 3"));
        assert!(refused(&|_, system| system.energy_reference.value = 0.0).contains("reference energy"));
        assert!(refused(&|rollouts, _| rollouts.truth.truncate(2)).contains("rollouts of"));
        assert!(refused(&|rollouts, _| rollouts.truth[0].states.truncate(5)).contains("states"));
        assert!(
            refused(&|rollouts, _| rollouts.truth[0] = fixture::truncated(&rollouts.truth[0], 3))
                .contains("frames of rollout 0 of 'truth' is 3")
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (summary, rollouts, metrics, system) = fixture::run();
        let input = fixture::input(&summary, &metrics, &rollouts, &system);
        let full = |path: &Path, _: &[u8]| {
            Err(StoreError::Write { path: path.to_owned(), source: io::Error::from(io::ErrorKind::StorageFull) })
        };
        let message = write(folder.path(), &input, &full).expect_err("no room").to_string();
        for words in ["angles.svg", "cannot write", "free some space"] {
            assert_eq!(message.matches(words).count(), 1, "{words}: {message}");
        }
    }
}
