//! The states that an integration returns.

/// Work done by an integration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Steps that were taken.
    pub steps: u64,
    /// Trial steps that the error control turned down.
    pub rejected: u64,
    /// Evaluations of the right-hand side.
    pub evaluations: u64,
}

/// States at requested times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// Components of one state.
    pub dimension: usize,
    /// Times of the rows, in the unit of the right-hand side's time.
    pub times: Vec<f64>,
    /// States `[times, dimension]`, row by row.
    pub states: Vec<f64>,
    /// Work done.
    pub statistics: Statistics,
}

impl Trajectory {
    pub(super) fn with_capacity(dimension: usize, times: usize) -> Self {
        Self {
            dimension,
            times: Vec::with_capacity(times),
            states: Vec::with_capacity(times * dimension),
            statistics: Statistics::default(),
        }
    }

    pub(super) fn push(&mut self, time: f64, state: &[f64]) {
        debug_assert_eq!(state.len(), self.dimension, "one row is one state");
        self.times.push(time);
        self.states.extend_from_slice(state);
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// True when no requested time was reached.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The state `[dimension]` at `times[row]`.
    ///
    /// # Panics
    /// When `row` is not below [`len`](Self::len).
    #[must_use]
    pub fn state(&self, row: usize) -> &[f64] {
        &self.states[row * self.dimension..(row + 1) * self.dimension]
    }

    /// The state at the last time reached, or `None` when there is none.
    #[must_use]
    pub fn last(&self) -> Option<&[f64]> {
        self.len().checked_sub(1).map(|row| self.state(row))
    }

    /// Pairs of a time and the state at it, in the order of time.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (f64, &[f64])> {
        self.times.iter().enumerate().map(|(row, &time)| (time, self.state(row)))
    }
}
