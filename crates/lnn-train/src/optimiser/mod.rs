//! Optimisers, learning-rate schedules and gradient clipping over one flat parameter slice.
//!
//! A training step reads: [`RunningNormClip::apply`] on the gradient, [`Schedule::learning_rate`] of the
//! step, [`Optimiser::step`] or, where the norm is known to be finite, [`Optimiser::update`] on the parameters. Every one of the three is a pure function of its
//! arguments and its exported state, so a run continued from a checkpoint repeats the uninterrupted run
//! bit for bit.

mod adam;
mod clipping;
mod config;
mod error;
mod schedule;
mod soap;
mod state;

pub use adam::{Adam, AdamSettings};
pub use clipping::{ClipOutcome, ClippingConfig, RunningNormClip};
pub use config::OptimiserConfig;
pub use error::{OptimiserError, SettingProblem};
pub use schedule::Schedule;
pub use soap::{Soap, SoapSettings};
pub use state::{NamedState, StateTensor};

pub(crate) use clipping::squared_norm;
pub(crate) use error::check_setting;
pub(crate) use state::check_finite;

use lnn_autodiff::Real;

/// Where one weight matrix or bias lies in a model's flat parameter slice.
///
/// A weight `[out, in]` is row-major with `rows = out`, `columns = in`. A bias of n entries is laid out as
/// one row, 1 × n, so that [`Soap`] turns it like a weight, or as one column, n × 1, which gets Adam there;
/// [`parameter_blocks`](crate::experiment::parameter_blocks) lays out rows. The blocks of a model follow one
/// another without gap or overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterBlock {
    /// Index of the block's first parameter.
    pub offset: usize,
    /// Number of rows: the layer's outputs, or 1 for a bias as a row.
    pub rows: usize,
    /// Number of columns: the layer's inputs, or the bias's entries.
    pub columns: usize,
}

impl ParameterBlock {
    /// Number of parameters in the block.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Whether the block holds no parameter; [`parameter_count`] refuses such a block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Number of parameters that `blocks` cover, once they are known to tile `0..n` in order.
///
/// # Errors
/// [`OptimiserError::Layout`] for a gap, an overlap or blocks out of order;
/// [`OptimiserError::EmptyBlock`] for a block without parameters.
pub fn parameter_count(blocks: &[ParameterBlock]) -> Result<usize, OptimiserError> {
    let mut expected = 0;
    for (index, block) in blocks.iter().enumerate() {
        if block.is_empty() {
            return Err(OptimiserError::EmptyBlock { block: index, rows: block.rows, columns: block.columns });
        }
        if block.offset != expected {
            return Err(OptimiserError::Layout { block: index, offset: block.offset, expected });
        }
        expected += block.len();
    }
    Ok(expected)
}

/// A first-order optimiser over one flat parameter slice.
///
/// An implementation allocates in its constructor only, unless its documentation says otherwise.
pub trait Optimiser<T: Real>: Send {
    /// Number of parameters of the layout given at construction.
    fn parameter_count(&self) -> usize;

    /// Update `parameters` in place from `gradient` with the given learning rate.
    ///
    /// `parameters` and `gradient` have the length of the layout given at construction.
    ///
    /// # Errors
    /// [`OptimiserError::GradientOverflow`] if the gradient is not finite, or so large that its squared
    /// norm overflows `T`; nothing has changed then. [`OptimiserError::Eigendecomposition`] where an
    /// implementation decomposes a matrix.
    ///
    /// # Panics
    /// If a slice has another length than the layout.
    fn step(&mut self, parameters: &mut [T], gradient: &[T], learning_rate: f64) -> Result<(), OptimiserError> {
        check_step(self.parameter_count(), parameters, gradient)?;
        self.update(parameters, gradient, learning_rate)
    }

    /// As [`step`](Optimiser::step), for slices of the layout's length and a gradient whose squared norm is known
    /// to be finite in `T`, as after [`RunningNormClip::apply`]. Any other poisons the averages.
    ///
    /// # Errors
    /// As for [`step`](Optimiser::step), the overflow excepted.
    ///
    /// # Panics
    /// If a slice has another length than the layout.
    fn update(&mut self, parameters: &mut [T], gradient: &[T], learning_rate: f64) -> Result<(), OptimiserError>;

    /// Number of updates done; it drives the bias correction and is part of the state.
    fn steps(&self) -> u64;

    /// Everything a continued run needs beside the parameters, by name, in a fixed order.
    fn state(&self) -> NamedState<'_, T>;

    /// Take over a state that [`Optimiser::state`] of the same optimiser and layout has given.
    ///
    /// # Errors
    /// An [`OptimiserError`] that names the tensor which is missing, unknown, of another length or kind,
    /// or not finite; the optimiser is unchanged then.
    fn load_state(&mut self, state: &[(String, StateTensor<'_, T>)]) -> Result<(), OptimiserError>;
}

/// Stop on slices that do not match the layout.
fn check_lengths<T>(count: usize, parameters: &[T], gradient: &[T]) {
    assert_eq!(parameters.len(), count, "parameters do not match the optimiser's layout");
    assert_eq!(gradient.len(), count, "gradient does not match the optimiser's layout");
}

/// Stop on slices that do not match the layout, and refuse a gradient that would poison the averages.
fn check_step<T: Real>(count: usize, parameters: &[T], gradient: &[T]) -> Result<(), OptimiserError> {
    check_lengths(count, parameters, gradient);
    let squared_norm = squared_norm(gradient);
    if T::from_f64(squared_norm).is_finite() {
        Ok(())
    } else {
        Err(OptimiserError::GradientOverflow { squared_norm, precision: T::NAME })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_gaps_overlaps_and_empty_blocks_are_refused() {
        let block = |offset, rows, columns| ParameterBlock { offset, rows, columns };
        assert_eq!(parameter_count(&[]).unwrap(), 0);
        assert_eq!(parameter_count(&[block(0, 3, 2), block(6, 3, 1)]).unwrap(), 9);
        for offset in [5, 7] {
            assert!(matches!(
                parameter_count(&[block(0, 3, 2), block(offset, 3, 1)]),
                Err(OptimiserError::Layout { block: 1, offset: given, expected: 6 }) if given == offset
            ));
        }
        assert!(matches!(
            parameter_count(&[block(0, 0, 2)]),
            Err(OptimiserError::EmptyBlock { block: 0, rows: 0, columns: 2 })
        ));
    }
}
