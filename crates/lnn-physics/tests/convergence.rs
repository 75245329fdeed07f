//! The measured orders of the integrators.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

use std::convert::Infallible;

use lnn_physics::System;
use lnn_physics::integrators::{DormandPrince, FixedStep, ImplicitMidpoint, Rk4};
use lnn_physics::systems::DoublePendulum;

const START: [f64; 4] = [1.2, -0.4, 0.5, -1.0];

fn pendulum(_t: f64, y: &[f64], y_dot: &mut [f64]) -> Result<(), Infallible> {
    DoublePendulum::default().state_derivative_into(y, &[], y_dot);
    Ok(())
}

/// y' = y cos t, y(0) = 1, y = exp(sin t): sees a wrong node, which an autonomous problem does not.
fn forced(t: f64, y: &[f64], y_dot: &mut [f64]) -> Result<(), Infallible> {
    y_dot[0] = y[0] * t.cos();
    Ok(())
}

fn integrate<S: FixedStep>(
    mut stepper: S,
    mut f: impl FnMut(f64, &[f64], &mut [f64]) -> Result<(), Infallible>,
    start: &[f64],
    duration: f64,
    steps: u32,
) -> Vec<f64> {
    let dt = duration / f64::from(steps);
    let mut y = start.to_vec();
    for k in 0..steps {
        stepper.step(&mut f, f64::from(k) * dt, dt, &mut y).unwrap();
    }
    y
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

/// Slope of log error against log dt by least squares.
fn slope(steps: &[u32], errors: &[f64]) -> f64 {
    let x: Vec<f64> = steps.iter().map(|&n| -f64::from(n).ln()).collect();
    let y: Vec<f64> = errors.iter().map(|e| e.ln()).collect();
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(&x), mean(&y));
    let covariance: f64 = x.iter().zip(&y).map(|(x, y)| (x - mx) * (y - my)).sum();
    covariance / x.iter().map(|x| (x - mx).powi(2)).sum::<f64>()
}

fn assert_order<S: FixedStep>(make: impl Fn(usize) -> S, order: f64, steps: &[u32], coarse: &[u32]) {
    // Fifth order at 4096 steps: an error of about 1e-14, far below every error measured here.
    let reference = integrate(DormandPrince::new(4), pendulum, &START, 2.0, 4096);
    let errors: Vec<f64> =
        steps.iter().map(|&n| distance(&integrate(make(4), pendulum, &START, 2.0, n), &reference)).collect();
    let measured = slope(steps, &errors);
    assert!((measured - order).abs() <= 0.15, "double pendulum: order {measured}, declared {order}, errors {errors:?}");
    let exact = [2.0_f64.sin().exp()];
    let errors: Vec<f64> =
        coarse.iter().map(|&n| distance(&integrate(make(1), forced, &[1.0], 2.0, n), &exact)).collect();
    let measured = slope(coarse, &errors);
    assert!(measured >= order - 0.15, "forced equation: order {measured}, declared {order}, errors {errors:?}");
}

#[test]
fn rk4_has_order_4() {
    assert_order(Rk4::new, 4.0, &[128, 181, 256, 362, 512, 724], &[16, 23, 32, 45, 64]);
}

#[test]
fn dormand_prince_has_order_5() {
    assert_order(DormandPrince::new, 5.0, &[256, 362, 512, 724, 1024], &[16, 23, 32, 45, 64]);
}

#[test]
fn implicit_midpoint_has_order_2() {
    assert_order(ImplicitMidpoint::new, 2.0, &[512, 724, 1024, 1448, 2048], &[64, 90, 128, 181, 256]);
}

#[test]
fn the_dense_output_has_order_4() {
    // Error inside one step from an exact start: O(dt⁵) for a continuous extension of order 4.
    let steps = [16, 23, 32, 45, 64, 91];
    let mut errors = Vec::new();
    for &n in &steps {
        let dt = 1.0 / f64::from(n);
        let mut y = START.to_vec();
        let mut stepper = DormandPrince::new(4);
        stepper.step(&mut pendulum, 0.0, dt, &mut y).unwrap();
        let mut worst: f64 = 0.0;
        let mut inside = [0.0; 4];
        for fraction in [0.1, 0.3, 0.5, 0.7, 0.9] {
            stepper.interpolate(fraction, &mut inside);
            let exact = integrate(DormandPrince::new(4), pendulum, &START, fraction * dt, 64);
            worst = worst.max(distance(&inside, &exact));
        }
        errors.push(worst);
        // The ends are the step's own states.
        stepper.interpolate(0.0, &mut inside);
        assert_eq!(inside, START);
        stepper.interpolate(1.0, &mut inside);
        assert!(distance(&inside, &y) <= 8.0 * f64::EPSILON * distance(&y, &[0.0; 4]));
    }
    let measured = slope(&steps, &errors);
    assert!((measured - 5.0).abs() <= 0.15, "local order {measured}, errors {errors:?}");
}

#[test]
fn the_slope_sees_a_wrong_coefficient() {
    // Heun's rule with a weight off by one per cent falls to order 0 consistency: the fit must say
    // so.
    struct Wrong;
    impl FixedStep for Wrong {
        fn step<F, E>(
            &mut self,
            f: &mut F,
            t: f64,
            dt: f64,
            y: &mut [f64],
        ) -> Result<(), lnn_physics::integrators::StepFailure<E>>
        where
            F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
        {
            let n = y.len();
            let (mut a, mut b) = (vec![0.0; n], vec![0.0; n]);
            f(t, y, &mut a).map_err(lnn_physics::integrators::StepFailure::Derivative)?;
            let predicted: Vec<f64> = y.iter().zip(&a).map(|(y, k)| y + dt * k).collect();
            f(t + dt, &predicted, &mut b).map_err(lnn_physics::integrators::StepFailure::Derivative)?;
            for i in 0..n {
                y[i] += dt * (0.51 * a[i] + 0.5 * b[i]);
            }
            Ok(())
        }
    }
    let exact = [2.0_f64.sin().exp()];
    let steps = [128, 256, 512];
    let errors: Vec<f64> = steps.iter().map(|&n| distance(&integrate(Wrong, forced, &[1.0], 2.0, n), &exact)).collect();
    assert!(slope(&steps, &errors) < 0.5);
}
