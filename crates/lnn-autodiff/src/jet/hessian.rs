//! Second derivatives by contraction: no third-order tensor, no extra product.

use super::elementwise::contract_pairs;
use super::workspace::{JetWorkspace, Purpose, Stage};
use crate::Real;

impl<T: Real> JetWorkspace<T> {
    /// Σ_o ȳ_o D_i D_j f_o for the given pairs of directions, `[rows, pairs]`.
    ///
    /// `D_i D_j f = Σ_l ⟨δ_l ⊙ σ″(z_l), ż_l^i ⊙ ż_l^j⟩` for inputs that are linear along the two
    /// directions. Where they are curved the caller adds `Σ x̄ · D_i D_j x` with
    /// [`input_bar`](Self::input_bar).
    ///
    /// Needs [`reverse`](Self::reverse) before it.
    ///
    /// # Panics
    /// If the workspace was made for less than [`Purpose::Hessian`], `out` has another length than
    /// rows × pairs, or a direction does not exist.
    pub fn hessian(&self, pairs: &[(usize, usize)], out: &mut [T]) {
        self.require(Purpose::Hessian);
        self.require_stage(Stage::Reversed, "reverse");
        assert_eq!(out.len(), self.rows * pairs.len(), "rows × pairs");
        out.fill(T::ZERO);
        if pairs.is_empty() {
            return;
        }
        for hidden in &self.hidden {
            let channel = self.rows * hidden.stride;
            let tangents = &hidden.z[..self.directions * channel];
            let (delta, second) = (&hidden.delta[..channel], &hidden.second[..channel]);
            contract_pairs(out, delta, second, tangents, pairs, hidden.stride);
        }
    }
}
