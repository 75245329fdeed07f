//! The report of a run on fields: page, figures, terminal table, and the motions as tables of numbers.
//!
//! ```text
//! report.html                 self-contained page: result in words, table, animation, figures, configuration
//! figures/<name>.svg, .png    space_time-<motion> or snapshots-<motion>, energy, density, loss
//! motion-<motion>.csv         every motion, thinned to a size that other programs open
//! ```

mod animation;
mod check;
mod figures;
#[cfg(test)]
mod fixture;
mod measure;
mod page;
mod sentence;
mod table;
mod trajectories;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use table::field_table;

use super::palette::{ModelStyle, styles_of};
use super::raster::Rasteriser;
use super::{ReportError, ReportFiles, SaveFile, draw};
use crate::field::{DensityComparison, FieldMotion, FieldSummary};
use crate::record::MetricsLine;
use crate::store::create_folder;

/// What the report of a run on fields is made of.
#[derive(Clone, Copy, Debug)]
pub struct FieldReportInput<'a> {
    /// What was measured.
    pub summary: &'a FieldSummary,
    /// The training log of all models.
    pub metrics: &'a [MetricsLine],
    /// One entry an initial state.
    pub motions: &'a [FieldMotion],
    /// One entry a model whose density is compared with the true one.
    pub densities: &'a [DensityComparison],
    /// What kind each model is of, in words, by its name.
    pub kinds: &'a BTreeMap<String, &'static str>,
    /// The configuration as text.
    pub config_ron: &'a str,
    /// Command line that repeats the run.
    pub command: &'a str,
}

/// Writes the page, the figures and the motions under `folder`, each file through `write`.
///
/// Existing files of the same names are replaced. Everything is made in memory first, so records that
/// cannot be used leave the folder as it was. A figure without data is left out.
///
/// # Errors
///
/// [`ReportError::Inconsistent`] if motions contradict themselves or each other, and the other variants for
/// what their names say.
pub fn write_field(
    folder: &Path,
    input: &FieldReportInput<'_>,
    write: &SaveFile<'_>,
) -> Result<ReportFiles, ReportError> {
    check::consistent(input)?;
    let figures = figures::all(input)?;
    let page = page::html(input, &figures)?;
    let mut drawn = Vec::with_capacity(2 * figures.len());
    let rasteriser = Rasteriser::new();
    for figure in &figures {
        let name = figure.name();
        let svg = figure
            .svg(draw::WIDE)
            .map_err(|error| ReportError::Figure { figure: name.to_owned(), reason: error.to_string() })?;
        let png = rasteriser.png(&svg).map_err(|source| ReportError::Raster { figure: name.to_owned(), source })?;
        drawn.push((format!("{name}.svg"), svg.into_bytes()));
        drawn.push((format!("{name}.png"), png));
    }
    let tables = input.motions.iter().filter_map(|motion| trajectories::csv(motion).transpose());
    let tables = tables.collect::<Result<Vec<_>, _>>()?;

    let put = |path: PathBuf, bytes: &[u8]| write(&path, bytes).map(|()| path);
    let figures_folder = folder.join("figures");
    create_folder(&figures_folder)?;
    let figures = drawn.iter().map(|(name, bytes)| put(figures_folder.join(name), bytes)).collect::<Result<_, _>>()?;
    let trajectories = tables.iter().map(|(name, bytes)| put(folder.join(name), bytes)).collect::<Result<_, _>>()?;
    // Last, so that a page on the disk has all its companions.
    let page = put(folder.join("report.html"), page.as_bytes())?;
    Ok(ReportFiles { page, figures, trajectories })
}

/// The models of a run in the report's order: `lgn`, `cnn`, then the others by name.
fn styles<'a>(summary: &'a FieldSummary, motions: &'a [FieldMotion]) -> Vec<ModelStyle> {
    let moving = motions.iter().flat_map(|motion| motion.models.keys());
    styles_of(summary.models.keys().chain(moving), ["lgn", "cnn"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::write_atomically;

    fn written(run: &fixture::Run) -> (tempfile::TempDir, ReportFiles) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = write_field(folder.path(), &run.input(), &write_atomically).expect("complete input");
        (folder, files)
    }

    fn names(files: &[PathBuf]) -> Vec<&str> {
        files.iter().filter_map(|path| path.file_name()?.to_str()).collect()
    }

    #[test]
    fn the_whole_report_is_written() {
        let mut run = fixture::run();
        run.motions.push(fixture::large());
        let (_folder, files) = written(&run);
        assert!(files.page.is_file() && files.figures.iter().chain(&files.trajectories).all(|path| path.is_file()));
        assert_eq!(names(&files.trajectories), ["motion-bump.csv", "motion-smooth.csv"]);
        let figures = ["space_time-bump", "space_time-smooth", "energy", "density", "loss"];
        let expected: Vec<String> =
            figures.iter().flat_map(|name| [format!("{name}.svg"), format!("{name}.png")]).collect();
        assert_eq!(names(&files.figures), expected);
    }

    #[test]
    fn contradictions_are_named_and_nothing_is_written() {
        let refused = |change: &dyn Fn(&mut fixture::Run)| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let mut run = fixture::run();
            change(&mut run);
            let error = write_field(folder.path(), &run.input(), &write_atomically).expect_err("a contradiction");
            assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0);
            assert!(matches!(error, ReportError::Inconsistent { .. }));
            error.to_string()
        };
        let cnn = |run: &mut fixture::Run, change: &dyn Fn(&mut crate::field::FieldTrajectory)| {
            change(run.motions[0].models.get_mut("cnn").expect("the fixture has it"));
        };
        assert!(refused(&|run| run.motions[1].name = "bump".to_owned()).contains("'bump', expected another name"));
        assert!(refused(&|run| run.motions[1].name = "../a".to_owned()).contains("file's name"));
        assert!(refused(&|run| run.motions[0].shape = [0, 3]).contains("0 × 3 sites"));
        assert!(refused(&|run| run.motions[0].times[1] = 0.0).contains("the times of 'bump' is not increasing"));
        assert!(refused(&|run| run.motions[0].times.clear()).contains("none"));
        assert!(refused(&|run| run.motions[0].truth.truncate(7)).contains("true states of 'bump' is 7"));
        assert!(refused(&|run| cnn(run, &|one| one.states.truncate(200))).contains("states of model 'cnn'"));
        assert!(refused(&|run| cnn(run, &|one| one.learned_energy = vec![1.0])).contains("learned energies"));
        assert!(refused(&|run| cnn(run, &|one| one.energy.push(1.0))).contains("is 402, expected 401"));
        assert!(refused(&|run| run.densities[0].panels[0].truth.truncate(2)).contains("2 and 41, expected 41"));
    }
}
