//! What every model does with a block of states: rates of change, and the way back.

use std::fmt::Debug;

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use lnn_autodiff::pseudoinverse::SymmetricFactors;

use lnn_autodiff::features::FeatureMap;

use super::Networks;

/// A block of states as the models take them, row-major.
#[derive(Clone, Copy, Debug)]
pub struct States<'a, T> {
    /// Coordinates `[rows, d]`.
    pub q: &'a [T],
    /// Velocities `[rows, d]`; for a model in canonical coordinates the momenta.
    pub q_dot: &'a [T],
    /// Conditionals `[rows, c]`, empty without any.
    pub conditionals: &'a [T],
}

/// Two numbers a coordinate, `[rows, d]` each: a rate of change of (q, q̇), or a cotangent of one.
#[derive(Clone, Copy, Debug)]
pub struct Rates<'a, T> {
    /// Of q.
    pub q: &'a [T],
    /// Of q̇: accelerations; in canonical coordinates of p.
    pub q_dot: &'a [T],
}

/// As [`Rates`], to be written.
#[derive(Debug)]
pub struct RatesMut<'a, T> {
    /// Of q.
    pub q: &'a mut [T],
    /// Of q̇, or of p.
    pub q_dot: &'a mut [T],
}

/// One thread's buffers for blocks of one model, and the model's mathematics on them.
///
/// The networks are given at each call, since training changes them between calls.
pub trait BlockModel<T: Real>: Debug + Send {
    /// d/dt (q, q̇) of a block of states.
    ///
    /// # Panics
    /// If the block has more rows than the buffers, a length does not fit, or the networks are another model's.
    fn rates(&mut self, networks: Networks<'_, T>, states: States<'_, T>, rates: RatesMut<'_, T>);

    /// Writes or adds `∂(Σ λ·rates)/∂θ` of the block of the last [`rates`](Self::rates) to `gradient`, laid out as the
    /// parameters, and writes `∂(Σ λ·rates)/∂(q, q̇)` to `states_bar` if asked for. The networks are those of that call.
    ///
    /// Of a model of second order the rate of q is q̇ whatever the parameters: without `states_bar` its λ may be empty.
    ///
    /// # Panics
    /// If the buffers were not made for training, [`rates`](Self::rates) was not the last evaluation, or a length does
    /// not fit.
    fn vjp(
        &mut self,
        networks: Networks<'_, T>,
        lambda: Rates<'_, T>,
        accumulate: Accumulate,
        gradient: &mut [T],
        states_bar: Option<RatesMut<'_, T>>,
    );

    /// Writes the learned energy of a block of states to `energy` `[rows]`; false if the model has none. The block of
    /// the last [`rates`](Self::rates) is forgotten.
    ///
    /// # Panics
    /// As for [`rates`](Self::rates).
    fn energy(&mut self, networks: Networks<'_, T>, states: States<'_, T>, energy: &mut [T]) -> bool;

    /// [`rates`](Self::rates) and [`energy`](Self::energy) by one evaluation; false, and `energy` as it was, if the model
    /// has none. The block of the last [`rates`](Self::rates) is forgotten.
    ///
    /// # Panics
    /// As for [`rates`](Self::rates).
    fn rates_and_energy(
        &mut self,
        networks: Networks<'_, T>,
        states: States<'_, T>,
        rates: RatesMut<'_, T>,
        energy: &mut [T],
    ) -> bool;

    /// Eigenvalues, ranks and solves of the learned mass matrices of the block evaluated last, if the model has any.
    fn mass_matrices(&self) -> Option<&SymmetricFactors<T>> {
        None
    }

    /// The learned mass matrices themselves, `[rows, d, d]`, of the block evaluated last, if the model has any.
    fn mass_matrix(&self) -> Option<&[T]> {
        None
    }

    /// The momenta p = ∂L/∂q̇ `[rows, d]` of the block evaluated last, if the model has a Lagrangian.
    fn momentum(&self) -> Option<&[T]> {
        None
    }
}

impl<T> States<'_, T> {
    /// Rows of the block.
    ///
    /// # Panics
    /// If the lengths do not fit each other or `features`.
    pub(super) fn rows(&self, features: &FeatureMap) -> usize {
        let (d, c) = (features.degrees_of_freedom(), features.conditionals());
        let rows = self.q.len() / d;
        assert_eq!((self.q.len(), self.q_dot.len()), (rows * d, rows * d), "q and q_dot are rows × d, d = {d}");
        assert_eq!(self.conditionals.len(), rows * c, "conditionals: rows × c, c = {c}");
        rows
    }
}

impl<T> RatesMut<'_, T> {
    /// # Panics
    /// If a part has another length.
    pub(super) fn require(&self, length: usize) {
        assert_eq!((self.q.len(), self.q_dot.len()), (length, length), "two numbers a coordinate and row");
    }
}

/// The lengths of a way back for `length` numbers of q.
///
/// # Panics
/// If one does not fit.
pub(super) fn require_vjp<T>(
    length: usize,
    second_order: bool,
    lambda: &Rates<'_, T>,
    gradient: (usize, usize),
    states_bar: Option<&RatesMut<'_, T>>,
) {
    assert_eq!(lambda.q_dot.len(), length, "λ of the rates of q_dot: rows × d");
    let unused = second_order && states_bar.is_none() && lambda.q.is_empty();
    assert!(unused || lambda.q.len() == length, "λ of the rates of q: rows × d, {length}, not {}", lambda.q.len());
    assert_eq!(gradient.0, gradient.1, "gradient: as many numbers as parameters");
    if let Some(bar) = states_bar {
        bar.require(length);
    }
}
