//! One search over the whole grid, from its configuration to its report.

use std::cell::{Cell as Counter, RefCell};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use lnn_physics::System;
use lnn_physics::systems::DoublePendulum;
use serde::{Deserialize, Serialize};

use super::cell::{Cell, read_cells, write_cells};
use super::config::SearchConfig;
use super::ensemble::Ensemble;
use super::error::SearchError;
use super::scaling_law::{FittedLaw, fit_laws, published_deviations};
use super::search::minimise;
use crate::report::{self, ReportFiles};
use crate::store::{FolderConfiguration, RunFolder, RunState, StoreError, write_atomically};
use crate::thread_pool::thread_pool;

/// Name of the file of finished cells in the run's folder.
const CELLS: &str = "cells.jsonl";

/// What to search, where and how.
#[derive(Clone, Debug)]
pub struct SearchOptions {
    /// The configuration; its [`problems`](SearchConfig::problems) are none.
    pub config: SearchConfig,
    /// The run's folder.
    pub folder: PathBuf,
    /// Go on with an unfinished run, or report a finished one again.
    pub resume: bool,
    /// Threads; 0 takes one a core.
    pub threads: usize,
    /// Command line that repeats the run, for the report.
    pub command: String,
}

/// What happens during a search; shown to a person.
#[derive(Debug)]
pub enum SearchEvent<'a> {
    /// The folder is claimed and the threads run.
    Started {
        /// The run's folder.
        folder: PathBuf,
        /// Number of threads.
        threads: usize,
        /// How far the folder's run had come.
        state: RunState,
        /// Cells found by earlier sessions.
        found: usize,
        /// Cells of the grid.
        cells: usize,
    },
    /// A cell's search begins.
    Searching {
        /// Width.
        width: usize,
        /// Number of hidden layers.
        hidden_layers: usize,
        /// The search's place in the grid, from 1.
        number: usize,
        /// Cells of the grid.
        cells: usize,
    },
    /// The objective was evaluated.
    Evaluated {
        /// Evaluations of this cell's search so far.
        evaluations: usize,
        /// The objective's smallest value so far.
        least: f64,
    },
    /// A cell's search ended, and the cell is on the disk.
    Found {
        /// What was found.
        cell: &'a Cell,
        /// Time it took.
        seconds: f64,
    },
    /// The report is being written.
    Reporting,
}

/// `summary.json` of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchSummary {
    /// Always `initialisation`.
    pub experiment: String,
    /// Preset or recipe.
    pub preset: String,
    /// Seed.
    pub seed: u64,
    /// Threads of the session that finished the search.
    pub threads: usize,
    /// Time of the session that finished the search.
    pub wall_seconds: f64,
    /// The grid's cells.
    pub cells: Vec<Cell>,
    /// The laws fitted to them.
    pub laws: Vec<FittedLaw>,
}

/// How a search ended.
#[derive(Debug)]
pub enum SearchOutcome {
    /// All done.
    Finished {
        /// What was found, as in `summary.json`.
        summary: Box<SearchSummary>,
        /// Where the report is.
        report: ReportFiles,
    },
    /// Stopped on request; the finished cells are on the disk.
    Interrupted,
}

