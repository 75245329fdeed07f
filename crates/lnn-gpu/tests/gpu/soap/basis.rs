//! The bases alone: orthogonal, each column in its place, whatever the matrix.

use bytemuck::{Pod, Zeroable};
use lnn_gpu::kernels;
use lnn_gpu::step::StepState;

use super::reference::{Block, Matrix, Noise, Side, orthogonality_defect};
use super::{EPSILON, Fixture, single};
use crate::ground::{Case, device};

/// Columns that a power iteration made all alike, or that are zero: each keeps its place, and Q is orthogonal.
#[test]
fn dependent_columns_leave_an_orthogonal_basis() {
    for n in [3, 40, 64, 90] {
        let fixture = Fixture::new(&[[1, n]], 1);
        let mut noise = Noise::new(n as u64);
        for rank in [0, 1, n / 2] {
            // Values over 12 decades, so that small that squares of them vanish in single precision.
            let vectors = noise.matrix(n, n).orthonormal();
            let scaled = Matrix::from_fn(n, n, |row, k| {
                let value = if k < rank { 1e-20 * 10f64.powf(-12.0 * k as f64 / n as f64) } else { 0.0 };
                vectors.at(row, k) * value
            });
            let side = Side { factor: &scaled * &vectors.transpose(), basis: noise.matrix(n, n).orthonormal() };
            let block = Block::new(Matrix::from_fn(1, n, |_, _| 0.5), None, Some(side.clone()));
            fixture.soap.upload(device(), 0, &[block.write()]).unwrap();
            fixture.step(&[block.parameters.map(|_| 0.0)], 0.1, |recorder| fixture.soap.record(recorder, true));
            let state = fixture.soap.download(device(), 0).unwrap()[0].right.clone().unwrap();
            let got = Side::read(&state, n).basis;
            let (defect, bound) = (orthogonality_defect(&got), 4.0 * n as f64 * EPSILON);
            assert!(defect <= bound, "{n}, rank {rank}: {defect:e} > {bound:e}");
            if rank > 0 {
                // The first column is along S q, for the q of the largest qᵀ S q.
                let product = &side.factor * &side.basis;
                let estimate = |k: usize| (0..n).map(|i| side.basis.at(i, k) * product.at(i, k)).sum::<f64>();
                let best = (0..n).max_by(|&a, &b| estimate(a).total_cmp(&estimate(b))).unwrap();
                let norm = (0..n).map(|i| product.at(i, best).powi(2)).sum::<f64>().sqrt();
                let cosine = (0..n).map(|i| product.at(i, best) * got.at(i, 0)).sum::<f64>() / norm;
                assert!((cosine.abs() - 1.0).abs() <= bound, "{n}, rank {rank}: {cosine}");
            }
        }
    }
}

/// Where a factor lies, as `shaders/shared/soap_factor.wgsl` has it.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Place {
    matrix: u32,
    order: u32,
    dimension: u32,
    stride: u32,
}

/// Each variant, with 16 reflections at once and with 8, on a matrix with two columns alike; by products with a few vectors,
/// since those of large matrices take long.
///
/// No larger, since Mesa's software driver ends a thread's loops, without a word, after 65535 rounds of all of them.
#[test]
fn orthonormalisation_keeps_columns_in_their_places_at_any_size() {
    for variant in kernels::SOAP_ORTHONORMALISE.variants {
        for n in [1, 2, 15, 16, 17, 33, 208, 209, 300] {
            let mut noise = Noise::new(n as u64);
            let mut matrix = noise.matrix(n, n);
            (0..n).for_each(|row| matrix.entries[row * n + n / 2] = matrix.entries[row * n]);
            let matrix = single(&matrix);
            let stride = n.next_multiple_of(4);
            let order: Vec<u32> = (0..n as u32).rev().collect();
            let mut products = vec![0.0_f32; n * stride];
            for at in 0..n * n {
                products[at / n * stride + n - 1 - at % n] = matrix.entries[at] as f32;
            }
            let place = Place { matrix: 0, order: 0, dimension: n as u32, stride: stride as u32 };
            let [bases] = Case::new(variant)
                .constants(&[1_u32, 0, 0])
                .read(&[StepState { apply: 1, ..StepState::default() }])
                .read(&[place])
                .read(&order)
                .read(&products)
                .update(&vec![0.0_f32; n * stride])
                .run([1, 1, 1])
                .try_into()
                .unwrap();
            let basis = Matrix::from_fn(n, n, |row, column| f64::from(bases[row * stride + column]));
            let transposed = basis.transpose();
            let bound = 8.0 * n as f64 * EPSILON;
            let vector = noise.matrix(n, 1);
            let back = &transposed * &(&basis * &vector);
            let off = back.zip(&vector, |x, y| x - y).largest();
            assert!(off <= bound, "{}, {n}: {off:e} > {bound:e}", variant.name);
            for column in [0, n / 2, n - 1] {
                let own = Matrix::from_fn(n, 1, |row, _| matrix.at(row, column));
                let coefficients = &transposed * &own;
                let norm = own.entries.iter().map(|x| x * x).sum::<f64>().sqrt();
                let below = coefficients.entries[column + 1..].iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
                assert!(below <= bound * norm, "{}, {n}, column {column}: {below:e}", variant.name);
            }
        }
    }
}
