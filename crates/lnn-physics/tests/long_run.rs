//! Long runs of the double pendulum: bounded energy error, reversibility.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

use std::convert::Infallible;

use lnn_physics::System;
use lnn_physics::integrators::{FixedStep, ImplicitMidpoint, Rk4};
use lnn_physics::systems::DoublePendulum;

const STEPS: usize = 100_000;
const DT: f64 = 0.02;
const START: [f64; 4] = [0.9, -0.6, 0.0, 0.3];

fn pendulum(_t: f64, y: &[f64], y_dot: &mut [f64]) -> Result<(), Infallible> {
    DoublePendulum::default().state_derivative_into(y, &[], y_dot);
    Ok(())
}

/// Largest energy error, relative to the reference energy, in each tenth of the run.
fn energy_error_by_tenths(mut stepper: impl FixedStep) -> [f64; 10] {
    let system = DoublePendulum::default();
    let mut y = START;
    let start = system.state_energy(&y, &[]);
    let mut worst = [0.0_f64; 10];
    for k in 0..STEPS {
        stepper.step(&mut pendulum, k as f64 * DT, DT, &mut y).unwrap();
        let error = (system.state_energy(&y, &[]) - start).abs() / system.reference_energy();
        let tenth = &mut worst[k * 10 / STEPS];
        *tenth = tenth.max(error);
    }
    worst
}

#[test]
fn implicit_midpoint_keeps_the_energy_error_bounded_where_rk4_drifts() {
    let midpoint = energy_error_by_tenths(ImplicitMidpoint::new(4));
    assert!(midpoint[9] <= 2.0 * midpoint[0], "implicit midpoint drifts: {midpoint:?}");
    // It is an error of order dt², visible above round-off: the bound above is not met trivially.
    assert!(midpoint[0] > 1e-6 && midpoint[0] < 0.05, "{midpoint:?}");
    let rk4 = energy_error_by_tenths(Rk4::new(4));
    assert!(rk4[9] > 5.0 * rk4[0], "RK4 was expected to drift: {rk4:?}");
}

#[test]
fn implicit_midpoint_is_reversible() {
    let there_and_back = |stepper: &mut dyn FnMut(f64, &mut [f64])| {
        let mut y = START.to_vec();
        for _ in 0..500 {
            stepper(DT, &mut y);
        }
        let away = y.iter().zip(&START).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        for _ in 0..500 {
            stepper(-DT, &mut y);
        }
        let back = y.iter().zip(&START).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        (away, back)
    };
    let mut midpoint = ImplicitMidpoint::new(4);
    let (away, back) = there_and_back(&mut |dt, y| midpoint.step(&mut pendulum, 0.0, dt, y).unwrap());
    // Round-off of 1000 steps in states of size about 5, amplified by the motion's own sensitivity.
    assert!(away > 0.1);
    assert!(back <= 1e5 * f64::EPSILON, "returned within {back:e}");
    let mut rk4 = Rk4::new(4);
    let (_, back) = there_and_back(&mut |dt, y| rk4.step(&mut pendulum, 0.0, dt, y).unwrap());
    assert!(back > 1e6 * f64::EPSILON, "RK4 is not symmetric, yet came back within {back:e}");
}
