//! Products with the mass matrix that need no assembled matrix: from the network itself, or from the elements' own matrices.

use lnn_autodiff::Real;
use lnn_autodiff::jet::PackedMlp;
use rayon::prelude::*;

use super::FieldLagrangian;
use super::evaluator::Workers;
use crate::local::{Elements, Fields};
use crate::solve::conjugate_gradient::SymmetricOperator;

/// Elements that one thread multiplies at a time.
const CHUNK: usize = 512;

/// x → H x at one state, from the networks, forward over reverse: no matrix is made.
#[derive(Debug)]
pub struct MassMatrixProducts<'a, T> {
    pub(super) lagrangian: &'a FieldLagrangian,
    pub(super) networks: &'a [PackedMlp<T>],
    pub(super) workers: &'a [Workers<T>],
    pub(super) local: &'a mut [T],
    pub(super) fields: Fields<'a, T>,
}

impl<T: Real> SymmetricOperator<T> for MassMatrixProducts<'_, T> {
    fn dimension(&self) -> usize {
        self.fields.stride
    }

    fn apply(&mut self, x: &[T], y: &mut [T]) {
        start(self.lagrangian, x, y);
        for (index, network, elements) in self.lagrangian.networks() {
            let mlp = self.networks[index].network();
            let (d, fields) = (elements.unknowns(), self.fields);
            self.workers[index].run(elements, d, self.local, |jets, rows, out| {
                jets.load(network, elements, fields, rows);
                out.copy_from_slice(jets.product((network, elements), mlp, x, fields.stride));
            });
            elements.scatter_add(0..elements.len(), fields.stride, &self.local[..elements.len() * d], y);
        }
    }
}

/// x → H x from the elements' matrices.
pub(super) struct ElementMatrices<'a, T> {
    pub(super) lagrangian: &'a FieldLagrangian,
    /// For each network `[elements, d(d + 1)/2 + d]`: the upper triangle, and what is not used here.
    pub(super) matrices: &'a [Vec<T>],
    pub(super) local: &'a mut [T],
}

impl<T: Real> SymmetricOperator<T> for ElementMatrices<'_, T> {
    fn dimension(&self) -> usize {
        self.lagrangian.unknowns()
    }

    fn apply(&mut self, x: &[T], y: &mut [T]) {
        start(self.lagrangian, x, y);
        let stride = self.dimension();
        for (index, _, elements) in self.lagrangian.networks() {
            let (d, width) = (elements.unknowns(), elements.matrix_and_force());
            // A chunk has the unknowns of all its elements, then what the matrices make of them.
            let local = &mut self.local[..elements.len() * 2 * d];
            let matrices = self.matrices[index].par_chunks(CHUNK * width);
            local.par_chunks_mut(CHUNK * 2 * d).zip(matrices).enumerate().for_each(|(number, (local, matrices))| {
                let (unknowns, products) = local.split_at_mut(local.len() / 2);
                let first = number * CHUNK;
                elements.gather(first..first + unknowns.len() / d, stride, x, unknowns);
                let vectors = unknowns.chunks_exact(d).zip(products.chunks_exact_mut(d));
                for ((x, product), matrix) in vectors.zip(matrices.chunks_exact(width)) {
                    multiply(matrix, x, product);
                }
            });
            for (number, chunk) in local.chunks(CHUNK * 2 * d).enumerate() {
                let (first, products) = (number * CHUNK, &chunk[chunk.len() / 2..]);
                elements.scatter_add(first..first + products.len() / d, stride, products, y);
            }
        }
    }
}

/// y = m x, the residual mass's part.
fn start<T: Real>(lagrangian: &FieldLagrangian, x: &[T], y: &mut [T]) {
    assert_eq!([x.len(), y.len()], [lagrangian.unknowns(); 2], "sites × components");
    let mass = T::from_f64(lagrangian.residual_mass());
    for (y, &x) in y.iter_mut().zip(x) {
        *y = mass * x;
    }
}

/// product = A x, A given by the rows of its upper triangle.
fn multiply<T: Real>(upper: &[T], x: &[T], product: &mut [T]) {
    let d = x.len();
    product.fill(T::ZERO);
    let mut entries = upper.iter();
    for i in 0..d {
        for (j, &entry) in (i..d).zip(entries.by_ref()) {
            product[i] += entry * x[j];
            if j > i {
                product[j] += entry * x[i];
            }
        }
    }
}

/// Adds the diagonals of the elements' matrices and their forces, `[elements, d(d + 1)/2 + d]` or, where no `matrix` was
/// made, `[elements, 2 d]`.
pub(super) fn add_diagonal<T: Real>(
    elements: &Elements,
    local: &[T],
    matrix: bool,
    diagonal: &mut [T],
    force: &mut [T],
) {
    let d = elements.unknowns();
    let width = if matrix { elements.matrix_and_force() } else { 2 * d };
    for (element, local) in local.chunks_exact(width).take(elements.len()).enumerate() {
        let mut place = 0;
        for a in 0..d {
            if let Some(unknown) = elements.unknown(element, a) {
                force[unknown] += local[width - d + a];
                diagonal[unknown] += local[place];
            }
            place += if matrix { d - a } else { 1 };
        }
    }
}
