//! What can be wrong with a layout, a setting, a gradient or a loaded state.

use std::fmt;

use thiserror::Error;

/// Why an optimiser could not be built, stepped or restored.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum OptimiserError {
    /// Blocks leave a gap, overlap or are out of order.
    #[error(
        "parameter block {block} starts at {offset}, but the blocks before it end at {expected}: \
         blocks must follow one another without gap or overlap"
    )]
    Layout {
        /// Index of the block.
        block: usize,
        /// Offset given.
        offset: usize,
        /// Offset expected.
        expected: usize,
    },
    /// A block has no parameters.
    #[error("parameter block {block} is {rows} × {columns}: both numbers must be at least 1")]
    EmptyBlock {
        /// Index of the block.
        block: usize,
        /// Rows given.
        rows: usize,
        /// Columns given.
        columns: usize,
    },
    /// One or more settings are out of range.
    #[error("optimiser settings refused: {}", join(.problems))]
    Settings {
        /// Every setting that is out of range.
        problems: Vec<SettingProblem>,
    },
    /// The gradient is not finite, or its square is not representable.
    #[error(
        "the gradient's squared norm is {squared_norm}, which {precision} cannot hold: \
         skip this step (gradient clipping does so and counts it)"
    )]
    GradientOverflow {
        /// Sum of the squares, in double precision.
        squared_norm: f64,
        /// Precision of the parameters.
        precision: &'static str,
    },
    /// The first factor of a block has no eigendecomposition in working precision.
    #[error(
        "the eigendecomposition of the {dimension} × {dimension} gradient covariance of parameter block {block} \
         did not converge: the first gradient is at the limits of the number format"
    )]
    Eigendecomposition {
        /// Index of the block.
        block: usize,
        /// Size of the covariance.
        dimension: usize,
    },
    /// The state overflowed the number format; every later update would be lost.
    #[error(
        "optimiser state `{name}` is no longer finite at index {index}: lower the learning rate, or scale the \
         inputs so that gradients become smaller"
    )]
    StateOverflow {
        /// Name of the tensor.
        name: String,
        /// Index of the first such entry.
        index: usize,
    },
    /// A tensor that this optimiser needs is not there.
    #[error("optimiser state lacks the tensor `{name}`: was it written by another optimiser or network?")]
    StateMissing {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor that this optimiser does not know.
    #[error("optimiser state has an unknown tensor `{name}`: was it written by another optimiser or network?")]
    StateUnknown {
        /// Name of the tensor.
        name: String,
    },
    /// A tensor of another length.
    #[error("optimiser state `{name}` has {given} entries, expected {expected}: was the network of another size?")]
    StateLength {
        /// Name of the tensor.
        name: String,
        /// Entries given.
        given: usize,
        /// Entries expected.
        expected: usize,
    },
    /// A tensor of integers where numbers are expected, or the reverse.
    #[error("optimiser state `{name}` holds {given}, expected {expected}")]
    StateKind {
        /// Name of the tensor.
        name: String,
        /// Kind given.
        given: &'static str,
        /// Kind expected.
        expected: &'static str,
    },
    /// A tensor entry is infinite, NaN or out of range.
    #[error("optimiser state `{name}` has an impossible value at index {index}: the file is damaged")]
    StateValue {
        /// Name of the tensor.
        name: String,
        /// Index of the first such entry.
        index: usize,
    },
}

fn join(problems: &[SettingProblem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}

/// One setting that is out of range: its name, the value given, and what is expected.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingProblem {
    /// Name of the field within its configuration.
    pub field: &'static str,
    /// Value given.
    pub given: String,
    /// What is expected, as the end of a sentence that starts with 'must be'.
    pub expected: &'static str,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, must be {}", self.field, self.given, self.expected)
    }
}

/// Record a problem unless `holds`.
///
/// Write the condition so that NaN fails it: `x > 0.0`, never `!(x <= 0.0)`.
pub(crate) fn check_setting(
    problems: &mut Vec<SettingProblem>,
    holds: bool,
    field: &'static str,
    given: impl fmt::Display,
    expected: &'static str,
) {
    if !holds {
        problems.push(SettingProblem { field, given: given.to_string(), expected });
    }
}
