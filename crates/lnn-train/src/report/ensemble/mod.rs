//! The report of an ensemble: a table for the terminal, and the page's section of the spread.

mod page;
mod table;

pub(super) use page::{EnsembleView, view};
pub use table::ensemble_table;

use crate::record::{EnsembleSummary, Summary};

/// The seeds of a run in words: `seed 0`, or `seeds 0 to 7`.
pub(super) fn seeds(summary: &Summary) -> String {
    match last_seed(summary) {
        Some(last) => format!("seeds {} to {last}", summary.seed),
        None => format!("seed {}", summary.seed),
    }
}

fn last_seed(summary: &Summary) -> Option<u64> {
    let EnsembleSummary { members, .. } = summary.ensemble.as_ref()?;
    Some(summary.seed + *members as u64 - 1)
}
