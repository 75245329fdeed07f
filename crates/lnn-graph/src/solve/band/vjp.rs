//! The vector-Jacobian product of `x = A⁻¹ b`.

use lnn_autodiff::Real;

use super::super::Method;
use super::BandFactors;

impl<T: Real> BandFactors<T> {
    /// For the cotangent x̄ of `x = A⁻¹ b` writes the cotangents of b and of the entries, so that
    /// `Σ x̄ dx = Σ b̄ db + Σ entries_bar d(entries)`:
    ///
    /// `b̄ = A⁻¹ x̄`, and for slot (i, o), j = i + o: `−b̄ᵢ xᵢ` for o = 0, `−(b̄ᵢ xⱼ + b̄ⱼ xᵢ)` for o > 0.
    ///
    /// A slot stands for both (i, j) and (j, i), hence two terms and no ½; slots that name one entry get the same
    /// value; slots beyond the end of an open matrix get 0. On the pseudoinverse's rung `x = A⁺ b`, and the derivative is
    /// that at constant rank: `dA⁺ = −A⁺ dA A⁺ + A⁺² dA P + P dA A⁺²`, P the projection onto the null space (Golub
    /// and Pereyra 1973, eq. 4.12). A change that raises the rank has no derivative.
    ///
    /// `b`, `x`, `x_bar`, `b_bar` `[n]`; `entries_bar` as the entries.
    ///
    /// # Panics
    /// If the sample has no factors, or a length is not that of the shape.
    pub fn vjp(&mut self, sample: usize, b: &[T], x: &[T], x_bar: &[T], b_bar: &mut [T], entries_bar: &mut [T]) {
        let shape = self.shape;
        shape.require_vector(b);
        shape.require_vector(x);
        shape.require_entries(entries_bar);
        self.solve_into(sample, x_bar, b_bar);
        let w = shape.half_bandwidth();
        entries_bar.fill(T::ZERO);
        shape.for_each_slot(|i, j, slot| {
            let one_way = b_bar[i] * x[j];
            entries_bar[slot] = if slot % (w + 1) == 0 { -one_way } else { -(one_way + b_bar[j] * x[i]) };
        });
        if self.require_factors(sample).method != Method::Pseudoinverse {
            return;
        }
        let pseudoinverse = self.pseudoinverses[sample].as_mut().expect("a sample on this rung has its pseudoinverse");
        let Some([inverse_v, null_b, null_x_bar, inverse_x]) = pseudoinverse.rank_deficient_terms(b, x, x_bar, b_bar)
        else {
            return;
        };
        shape.for_each_slot(|i, j, slot| {
            let one_way = |i: usize, j: usize| inverse_v[i] * null_b[j] + null_x_bar[i] * inverse_x[j];
            entries_bar[slot] += if slot % (w + 1) == 0 { one_way(i, i) } else { one_way(i, j) + one_way(j, i) };
        });
    }
}
