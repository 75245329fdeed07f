//! The state of one weight matrix: moments in the rotated space, a basis for each side.

use faer::linalg::matmul::matmul;
use faer::prelude::{IntoConst, ReborrowMut};
use faer::{Accum, MatMut, MatRef, Par};
use lnn_autodiff::Real;

use super::super::adam::Update;
use super::basis::Basis;

/// SOAP's state for a weight W `[rows, columns]`, row-major, with at least two columns.
#[derive(Debug)]
pub(super) struct MatrixState<T: Real> {
    rows: usize,
    columns: usize,
    /// M̃, row-major, in the rotated space.
    pub(super) first_moment: Vec<T>,
    /// Ṽ, row-major, in the rotated space.
    pub(super) second_moment: Vec<T>,
    /// Q_L; absent for one row, where it would be the number 1.
    pub(super) left: Option<Basis<T>>,
    /// Q_R.
    pub(super) right: Basis<T>,
    rotated: Vec<T>,
    half_rotated: Vec<T>,
}

impl<T: Real> MatrixState<T> {
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        let zeros = || vec![T::ZERO; rows * columns];
        Self {
            rows,
            columns,
            first_moment: zeros(),
            second_moment: zeros(),
            left: (rows > 1).then(|| Basis::new(rows)),
            right: Basis::new(columns),
            rotated: zeros(),
            half_rotated: zeros(),
        }
    }

    /// First averages of the factors, and their eigenbases.
    ///
    /// # Errors
    /// The dimension of a factor whose eigendecomposition does not converge.
    pub(super) fn prepare(&mut self, gradient: &[T], shampoo_beta: f64) -> Result<(), usize> {
        self.average(gradient, shampoo_beta);
        if let Some(left) = &mut self.left {
            left.decompose()?;
        }
        self.right.decompose()
    }

    /// Adam in the rotated space: moments, then W ← (1 − η w) W − η Q_L U Q_Rᵀ.
    pub(super) fn update(&mut self, parameters: &mut [T], gradient: &[T], update: &Update<T>) {
        let (rows, columns) = (self.rows, self.columns);
        let left = self.left.as_ref().map(Basis::vectors);
        rotate(
            left.map(MatRef::transpose),
            MatRef::from_row_major_slice(gradient, rows, columns),
            self.right.vectors(),
            &mut self.half_rotated,
            MatMut::from_row_major_slice_mut(&mut self.rotated, rows, columns),
            Accum::Replace,
            T::ONE,
        );
        update.moments.directions(&mut self.rotated, &mut self.first_moment, &mut self.second_moment);
        if update.keep != T::ONE {
            for parameter in parameters.iter_mut() {
                *parameter = update.keep * *parameter;
            }
        }
        rotate(
            left,
            MatRef::from_row_major_slice(&self.rotated, rows, columns),
            self.right.vectors().transpose(),
            &mut self.half_rotated,
            MatMut::from_row_major_slice_mut(parameters, rows, columns),
            Accum::Add,
            -update.rate,
        );
    }

    /// Take the gradient into both factor averages.
    pub(super) fn average(&mut self, gradient: &[T], shampoo_beta: f64) {
        let gradient = MatRef::from_row_major_slice(gradient, self.rows, self.columns);
        if let Some(left) = &mut self.left {
            left.average(gradient, shampoo_beta);
        }
        self.right.average(gradient.transpose(), shampoo_beta);
    }

    /// Turn both bases by one power iteration and carry the moments over.
    ///
    /// The first moment goes back through the old bases and forward through the new ones; the second has
    /// no such transform and follows the columns it belongs to.
    pub(super) fn refresh(&mut self) {
        let (rows, columns) = (self.rows, self.columns);
        rotate(
            self.left.as_ref().map(Basis::vectors),
            MatRef::from_row_major_slice(&self.first_moment, rows, columns),
            self.right.vectors().transpose(),
            &mut self.half_rotated,
            MatMut::from_row_major_slice_mut(&mut self.rotated, rows, columns),
            Accum::Replace,
            T::ONE,
        );
        if let Some(left) = &mut self.left {
            let order = left.turn();
            for (target, &source) in self.half_rotated.chunks_exact_mut(columns).zip(order) {
                target.copy_from_slice(&self.second_moment[source * columns..(source + 1) * columns]);
            }
            std::mem::swap(&mut self.second_moment, &mut self.half_rotated);
        }
        let order = self.right.turn();
        for (target, source) in
            self.half_rotated.chunks_exact_mut(columns).zip(self.second_moment.chunks_exact(columns))
        {
            for (entry, &column) in target.iter_mut().zip(order) {
                *entry = source[column];
            }
        }
        std::mem::swap(&mut self.second_moment, &mut self.half_rotated);
        rotate(
            self.left.as_ref().map(|left| left.vectors().transpose()),
            MatRef::from_row_major_slice(&self.rotated, rows, columns),
            self.right.vectors(),
            &mut self.half_rotated,
            MatMut::from_row_major_slice_mut(&mut self.first_moment, rows, columns),
            Accum::Replace,
            T::ONE,
        );
    }

    /// State tensors by name: moments row-major, bases column-major.
    pub(super) fn tensors(&self) -> Vec<(&'static str, &Vec<T>)> {
        let mut tensors = vec![("first_moment", &self.first_moment), ("second_moment", &self.second_moment)];
        if let Some(left) = &self.left {
            tensors.extend([("left.factor", &left.factor), ("left.basis", &left.vectors)]);
        }
        tensors.extend([("right.factor", &self.right.factor), ("right.basis", &self.right.vectors)]);
        tensors
    }

    /// The same tensors as [`MatrixState::tensors`], to be overwritten.
    pub(super) fn tensors_mut(&mut self) -> Vec<(&'static str, &mut Vec<T>)> {
        let mut tensors = vec![("first_moment", &mut self.first_moment), ("second_moment", &mut self.second_moment)];
        if let Some(left) = &mut self.left {
            tensors.extend([("left.factor", &mut left.factor), ("left.basis", &mut left.vectors)]);
        }
        tensors.extend([("right.factor", &mut self.right.factor), ("right.basis", &mut self.right.vectors)]);
        tensors
    }
}

/// `output` (+)= `scale` · `left` · `input` · `right`, with no `left` meaning the identity.
fn rotate<T: Real>(
    left: Option<MatRef<'_, T>>,
    input: MatRef<'_, T>,
    right: MatRef<'_, T>,
    half_rotated: &mut [T],
    output: MatMut<'_, T>,
    accumulate: Accum,
    scale: T,
) {
    let half = match left {
        None => input,
        Some(left) => {
            let mut half = MatMut::from_row_major_slice_mut(half_rotated, input.nrows(), input.ncols());
            matmul(half.rb_mut(), Accum::Replace, left, input, T::ONE, Par::Seq);
            half.into_const()
        }
    };
    matmul(output, accumulate, half, right, scale, Par::Seq);
}
