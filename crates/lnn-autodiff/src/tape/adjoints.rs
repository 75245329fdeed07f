//! The result of a backward pass.

use super::Var;
use crate::Scalar;

/// The derivatives of one output by every node of a tape, reusable between passes.
///
/// Filled by [`Tape::reverse`](crate::Tape::reverse); valid until that tape is cleared or the next
/// pass writes here.
#[derive(Clone, Debug)]
pub struct Adjoints<T> {
    /// `None` where the output does not depend on the node.
    bars: Vec<Option<T>>,
}

impl<T> Default for Adjoints<T> {
    fn default() -> Self {
        Self { bars: Vec::new() }
    }
}

impl<T: Scalar> Adjoints<T> {
    /// An empty buffer; the first pass allocates it.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty buffer for a tape of up to `nodes` nodes.
    pub fn with_capacity(nodes: usize) -> Self {
        Self { bars: Vec::with_capacity(nodes) }
    }

    /// The number of nodes the buffer can serve without allocating.
    pub fn capacity(&self) -> usize {
        self.bars.capacity()
    }

    /// `∂output/∂variable` of the last pass; 0 where the output does not depend on `variable`.
    ///
    /// `variable` must come from the tape of that pass.
    ///
    /// ```
    /// use lnn_autodiff::{Adjoints, Tape};
    ///
    /// let tape = Tape::new();
    /// let (x, unused) = (tape.variable(3.0), tape.variable(4.0));
    /// let mut adjoints = Adjoints::new();
    /// tape.reverse(x * x, &mut adjoints);
    /// assert_eq!((adjoints.of(x), adjoints.of(unused)), (6.0, 0.0));
    /// ```
    pub fn of(&self, variable: Var<'_, T>) -> T {
        variable.index().and_then(|index| self.bars.get(index).copied().flatten()).unwrap_or_else(T::zero)
    }

    /// Empties the buffer and gives `nodes` slots that no output depends on yet.
    pub(super) fn reset(&mut self, nodes: usize) -> &mut [Option<T>] {
        self.bars.clear();
        self.bars.resize(nodes, None);
        &mut self.bars
    }
}