/// Searches every cell of the grid that the folder does not hold yet, fits the laws and writes the report.
///
/// The result depends on the configuration alone, not on the number of threads or of sessions.
///
/// # Errors
/// See [`SearchError`]; cells found so far stay in the folder.
pub fn search(
    options: &SearchOptions,
    stop: &AtomicBool,
    observe: &mut (dyn FnMut(SearchEvent<'_>) + Send),
) -> Result<SearchOutcome, SearchError> {
    thread_pool(options.threads)?.install(|| search_in_pool(options, stop, observe))
}

fn search_in_pool(
    options: &SearchOptions,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(SearchEvent<'_>),
) -> Result<SearchOutcome, SearchError> {
    let start = Instant::now();
    let config = &options.config;
    let fingerprint = config.fingerprint()?;
    let system = DoublePendulum::new(1.0, 1.0, 1.0, 1.0, 9.8)?;
    let (folder, state) = RunFolder::open_for(&options.folder, config, options.resume)?;
    let path = folder.path().join(CELLS);
    let earlier = read_cells(&path, &fingerprint)?;
    let grid = config.grid();
    let threads = rayon::current_num_threads();
    let (found, cells) = (earlier.len(), grid.len());
    observe(SearchEvent::Started { folder: folder.path().to_owned(), threads, state, found, cells });

    let mut finished: Vec<Cell> = Vec::with_capacity(grid.len());
    for (index, &(width, hidden_layers)) in grid.iter().enumerate() {
        let known = earlier.iter().find(|cell| (cell.width, cell.hidden_layers) == (width, hidden_layers));
        if let Some(cell) = known {
            finished.push(cell.clone());
            continue;
        }
        let since = Instant::now();
        observe(SearchEvent::Searching { width, hidden_layers, number: index + 1, cells });
        let Some(cell) = search_cell(config, &fingerprint, &system, (width, hidden_layers), stop, observe)? else {
            return Ok(SearchOutcome::Interrupted);
        };
        finished.push(cell);
        write_cells(&path, &finished)?;
        if let Some(cell) = finished.last() {
            observe(SearchEvent::Found { cell, seconds: since.elapsed().as_secs_f64() });
        }
    }

    observe(SearchEvent::Reporting);
    let summary = SearchSummary {
        experiment: config.experiment.clone(),
        preset: config.preset.clone(),
        seed: config.seed,
        threads,
        wall_seconds: start.elapsed().as_secs_f64(),
        laws: fit_laws(&finished),
        cells: finished,
    };
    let config_ron = config.to_text()?;
    let input = report::InitialisationInput { summary: &summary, config_ron: &config_ron, command: &options.command };
    let report = report::write_initialisation(folder.path(), &input, &write_atomically)?;
    let path = folder.summary_path();
    let text = serde_json::to_vec_pretty(&summary)
        .map_err(|error| StoreError::Encode { path: path.clone(), message: error.to_string() })?;
    write_atomically(&path, &text)?;
    Ok(SearchOutcome::Finished { summary: Box::new(summary), report })
}

/// One cell; `None` if `stop` was set.
fn search_cell(
    config: &SearchConfig,
    fingerprint: &str,
    system: &dyn System,
    (width, hidden_layers): (usize, usize),
    stop: &AtomicBool,
    observe: &mut dyn FnMut(SearchEvent<'_>),
) -> Result<Option<Cell>, SearchError> {
    let ensemble = Ensemble::draw(system, width, hidden_layers, config.sizes(), config.seed)?;
    let (evaluations, least) = (Counter::new(0), Counter::new(f64::INFINITY));
    let observe = RefCell::new(observe);
    let deviations = |place: &[f64]| place.iter().map(|x| x.exp()).collect::<Vec<f64>>();
    let objective = |place: &[f64]| {
        let value = ensemble.divergences(&deviations(place)).total();
        evaluations.set(evaluations.get() + 1);
        least.set(least.get().min(value));
        let event = SearchEvent::Evaluated { evaluations: evaluations.get(), least: least.get() };
        observe.borrow_mut()(event);
        value
    };
    // Weights that keep the size of what passes through them: nothing of Eq. 16 enters the search.
    let inputs = 2 * system.degrees_of_freedom();
    let centre: Vec<f64> =
        (0..ensemble.layers()).map(|layer| -0.5 * (if layer == 0 { inputs } else { width } as f64).ln()).collect();
    let Some(minimum) = minimise(&objective, &centre, config.search, config.seed, stop) else {
        return Ok(None);
    };
    if !minimum.value.is_finite() {
        return Err(SearchError::NothingFinite { width, hidden_layers });
    }
    let deviations = deviations(&minimum.place);
    Ok(Some(Cell {
        configuration: fingerprint.to_owned(),
        width,
        hidden_layers,
        divergences: ensemble.divergences(&deviations),
        published: ensemble.divergences(&published_deviations(width, hidden_layers)),
        deviations,
        evaluations: minimum.evaluations,
        converged: minimum.converged,
    }))
}
