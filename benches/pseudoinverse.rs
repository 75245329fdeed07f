//! Pseudoinverses of a block of 64 symmetric matrices: factor, solve, and the solve's vector-Jacobian
//! product, by one thread.
//!
//! `cargo xtask bench cpu pseudoinverse`; throughput is in operations of a textbook method, whatever the
//! engine does instead: a symmetric eigendecomposition with vectors by the QR algorithm, 9 d³ (Golub and
//! Van Loan, *Matrix Computations*, section 8.3), and two applications of V Λ⁺ Vᵀ, 4 d² + d each. Small
//! matrices are far from the product rate with any method.

mod work;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lnn::autodiff::Real;
use lnn::autodiff::pseudoinverse::{RankDeficientTerms, SymmetricFactors, Tolerance};

const MATRICES: usize = 64;

fn pseudoinverse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pseudoinverse");
    for dimension in 1..=8 {
        measure::<f32>(&mut group, dimension);
        measure::<f64>(&mut group, dimension);
    }
    group.finish();
}

fn measure<T: Real>(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>, d: usize) {
    let numbers = |count: usize| -> Vec<T> { (0..count).map(|i| T::from_f64((1.7 * i as f64).sin())).collect() };
    let mut matrices = numbers(MATRICES * d * d);
    for matrix in matrices.chunks_exact_mut(d * d) {
        for i in 0..d {
            for j in 0..i {
                matrix[i * d + j] = matrix[j * d + i];
            }
            matrix[i * d + i] += T::from_f64(d as f64);
        }
    }
    let (b, lambda) = (numbers(MATRICES * d), vec![T::ONE; MATRICES * d]);
    let (mut x, mut v) = (numbers(MATRICES * d), numbers(MATRICES * d));
    let mut terms = [(); 4].map(|()| vec![T::ZERO; d]);
    let mut factors = SymmetricFactors::<T>::new(d, MATRICES);
    let tolerance = Tolerance::for_dimension::<T>(d);
    group.throughput(Throughput::Elements((MATRICES * (9 * d.pow(3) + 2 * (4 * d * d + d))) as u64));
    group.bench_function(work::in_operations::<T>(format!("factor, solve, vjp, d = {d}"), 1), |bencher| {
        bencher.iter(|| {
            factors.factor(&matrices, tolerance);
            for index in 0..MATRICES {
                let range = index * d..(index + 1) * d;
                factors.solve(index, &b[range.clone()], &mut x[range.clone()]);
                let [inverse_v, null_b, null_lambda, inverse_x] = &mut terms;
                let terms = RankDeficientTerms { inverse_v, null_b, null_lambda, inverse_x };
                let (b, x, lambda) = (&b[range.clone()], &x[range.clone()], &lambda[range.clone()]);
                factors.solve_vjp(index, b, x, lambda, &mut v[range], terms);
            }
        });
    });
}

criterion_group! { name = benches; config = work::criterion(); targets = pseudoinverse }
criterion_main!(benches);
