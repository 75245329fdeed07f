//! `x = A⁻¹ b` by the factors at hand.

use lnn_autodiff::Real;

use super::super::Method;
use super::BandFactors;
use super::border::substitute_border;
use super::definite::{substitute_backward, substitute_forward, with_half_bandwidth};
use super::factor::part_mut;

impl<T: Real> BandFactors<T> {
    /// `b ← A⁻¹ b` for one sample, or `A⁺ b` where the matrix is singular; `[n]`.
    ///
    /// # Panics
    /// If the sample has no factors, or the length is not the dimension.
    pub fn solve_in_place(&mut self, sample: usize, b: &mut [T]) {
        self.shape.require_vector(b);
        let factored = self.require_factors(sample);
        self.solve_on(factored.method, sample, b);
    }

    /// `x = A⁻¹ b` for one sample, or `A⁺ b` where the matrix is singular; both `[n]`.
    ///
    /// # Panics
    /// As [`solve_in_place`](Self::solve_in_place).
    pub fn solve_into(&mut self, sample: usize, b: &[T], x: &mut [T]) {
        self.shape.require_vector(b);
        self.shape.require_vector(x);
        x.copy_from_slice(b);
        self.solve_in_place(sample, x);
    }

    pub(super) fn require_factors(&self, sample: usize) -> super::super::Factored {
        match self.outcomes[sample] {
            Some(factored) => factored,
            None => panic!("sample {sample} has no factors: call `factor`, and heed its error"),
        }
    }

    pub(super) fn solve_on(&mut self, method: Method, sample: usize, x: &mut [T]) {
        match method {
            Method::Definite => self.solve_definite(sample, x),
            Method::Pivoted | Method::Dense => {
                let rows = part_mut(&mut self.pivoted, sample, self.layout.factor_count());
                let interchanges = part_mut(&mut self.interchanges, sample, self.shape.dimension());
                self.layout.solve_in_place(rows, interchanges, x);
            }
            Method::Pseudoinverse => self.pseudoinverses[sample]
                .as_mut()
                .expect("a sample on this rung has its pseudoinverse")
                .solve_in_place(x),
        }
    }

    fn solve_definite(&mut self, sample: usize, x: &mut [T]) {
        let (w, m) = (self.shape.half_bandwidth(), self.interior);
        let records = part_mut(&mut self.records, sample, m * (w + 1));
        let (x, seam) = x.split_at_mut(m);
        with_half_bandwidth!(w, self.workspace, |w, window| substitute_forward(w, records, x, window));
        if self.border > 0 {
            let rows = part_mut(&mut self.border_rows, sample, m * w);
            let corner = part_mut(&mut self.corners, sample, w * w);
            substitute_border(w, records, rows, self.extents[sample], corner, x, seam);
        }
        with_half_bandwidth!(w, self.workspace, |w, window| substitute_backward(w, records, x, window));
    }
}
