//! Finished cells of the grid, on disk as soon as they are found.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ensemble::Divergences;
use super::error::SearchError;
use crate::store::{StoreError, write_atomically};

/// What the search found for one width and depth; a line of `cells.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    /// Fingerprint of the configuration.
    pub configuration: String,
    /// Width n of the hidden layers.
    pub width: usize,
    /// Number of hidden layers.
    pub hidden_layers: usize,
    /// Standard deviations σ of the weights, first to output layer.
    pub deviations: Vec<f64>,
    /// Divergences there.
    pub divergences: Divergences,
    /// Divergences with the deviations of Eq. 16.
    pub published: Divergences,
    /// Evaluations of the objective.
    pub evaluations: usize,
    /// Whether the search had converged.
    pub converged: bool,
}

/// Reads the finished cells; none if there is no file.
///
/// # Errors
/// A file that cannot be read, or a line that is no cell of `configuration`.
pub fn read_cells(path: &Path, configuration: &str) -> Result<Vec<Cell>, SearchError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::Read { path: path.to_owned(), source }.into()),
    };
    let line_error =
        |index: usize, message: String| SearchError::CellLine { path: path.to_owned(), line: index + 1, message };
    let mut cells = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let cell: Cell = serde_json::from_str(line).map_err(|error| line_error(index, error.to_string()))?;
        if cell.configuration != configuration {
            let message = format!("it is of the configuration {}, not {configuration}", cell.configuration);
            return Err(line_error(index, message));
        }
        if cell.deviations.len() != cell.hidden_layers + 1 {
            let (found, expected) = (cell.deviations.len(), cell.hidden_layers + 1);
            return Err(line_error(index, format!("it has {found} standard deviations, not {expected}")));
        }
        cells.push(cell);
    }
    Ok(cells)
}

/// Replaces the file by these cells: a killed process leaves the old ones or the new ones.
///
/// # Errors
/// [`StoreError::Write`] with a remedy.
pub fn write_cells(path: &Path, cells: &[Cell]) -> Result<(), SearchError> {
    let mut text = String::new();
    for cell in cells {
        let line = serde_json::to_string(cell)
            .map_err(|error| StoreError::Encode { path: path.to_owned(), message: error.to_string() })?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(write_atomically(path, text.as_bytes())?)
}
