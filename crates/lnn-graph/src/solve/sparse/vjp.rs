//! The vector-Jacobian product of `x = A⁻¹ b`.

use lnn_autodiff::Real;

use super::super::Method;
use super::SparseFactors;

impl<T: Real> SparseFactors<T> {
    /// For the cotangent x̄ of `x = A⁻¹ b` writes the cotangents of b and of the values, so that
    /// `Σ x̄ dx = Σ b̄ db + Σ values_bar d(values)`:
    ///
    /// `b̄ = A⁻¹ x̄`, and for pair (i, j): `−b̄ᵢ xᵢ` if i = j, else `−(b̄ᵢ xⱼ + b̄ⱼ xᵢ)`, since the value stands at (i, j) and
    /// at (j, i). On the pseudoinverse's rung the derivative is that at constant rank, as in
    /// [`BandFactors::vjp`](crate::solve::band::BandFactors::vjp).
    ///
    /// `b`, `x`, `x_bar`, `b_bar` `[n]`; `values_bar` as the values.
    ///
    /// # Panics
    /// If there are no factors, or a length is not that of the pattern.
    pub fn vjp(&mut self, b: &[T], x: &[T], x_bar: &[T], b_bar: &mut [T], values_bar: &mut [T]) {
        self.pattern.require_vector(b);
        self.pattern.require_vector(x);
        self.pattern.require_values(values_bar);
        self.solve_into(x_bar, b_bar);
        let pairs = self.pattern.pairs();
        for (value_bar, &[i, j]) in values_bar.iter_mut().zip(pairs) {
            *value_bar = if i == j { -(b_bar[i] * x[i]) } else { -(b_bar[i] * x[j] + b_bar[j] * x[i]) };
        }
        if self.require_factors().method != Method::Pseudoinverse {
            return;
        }
        let pseudoinverse = self.pseudoinverse.as_mut().expect("this rung has its pseudoinverse");
        let Some([inverse_v, null_b, null_x_bar, inverse_x]) = pseudoinverse.rank_deficient_terms(b, x, x_bar, b_bar)
        else {
            return;
        };
        let one_way = |i: usize, j: usize| inverse_v[i] * null_b[j] + null_x_bar[i] * inverse_x[j];
        for (value_bar, &[i, j]) in values_bar.iter_mut().zip(pairs) {
            *value_bar += if i == j { one_way(i, i) } else { one_way(i, j) + one_way(j, i) };
        }
    }
}
