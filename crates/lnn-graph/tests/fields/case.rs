//! Topologies, random numbers and integrations that several tests share.

use std::convert::Infallible;
use std::sync::Arc;

use lnn_graph::fields::Field;
use lnn_graph::topology::Boundary::{Fixed, Free, Periodic};
use lnn_graph::topology::Topology;
use lnn_physics::integrators::{DormandPrinceOptions, FixedStep, Method, Rk4, solve_at};
use lnn_physics::sampling::{Distribution, StateSampler};

/// Every boundary, lines and grids, one site alone, and a graph with an isolated site.
pub(crate) fn topologies() -> Vec<Arc<Topology>> {
    let graph = Topology::graph(7, &[[0, 1], [0, 2], [0, 3], [3, 4], [1, 2], [5, 3]]).unwrap();
    let mut all = vec![graph];
    for boundary in [Periodic, Fixed, Free] {
        all.extend([3, 4, 8].map(|n| Topology::line(n, boundary).unwrap()));
        all.push(Topology::grid([3, 4], [Fixed, boundary]).unwrap());
        all.push(Topology::grid([3, 2], [boundary, Free]).unwrap());
    }
    all.extend([Fixed, Free].map(|boundary| Topology::line(1, boundary).unwrap()));
    all.into_iter().map(Arc::new).collect()
}

/// `count` numbers uniform on [low, high), the same for the same stream.
pub(crate) fn uniform(stream: u64, count: usize, low: f64, high: f64) -> Vec<f64> {
    let mut out = vec![0.0; count];
    StateSampler::new(11, 5).fill(stream, &[Distribution::uniform(low, high).unwrap()], &mut out);
    out
}

pub(crate) fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |most, value| value.abs().max(most))
}

pub(crate) fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn derivative<F: Field + ?Sized>(field: &F) -> impl FnMut(f64, &[f64], &mut [f64]) -> Result<(), Infallible> {
    |_t, state, state_dot| {
        field.state_derivative_into(state, state_dot);
        Ok(())
    }
}

/// The states at `times` by Dormand–Prince with relative and absolute tolerance `tolerance`.
pub(crate) fn integrate<F: Field + ?Sized>(field: &F, start: &[f64], times: &[f64], tolerance: f64) -> Vec<Vec<f64>> {
    let options = DormandPrinceOptions {
        relative_tolerance: tolerance,
        absolute_tolerance: tolerance,
        ..DormandPrinceOptions::default()
    };
    let trajectory = solve_at(&Method::DormandPrince(options), derivative(field), start, times).unwrap();
    trajectory.rows().map(|(_, state)| state.to_vec()).collect()
}

/// The state after `steps` Runge–Kutta steps over `duration`.
pub(crate) fn runge_kutta<F: Field + ?Sized>(field: &F, start: &[f64], duration: f64, steps: u32) -> Vec<f64> {
    let (dt, mut state, mut rk4) = (duration / f64::from(steps), start.to_vec(), Rk4::new(start.len()));
    for k in 0..steps {
        rk4.step(&mut derivative(field), f64::from(k) * dt, dt, &mut state).unwrap();
    }
    state
}

/// Slope of log `y` against log `x` by least squares.
pub(crate) fn slope(x: &[f64], y: &[f64]) -> f64 {
    let logs = |v: &[f64]| v.iter().map(|value| value.ln()).collect::<Vec<_>>();
    let (x, y) = (logs(x), logs(y));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mean_x, mean_y) = (mean(&x), mean(&y));
    let covariance: f64 = x.iter().zip(&y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    covariance / x.iter().map(|x| (x - mean_x).powi(2)).sum::<f64>()
}
