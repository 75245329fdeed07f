//! The memory that repeated derivatives share.

use std::fmt;

use crate::tape::Adjoints;
use crate::{Dual, Scalar, Tape, Var};

/// The number that second-derivative verbs hand to the function: forward over reverse.
pub type DualVar<'t> = Var<'t, Dual<f64>>;

/// Workspace of [`gradient_in_place`](crate::gradient_in_place) and
/// [`jacobian_in_place`](crate::jacobian_in_place).
pub type GradientWorkspace = Workspace<f64>;

/// Workspace of [`hvp_in_place`](crate::hvp_in_place),
/// [`hessian_in_place`](crate::hessian_in_place),
/// [`hessian_rows_in_place`](crate::hessian_rows_in_place) and
/// [`mixed_partial_in_place`](crate::mixed_partial_in_place).
pub type HessianWorkspace = Workspace<Dual<f64>>;

/// A tape and its adjoints, reusable between calls and between functions.
///
/// It holds no result and no state that a later call could see. One thread needs one workspace.
#[derive(Default)]
pub struct Workspace<T> {
    tape: Tape<T>,
    adjoints: Adjoints<T>,
}

impl<T> fmt::Debug for Workspace<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Workspace").field("tape", &self.tape).finish_non_exhaustive()
    }
}

impl<T: Scalar> Workspace<T> {
    /// An empty workspace; the first use sizes it.
    pub fn new() -> Self {
        Self { tape: Tape::new(), adjoints: Adjoints::new() }
    }

    /// A workspace for functions of up to `nodes` inputs and operations together.
    pub fn with_capacity(nodes: usize) -> Self {
        Self { tape: Tape::with_capacity(nodes), adjoints: Adjoints::with_capacity(nodes) }
    }

    /// The number of inputs and operations that fit without allocating.
    ///
    /// ```
    /// use lnn_autodiff::{GradientWorkspace, gradient_in_place};
    ///
    /// let mut workspace = GradientWorkspace::new();
    /// let mut gradient = [0.0; 2];
    /// gradient_in_place(|x| x[0] * x[1], &[2.0, 3.0], &mut gradient, &mut workspace);
    /// let capacity = workspace.capacity();
    /// gradient_in_place(|x| x[0] * x[1], &[4.0, 5.0], &mut gradient, &mut workspace);
    /// assert_eq!(workspace.capacity(), capacity);
    /// ```
    pub fn capacity(&self) -> usize {
        self.tape.capacity().min(self.adjoints.capacity())
    }

    /// Records `f` at `inputs`, reverses it, hands every input's adjoint to `write`, and returns the
    /// value. The one place where scalar-valued functions are differentiated.
    pub(super) fn sweep(
        &mut self,
        inputs: impl ExactSizeIterator<Item = T>,
        f: impl for<'t> FnOnce(&[Var<'t, T>]) -> Var<'t, T>,
        mut write: impl FnMut(usize, T),
    ) -> T {
        let (tape, adjoints) = self.start();
        let mut variables = VarBuffer::zeros(inputs.len());
        let variables = variables.fill(tape, inputs);
        let output = f(variables);
        tape.reverse(output, adjoints);
        for (index, &variable) in variables.iter().enumerate() {
            write(index, adjoints.of(variable));
        }
        output.primal()
    }

    /// The cleared tape and the adjoint buffer.
    pub(super) fn start(&mut self) -> (&Tape<T>, &mut Adjoints<T>) {
        self.tape.clear();
        (&self.tape, &mut self.adjoints)
    }
}

/// 16 degrees of freedom with their rates, the most that the batched pseudoinverse serves.
const ON_STACK: usize = 32;

/// The variables of one recording.
///
/// They borrow the tape, so they cannot be kept in the workspace beside it; up to [`ON_STACK`] live
/// here without an allocation.
pub(super) struct VarBuffer<'t, T> {
    stack: [Var<'t, T>; ON_STACK],
    heap: Vec<Var<'t, T>>,
    len: usize,
}

impl<'t, T: Scalar> VarBuffer<'t, T> {
    /// `len` constants 0.
    pub(super) fn zeros(len: usize) -> Self {
        let zero = Var::zero();
        let heap = if len > ON_STACK { vec![zero; len] } else { Vec::new() };
        Self { stack: [zero; ON_STACK], heap, len }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Var<'t, T>] {
        if self.len > ON_STACK { &mut self.heap } else { &mut self.stack[..self.len] }
    }

    /// Makes every slot a new variable on `tape`.
    pub(super) fn fill(&mut self, tape: &'t Tape<T>, values: impl Iterator<Item = T>) -> &[Var<'t, T>] {
        let slots = self.as_mut_slice();
        for (slot, value) in slots.iter_mut().zip(values) {
            *slot = tape.variable(value);
        }
        slots
    }
}

/// Panics unless the caller's slice has the length that the function's arguments imply.
pub(super) fn assert_len(name: &str, given: usize, expected: usize, shape: &str) {
    assert!(given == expected, "`{name}` has {given} elements, but {shape} = {expected} are needed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_can_move_to_another_thread() {
        fn sendable<T: Send>(_: &T) {}
        sendable(&HessianWorkspace::new());
    }

    #[test]
    fn small_functions_stay_off_the_heap_and_large_ones_work() {
        let small = VarBuffer::<f64>::zeros(ON_STACK);
        assert_eq!(small.heap.capacity(), 0);
        let n = ON_STACK + 1;
        let mut seen = vec![0.0; n];
        let value = Workspace::new().sweep(
            (0..n).map(|i| i as f64),
            |x: &[Var<'_, f64>]| x.iter().fold(Var::zero(), |sum, x| sum + x.square()),
            |i, bar| seen[i] = bar,
        );
        // Σ i² for i ≤ 32 is 32·33·65/6, all exact in f64.
        assert_eq!(value, 11_440.0);
        assert!(seen.iter().enumerate().all(|(i, &bar)| bar == 2.0 * i as f64));
    }
}
