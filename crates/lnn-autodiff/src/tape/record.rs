//! The append-only list of nodes.

use std::cell::RefCell;
use std::fmt;

use super::{Adjoints, Var};
use crate::Scalar;

/// Marks an unused parent slot; the tape never holds this many nodes.
const NO_PARENT: u32 = u32::MAX;

/// One operation: the nodes it read and the partial derivative by each.
#[derive(Clone, Copy)]
struct Node<T> {
    parents: [u32; 2],
    partials: [T; 2],
}

/// A record of every operation on the variables made by it, for reverse-mode differentiation.
///
/// Operations on [`Var`]s append nodes of up to two parents and their local partials. One backward
/// pass, [`Tape::reverse`], then gives the derivative of one output by all inputs. With `T = f64`
/// that is the gradient; with `T = Dual<f64>` each adjoint also carries its derivative along the
/// inputs' tangents, which is a Hessian-vector product (forward over reverse).
///
/// A cleared tape keeps its memory, so a tape that is reused for programs of the same length
/// allocates nothing.
///
/// A node costs `8 + 2·size_of::<T>()` bytes.
///
/// ```
/// use lnn_autodiff::{Adjoints, Scalar, Tape};
///
/// let tape = Tape::new();
/// let (x, y) = (tape.variable(3.0), tape.variable(4.0));
/// let f = x * x * y;
///
/// let mut adjoints = Adjoints::new();
/// tape.reverse(f, &mut adjoints);
/// assert_eq!(f.value(), 36.0);
/// assert_eq!((adjoints.of(x), adjoints.of(y)), (24.0, 9.0));
/// ```
pub struct Tape<T> {
    nodes: RefCell<Vec<Node<T>>>,
}

impl<T> Default for Tape<T> {
    fn default() -> Self {
        Self { nodes: RefCell::new(Vec::new()) }
    }
}

impl<T> fmt::Debug for Tape<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes.borrow();
        formatter.debug_struct("Tape").field("nodes", &nodes.len()).field("capacity", &nodes.capacity()).finish()
    }
}

impl<T: Scalar> Tape<T> {
    /// An empty tape that has allocated nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty tape with room for `nodes` inputs and operations.
    ///
    /// ```
    /// let tape = lnn_autodiff::Tape::<f64>::with_capacity(64);
    /// assert!(tape.is_empty() && tape.capacity() >= 64);
    /// ```
    pub fn with_capacity(nodes: usize) -> Self {
        Self { nodes: RefCell::new(Vec::with_capacity(nodes)) }
    }

    /// The number of inputs and operations on the tape.
    pub fn len(&self) -> usize {
        self.nodes.borrow().len()
    }

    /// Whether nothing has been recorded since the start or the last [`clear`](Self::clear).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of nodes the tape can hold without allocating.
    pub fn capacity(&self) -> usize {
        self.nodes.borrow().capacity()
    }

    /// Forgets every node and keeps the memory.
    ///
    /// The exclusive borrow guarantees that no [`Var`] of the old recording is left.
    ///
    /// ```
    /// use lnn_autodiff::Tape;
    ///
    /// let mut tape = Tape::new();
    /// let _ = tape.variable(1.0) * 2.0;
    /// let capacity = tape.capacity();
    /// tape.clear();
    /// assert_eq!((tape.len(), tape.capacity()), (0, capacity));
    /// ```
    pub fn clear(&mut self) {
        self.nodes.get_mut().clear();
    }

