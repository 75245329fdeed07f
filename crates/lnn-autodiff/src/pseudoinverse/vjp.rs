//! The vector-Jacobian product of `x = H⁺ b` at constant rank.

use super::SymmetricFactors;
use crate::Real;

/// The two products that a rank-deficient matrix adds to H̄, each `[d]`:
/// `H̄ = −v xᵀ + inverse_v · null_bᵀ + null_lambda · inverse_xᵀ`.
#[derive(Debug)]
pub struct RankDeficientTerms<'a, T> {
    /// `H⁺ v`.
    pub inverse_v: &'a mut [T],
    /// `P b`, P the projection onto the null space.
    pub null_b: &'a mut [T],
    /// `P λ`.
    pub null_lambda: &'a mut [T],
    /// `H⁺ x`.
    pub inverse_x: &'a mut [T],
}

impl<T: Real> SymmetricFactors<T> {
    /// For the cotangent λ of `x = H⁺ b` writes `v = H⁺ λ`, which is the cotangent of b and, with x, the
    /// full-rank cotangent of H: `⟨λ, dx⟩ = vᵀ db − vᵀ dH x`.
    ///
    /// Golub and Pereyra (1973), eq. 4.12, for symmetric H: at constant rank below d,
    /// `dH⁺ = −H⁺ dH H⁺ + H⁺² dH P + P dH H⁺²` adds `(H⁺v)ᵀ dH (Pb) + (Pλ)ᵀ dH (H⁺x)`; those vectors are
    /// written to `terms` and true is returned. At full rank `terms` is untouched and false returned.
    pub fn solve_vjp(
        &self,
        index: usize,
        b: &[T],
        x: &[T],
        lambda: &[T],
        v: &mut [T],
        terms: RankDeficientTerms<'_, T>,
    ) -> bool {
        self.solve(index, lambda, v);
        if self.is_full_rank(index) || !self.is_finite(index) {
            return false;
        }
        self.solve(index, v, terms.inverse_v);
        self.project_onto_null_space(index, b, terms.null_b);
        self.project_onto_null_space(index, lambda, terms.null_lambda);
        self.solve(index, x, terms.inverse_x);
        true
    }
}
