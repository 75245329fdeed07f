//! Second derivatives of a Lagrangian that is written as a program: Hessians by a tape of duals (forward
//! over reverse), by duals of duals, and by the crate `num-dual`; and the double pendulum's acceleration by
//! the first of them beside its closed form.
//!
//! `cargo xtask bench cpu generic`; throughput is in Hessians, or in states. No fraction of the product rate
//! is given, since nothing here is a matrix product: the time goes into the function's own elementary
//! operations, which each route multiplies in its own way.

mod work;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lnn::autodiff::{Dual, HessianWorkspace, Scalar, hessian_in_place};
use lnn::physics::systems::DoublePendulum;
use lnn::physics::{EulerLagrange, System};
use nalgebra::SVector;
use num_dual::{Dual2SVec64, DualNum};

use work::{PENDULUM, in_units};

/// The Lagrangian of a chain of pendulums, each of mass and length 1, at x = (θ, θ̇). Two links are the double
/// pendulum.
///
/// A macro, because the two traits of differentiable numbers share the names of their functions only.
macro_rules! chain_of_pendulums {
    ($x:expr, $zero:expr) => {{
        let (angles, rates) = $x.split_at($x.len() / 2);
        let (mut across, mut down, mut height) = ($zero, $zero, $zero);
        let mut lagrangian = $zero;
        for (&angle, &rate) in angles.iter().zip(rates) {
            let (sine, cosine) = (angle.sin(), angle.cos());
            across += rate * cosine;
            down += rate * sine;
            height += -cosine;
            lagrangian += (across * across + down * down) * 0.5 - height * 9.8;
        }
        lagrangian
    }};
}

fn lagrangian<S: Scalar>(x: &[S]) -> S {
    chain_of_pendulums!(x, S::zero())
}

fn lagrangian_num_dual<const N: usize>(x: &[Dual2SVec64<N>]) -> Dual2SVec64<N> {
    chain_of_pendulums!(x, Dual2SVec64::<N>::from_re(0.0))
}

fn hessians(criterion: &mut Criterion) {
    compare::<4>(criterion);
    compare::<8>(criterion);
    compare::<16>(criterion);
}

/// The Hessian for N variables by the three routes.
fn compare<const N: usize>(criterion: &mut Criterion) {
    let x: [f64; N] = std::array::from_fn(|i| (1.0 + i as f64).sin());
    let mut workspace = HessianWorkspace::new();
    let mut gradient = [0.0; N];
    let (mut by_tape, mut by_duals, mut by_num_dual) = (vec![0.0; N * N], vec![0.0; N * N], vec![0.0; N * N]);
    let mut tape =
        |x: &[f64], out: &mut [f64]| hessian_in_place(|x| lagrangian(x), x, &mut gradient, out, &mut workspace);
    tape(&x, &mut by_tape);
    duals_of_duals(&x, &mut by_duals);
    num_dual_hessian(&x, &mut by_num_dual);
    agree(&by_tape, &by_duals);
    agree(&by_tape, &by_num_dual);

    let mut group = criterion.benchmark_group("generic");
    group.throughput(Throughput::Elements(1));
    let id = |route: &str| in_units(format!("{route}, {N} variables"), "Hessians");
    group.bench_function(id("tape of duals"), |bencher| bencher.iter(|| tape(black_box(&x), &mut by_tape)));
    group.bench_function(id("duals of duals"), |bencher| bencher.iter(|| duals_of_duals(black_box(&x), &mut by_duals)));
    group.bench_function(id("num-dual"), |bencher| bencher.iter(|| num_dual_hessian(black_box(&x), &mut by_num_dual)));
    group.finish();
}

/// One evaluation for each entry of the upper triangle.
fn duals_of_duals<const N: usize>(x: &[f64; N], hessian: &mut [f64]) {
    for i in 0..N {
        for j in i..N {
            let unit = |k: usize, of: usize| f64::from(u8::from(k == of));
            let seeded: [Dual<Dual<f64>>; N] =
                std::array::from_fn(|k| Dual::new(Dual::new(x[k], unit(k, i)), Dual::new(unit(k, j), 0.0)));
            let second = lagrangian(&seeded).tangent.tangent;
            (hessian[i * N + j], hessian[j * N + i]) = (second, second);
        }
    }
}

/// `num-dual`'s own way for a fixed number of variables: value, gradient and Hessian in one number.
fn num_dual_hessian<const N: usize>(x: &[f64; N], hessian: &mut [f64]) {
    let x = SVector::<f64, N>::from(*x);
    let (_, _, second) = num_dual::hessian(|x: SVector<Dual2SVec64<N>, N>| lagrangian_num_dual(x.as_slice()), &x);
    hessian.copy_from_slice(second.as_slice());
}

/// Stops unless two Hessians are equal up to the rounding of some hundred operations.
fn agree(a: &[f64], b: &[f64]) {
    let largest = a.iter().fold(0.0_f64, |largest, entry| largest.max(entry.abs()));
    let tolerance = 16.0 * a.len() as f64 * f64::EPSILON * largest;
    let difference = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(difference <= tolerance, "the routes differ by {difference:e}, more than {tolerance:e}");
}

fn acceleration(criterion: &mut Criterion) {
    let pendulum = DoublePendulum::default();
    let state = work::states(1, PENDULUM);
    let (q, q_dot) = state.split_at(PENDULUM);
    let mut q_ddot = [0.0; PENDULUM];
    let mut group = criterion.benchmark_group("generic");
    group.throughput(Throughput::Elements(1));
    group.bench_function(in_units("acceleration, closed form", "states"), |bencher| {
        bencher.iter(|| pendulum.acceleration_into(black_box(q), black_box(q_dot), &[], &mut q_ddot));
    });
    let mut equation = EulerLagrange::new(&pendulum).expect("two degrees of freedom");
    group.bench_function(in_units("acceleration, tape of duals", "states"), |bencher| {
        bencher.iter(|| {
            let (q, q_dot) = (black_box(q), black_box(q_dot));
            equation.acceleration_into(q, q_dot, &mut q_ddot).expect("a regular mass matrix");
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = work::criterion(); targets = hessians, acceleration }
criterion_main!(benches);