    /// A new independent variable, an input to differentiate by.
    ///
    /// # Panics
    /// When the tape already holds 2³² − 1 nodes.
    ///
    /// ```
    /// use lnn_autodiff::{Scalar, Tape};
    ///
    /// let tape = Tape::new();
    /// assert_eq!(tape.variable(2.5).value(), 2.5);
    /// assert_eq!(tape.len(), 1);
    /// ```
    pub fn variable(&self, value: T) -> Var<'_, T> {
        self.push(value, [NO_PARENT; 2], [T::zero(); 2])
    }

    /// The derivatives of `output` by every node that it depends on, into `adjoints`.
    ///
    /// `adjoints.of(x)` is then `∂output/∂x`. Nodes that `output` does not depend on are left out of
    /// the pass, so an infinite partial in an unused branch does not turn into `0 · ∞`.
    ///
    /// # Panics
    /// When `output` was recorded on another tape. A constant has zero derivatives and is no error.
    pub fn reverse(&self, output: Var<'_, T>, adjoints: &mut Adjoints<T>) {
        self.reverse_seeded(&[output], &[T::one()], adjoints);
    }

    /// The vector-Jacobian product: derivatives of `Σ_k cotangents[k] · outputs[k]`, into `adjoints`.
    ///
    /// `outputs` and `cotangents` both have shape `[m]`; one pass whatever `m` is.
    ///
    /// # Panics
    /// When the lengths differ, or when an output was recorded on another tape.
    ///
    /// ```
    /// use lnn_autodiff::{Adjoints, Tape};
    ///
    /// let tape = Tape::new();
    /// let (x, y) = (tape.variable(2.0), tape.variable(5.0));
    /// let mut adjoints = Adjoints::new();
    /// // f = (x y, x + y), J = [[5, 2], [1, 1]], uᵀJ with u = (10, 1).
    /// tape.reverse_seeded(&[x * y, x + y], &[10.0, 1.0], &mut adjoints);
    /// assert_eq!((adjoints.of(x), adjoints.of(y)), (51.0, 21.0));
    /// ```
    pub fn reverse_seeded(&self, outputs: &[Var<'_, T>], cotangents: &[T], adjoints: &mut Adjoints<T>) {
        assert_eq!(
            outputs.len(),
            cotangents.len(),
            "one cotangent per output is needed: {} outputs, {} cotangents",
            outputs.len(),
            cotangents.len()
        );
        let nodes = self.nodes.borrow();
        let end = outputs.iter().filter_map(|output| output.index_on(self)).max().map_or(0, |last| last + 1);
        let bars = adjoints.reset(end);
        for (output, &cotangent) in outputs.iter().zip(cotangents) {
            if let Some(index) = output.index_on(self) {
                accumulate(&mut bars[index], cotangent);
            }
        }
        for index in (0..end).rev() {
            let Some(bar) = bars[index] else { continue };
            let node = &nodes[index];
            for (&parent, &partial) in node.parents.iter().zip(&node.partials) {
                if parent != NO_PARENT {
                    accumulate(&mut bars[parent as usize], partial * bar);
                }
            }
        }
    }

    /// Records a function of the node `parent`.
    pub(super) fn unary(&self, value: T, parent: u32, partial: T) -> Var<'_, T> {
        self.push(value, [parent, NO_PARENT], [partial, T::zero()])
    }

    /// Records a function of two nodes.
    pub(super) fn binary(&self, value: T, parents: [u32; 2], partials: [T; 2]) -> Var<'_, T> {
        self.push(value, parents, partials)
    }

    fn push(&self, value: T, parents: [u32; 2], partials: [T; 2]) -> Var<'_, T> {
        let mut nodes = self.nodes.borrow_mut();
        let index = u32::try_from(nodes.len())
            .ok()
            .filter(|&index| index != NO_PARENT)
            .expect("a tape holds at most 2³² − 1 nodes: clear it between programs");
        nodes.push(Node { parents, partials });
        Var::recorded(value, self, index)
    }
}

fn accumulate<T: Scalar>(bar: &mut Option<T>, term: T) {
    *bar = Some(match *bar {
        Some(sum) => sum + term,
        None => term,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dual;

    #[test]
    fn a_reused_tape_keeps_its_capacity() {
        let mut tape = Tape::new();
        let mut adjoints = Adjoints::new();
        let mut run = |tape: &mut Tape<f64>, x: f64| {
            tape.clear();
            let x = tape.variable(x);
            let mut y = x;
            for _ in 0..50 {
                y = y.sin() * x + 0.5;
            }
            tape.reverse(y, &mut adjoints);
            (adjoints.of(x), tape.capacity(), adjoints.capacity())
        };
        let first = run(&mut tape, 0.3);
        for _ in 0..10 {
            assert_eq!(run(&mut tape, 0.3), first);
        }
        assert!(first.1 >= 151);
    }

    #[test]
    fn an_unused_branch_with_an_infinite_partial_is_ignored() {
        let tape = Tape::new();
        let x = tape.variable(0.0);
        let _unused = x.sqrt();
        let y = x * 3.0;
        assert_eq!(y.gradient(&[x]), [3.0]);
    }

    #[test]
    fn a_node_has_the_documented_size() {
        assert_eq!(size_of::<Node<f64>>(), 8 + 2 * size_of::<f64>());
        assert_eq!(size_of::<Node<Dual<f64>>>(), 8 + 2 * size_of::<Dual<f64>>());
    }

    #[test]
    fn adjoints_of_intermediates_are_right() {
        let tape = Tape::new();
        let x = tape.variable(3.0);
        let y = x + 1.0;
        // ∂/∂y of y² + x² at fixed x is 2y; by x it is 2y + 2x.
        let f = y.square() + x.square();
        assert_eq!(f.gradient(&[y, x]), [8.0, 14.0]);
    }

    #[test]
    #[should_panic(expected = "another tape")]
    fn an_output_of_another_tape_is_refused() {
        let (ours, theirs) = (Tape::new(), Tape::new());
        ours.reverse(theirs.variable(1.0), &mut Adjoints::new());
    }

    #[test]
    #[should_panic(expected = "one cotangent per output")]
    fn a_missing_cotangent_is_refused() {
        let tape = Tape::new();
        let x = tape.variable(1.0);
        tape.reverse_seeded(&[x, x], &[1.0], &mut Adjoints::new());
    }
}
