//! The drivers: states at requested times, error control, lockstep batches, and how they fail.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.

use std::convert::Infallible;

use lnn_physics::System;
use lnn_physics::integrators::{
    DormandPrinceOptions, FixedStep, ImplicitMidpoint, IntegrationError, InvalidInput, Method, Rk4, StepFailure,
    frame_times, solve_at, solve_batch_at,
};
use lnn_physics::systems::DoublePendulum;

fn oscillator(_t: f64, y: &[f64], y_dot: &mut [f64]) -> Result<(), Infallible> {
    (y_dot[0], y_dot[1]) = (y[1], -y[0]);
    Ok(())
}

/// y' = y², y(0) = 1: y = 1/(1 − t) blows up at t = 1.
fn explosive(_t: f64, y: &[f64], y_dot: &mut [f64]) -> Result<(), Infallible> {
    y_dot[0] = y[0] * y[0];
    Ok(())
}

fn dormand_prince(tolerance: f64) -> Method {
    Method::DormandPrince(DormandPrinceOptions {
        relative_tolerance: tolerance,
        absolute_tolerance: tolerance,
        ..Default::default()
    })
}

#[test]
fn every_method_meets_the_requested_times() {
    // Uneven times, none a multiple of dt.
    let times = [0.5, 0.6, 1.7, 1.75, 4.0];
    let start = [0.5_f64.cos(), -(0.5_f64.sin())];
    for (method, tolerance) in [
        (Method::Rk4 { dt: 0.01 }, 1e-9),
        (Method::ImplicitMidpoint { dt: 0.001 }, 1e-6),
        (dormand_prince(1e-10), 1e-8),
    ] {
        let found = solve_at(&method, oscillator, &start, &times).unwrap();
        assert_eq!(found.times, times);
        assert_eq!(found.state(0), start);
        for (t, y) in found.rows() {
            let error = (y[0] - t.cos()).abs().max((y[1] + t.sin()).abs());
            assert!(error <= tolerance, "{method:?} is off by {error:e} at {t}");
        }
        assert!(found.statistics.evaluations >= found.statistics.steps);
        assert_eq!(found.last(), Some(found.state(4)));
    }
}

#[test]
fn the_fixed_step_never_exceeds_dt_and_frames_cost_no_extra_step() {
    let times = frame_times(100.0, 10.0).unwrap();
    assert_eq!(times.len(), 1001);
    let mut count = 0_u64;
    let zero = |_t: f64, _y: &[f64], y_dot: &mut [f64]| {
        count += 1;
        y_dot[0] = 0.0;
        Ok::<(), Infallible>(())
    };
    // 40 steps of 0.0025 in each tenth of a second, though 0.1·k is rarely exact.
    let found = solve_at(&Method::Rk4 { dt: 0.0025 }, zero, &[0.0], &times).unwrap();
    assert_eq!(found.statistics.steps, 40_000);
    assert_eq!(found.statistics.evaluations, 160_000);
    assert_eq!(count, 160_000);
    let mut largest: f64 = 0.0;
    let mut last = 0.0;
    let watch = |t: f64, _y: &[f64], y_dot: &mut [f64]| {
        largest = largest.max(t - last);
        last = t;
        y_dot[0] = 0.0;
        Ok::<(), Infallible>(())
    };
    solve_at(&Method::Rk4 { dt: 0.3 }, watch, &[0.0], &[0.0, 1.0, 1.1]).unwrap();
    assert!(largest <= 0.3);
}

#[test]
fn dormand_prince_follows_its_tolerance() {
    let system = DoublePendulum::default();
    let start = [1.5, -0.5, 0.0, 1.0];
    let times = frame_times(3.0, 20.0).unwrap();
    let solve = |tolerance| {
        let f = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
            system.state_derivative_into(y, &[], y_dot);
            Ok::<(), Infallible>(())
        };
        solve_at(&dormand_prince(tolerance), f, &start, &times).unwrap()
    };
    let reference = solve(1e-13);
    let mut previous = f64::INFINITY;
    for tolerance in [1e-5, 1e-7, 1e-9, 1e-11] {
        let found = solve(tolerance);
        let differences = found.states.iter().zip(&reference.states);
        let error = differences.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        // The pendulum amplifies an error several times in three seconds; interpolated frames are
        // included.
        assert!(error <= 500.0 * tolerance, "{error:e} at tolerance {tolerance:e}");
        assert!(error < 0.2 * previous, "{error:e} is no better than {previous:e}");
        previous = error;
    }
    let loose = solve(1e-5).statistics;
    assert!(loose.steps < reference.statistics.steps / 10);
}

#[test]
fn a_single_time_returns_the_start_and_evaluates_nothing() {
    let forbidden = |_t: f64, _y: &[f64], _d: &mut [f64]| -> Result<(), Infallible> { panic!("evaluated") };
    for method in [Method::Rk4 { dt: 0.1 }, Method::ImplicitMidpoint { dt: 0.1 }, dormand_prince(1e-6)] {
        let found = solve_at(&method, forbidden, &[1.0, 2.0], &[3.0]).unwrap();
        assert_eq!((found.len(), found.state(0)), (1, &[1.0, 2.0][..]));
    }
}

#[test]
fn bad_input_is_refused_before_any_work() {
    let forbidden = |_t: f64, _y: &[f64], _d: &mut [f64]| -> Result<(), Infallible> { panic!("evaluated") };
    let refused = |method: Method, initial: &[f64], times: &[f64]| {
        let failure = solve_at(&method, forbidden, initial, times).unwrap_err();
        assert!(failure.partial.is_empty());
        match failure.error {
            IntegrationError::Input(input) => input,
            other => panic!("{other}"),
        }
    };
    let good = Method::Rk4 { dt: 0.1 };
    for dt in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        for method in [Method::Rk4 { dt }, Method::ImplicitMidpoint { dt }] {
            let error = refused(method, &[1.0], &[0.0, 1.0]);
            assert!(matches!(error, InvalidInput::NotPositive { name: "dt", .. }), "{error}");
        }
        let error = refused(dormand_prince(dt), &[1.0], &[0.0, 1.0]);
        assert!(error.to_string().contains("relative_tolerance"), "{error}");
    }
    assert_eq!(refused(good, &[1.0], &[]), InvalidInput::NoTimes);
    assert_eq!(refused(good, &[], &[0.0, 1.0]), InvalidInput::EmptyState);
    let error = refused(good, &[1.0], &[0.0, 2.0, 1.0]);
    assert_eq!(error, InvalidInput::UnsortedTimes { index: 2, previous: 2.0, given: 1.0 });
    assert!(error.to_string().contains("times[2] = 1 does not lie after times[1] = 2"), "{error}");
    let error = refused(good, &[1.0], &[0.0, 1.0, 1.0]);
    assert!(matches!(error, InvalidInput::UnsortedTimes { index: 2, .. }));
    let error = refused(good, &[1.0], &[0.0, f64::NAN]);
    assert!(matches!(error, InvalidInput::NonFiniteTime { index: 1, .. }));
    let error = refused(good, &[1.0, f64::NAN], &[0.0, 1.0]);
    assert!(matches!(error, InvalidInput::NonFiniteInitialState { component: 1, .. }));
    for duration in [0.0, -1.0, f64::NAN] {
        assert!(frame_times(duration, 10.0).is_err());
        assert!(frame_times(10.0, duration).is_err());
    }
    assert!(matches!(frame_times(1e9, 10.0), Err(InvalidInput::TooManyFrames { .. })));
}

#[test]
fn a_duration_of_no_whole_frames_ends_exactly() {
    assert_eq!(frame_times(0.3, 10.0).unwrap(), [0.0, 0.1, 0.2, 0.3]);
    assert_eq!(frame_times(0.25, 10.0).unwrap(), [0.0, 0.1, 0.2, 0.25]);
    assert_eq!(frame_times(0.01, 10.0).unwrap(), [0.0, 0.01]);
}

#[test]
fn a_blow_up_keeps_what_was_reached() {
    let times = [0.0, 0.5, 0.9, 2.0, 3.0];
    let failure = solve_at(&Method::Rk4 { dt: 0.001 }, explosive, &[1.0], &times).unwrap_err();
    assert_eq!(failure.partial.times, [0.0, 0.5, 0.9]);
    // Classical RK4 with dt·y = 0.01 at t = 0.9.
    assert!((failure.partial.state(2)[0] - 10.0).abs() < 1e-4);
    match failure.error {
        IntegrationError::NonFinite { time, step, component: 0 } => {
            assert!(time > 0.99 && time < 1.1, "{time}");
            // From 0.9 on the interval to 2.0 is divided into steps of 0.001.
            assert_eq!(step, 900 + ((time - 0.9) / 0.001).round() as u64);
        }
        other => panic!("{other}"),
    }

    let failure = solve_at(&dormand_prince(1e-8), explosive, &[1.0], &times).unwrap_err();
    assert_eq!(failure.partial.times, [0.0, 0.5, 0.9]);
    match failure.error {
        IntegrationError::StepUnderflow { time, .. } | IntegrationError::NonFinite { time, .. } => {
            assert!((time - 1.0).abs() < 1e-6, "{time}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_right_hand_side_that_turns_nan_stops_every_method() {
    let broken = |t: f64, _y: &[f64], y_dot: &mut [f64]| {
        y_dot[0] = 1.0;
        y_dot[1] = if t > 0.55 { f64::NAN } else { 0.0 };
        Ok::<(), Infallible>(())
    };
    for method in [Method::Rk4 { dt: 0.05 }, Method::ImplicitMidpoint { dt: 0.05 }, dormand_prince(1e-6)] {
        let failure = solve_at(&method, broken, &[0.0, 0.0], &[0.0, 0.25, 0.5, 1.0]).unwrap_err();
        assert_eq!(failure.partial.times, [0.0, 0.25, 0.5], "{method:?}");
        match failure.error {
            IntegrationError::NonFinite { time, component, .. } => {
                assert!((0.45..=0.6).contains(&time) && component == 1, "{method:?}: {time}");
            }
            other => panic!("{method:?}: {other}"),
        }
    }
}

#[test]
fn limits_and_errors_of_the_right_hand_side_are_reported() {
    let options = DormandPrinceOptions { max_steps: 5, ..Default::default() };
    let failure = solve_at(&Method::DormandPrince(options), oscillator, &[1.0, 0.0], &[0.0, 100.0]).unwrap_err();
    assert!(matches!(failure.error, IntegrationError::TooManySteps { limit: 5, end: 100.0, .. }));
    let options = DormandPrinceOptions { max_step: 0.01, ..Default::default() };
    let found = solve_at(&Method::DormandPrince(options), oscillator, &[1.0, 0.0], &[0.0, 1.0]).unwrap();
    assert!(found.statistics.steps >= 99, "max_step was not kept");
    let options = DormandPrinceOptions { max_steps: 0, ..Default::default() };
    let failure = solve_at(&Method::DormandPrince(options), oscillator, &[1.0, 0.0], &[0.0, 1.0]).unwrap_err();
    assert!(failure.to_string().contains("max_steps = 0"), "{failure}");

    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("the wall at x = {0}")]
    struct Wall(f64);
    let walled = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
        y_dot[0] = 1.0;
        if y[0] > 0.3 { Err(Wall(y[0])) } else { Ok(()) }
    };
    for method in [Method::Rk4 { dt: 0.01 }, Method::ImplicitMidpoint { dt: 0.01 }, dormand_prince(1e-6)] {
        let failure = solve_at(&method, walled, &[0.0], &[0.0, 0.2, 1.0]).unwrap_err();
        assert_eq!(failure.partial.times, [0.0, 0.2], "{method:?}");
        assert!(matches!(failure.error, IntegrationError::Derivative { source: Wall(x), .. } if x > 0.3));
    }
    // A step that cannot advance the time.
    let failure = solve_at(&Method::Rk4 { dt: 1e-20 }, oscillator, &[1.0, 0.0], &[1.0, 2.0]).unwrap_err();
    assert!(matches!(failure.error, IntegrationError::StepUnderflow { .. }));
}

#[test]
fn implicit_midpoint_reports_an_equation_that_does_not_settle() {
    // y' = −λ y with λ dt/2 = 5: the fixed-point map expands.
    let stiff = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
        y_dot[0] = -100.0 * y[0];
        Ok::<(), Infallible>(())
    };
    let mut y = [1.0];
    let failure = ImplicitMidpoint::new(1).step(&mut { stiff }, 0.0, 0.1, &mut y).unwrap_err();
    assert!(matches!(failure, StepFailure::NotConverged { iterations: 100, .. }), "{failure}");
    assert_eq!(y, [1.0], "a failed step leaves the state as it was");
    let failure = solve_at(&Method::ImplicitMidpoint { dt: 0.1 }, stiff, &[1.0], &[0.0, 1.0]).unwrap_err();
    assert!(matches!(failure.error, IntegrationError::NotConverged { step: 0, dt: 0.1, .. }));
    // With λ dt/2 = 1/2 it settles on the exact solution of the linear equation.
    ImplicitMidpoint::new(1).step(&mut { stiff }, 0.0, 0.01, &mut y).unwrap();
    assert!((y[0] - 0.5 / 1.5).abs() <= 4.0 * f64::EPSILON);
    // At rest at the origin nothing moves.
    let mut y = [0.0];
    ImplicitMidpoint::new(1).step(&mut { stiff }, 0.0, 0.01, &mut y).unwrap();
    assert_eq!(y, [0.0]);
}

#[test]
fn a_batch_in_lockstep_equals_its_trajectories_one_by_one() {
    let system = DoublePendulum::default();
    let single = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
        system.state_derivative_into(y, &[], y_dot);
        Ok::<(), Infallible>(())
    };
    let batched = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
        for (y, y_dot) in y.chunks_exact(4).zip(y_dot.chunks_exact_mut(4)) {
            system.state_derivative_into(y, &[], y_dot);
        }
        Ok::<(), Infallible>(())
    };
    let initial: Vec<f64> = (0..12).map(|i| f64::from(i) * 0.3 - 1.0).collect();
    let times = frame_times(2.0, 5.0).unwrap();
    let batch = solve_batch_at(0.01, batched, &initial, 4, &times).unwrap();
    assert_eq!((batch.trajectories, batch.failures.len()), (3, 0));
    for (k, start) in initial.chunks_exact(4).enumerate() {
        let alone = solve_at(&Method::Rk4 { dt: 0.01 }, single, start, &times).unwrap();
        for row in 0..times.len() {
            assert_eq!(batch.state(row, k), alone.state(row), "trajectory {k}, row {row}");
        }
    }
}

#[test]
fn a_failing_trajectory_does_not_stop_its_batch() {
    let each = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
        for (y, y_dot) in y.iter().zip(y_dot) {
            *y_dot = y * y;
        }
        Ok::<(), Infallible>(())
    };
    // Blow-up at t = 1/y(0): never, at 1, never, at 0.5.
    let initial = [-1.0, 1.0, 0.1, 2.0];
    let times = [0.0, 0.25, 0.75, 2.0];
    let batch = solve_batch_at(0.001, each, &initial, 1, &times).unwrap();
    assert_eq!(batch.rows.len(), 4);
    for (k, y0) in [(0, -1.0), (2, 0.1)] {
        assert!(batch.failure(k).is_none());
        let exact = y0 / (1.0 - 2.0 * y0);
        assert!((batch.state(3, k)[0] - exact).abs() < 1e-10);
    }
    let first = batch.failure(3).unwrap();
    assert_eq!(first.valid_times, 2);
    assert!((first.time - 0.5).abs() < 0.05);
    let second = batch.failure(1).unwrap();
    assert_eq!(second.valid_times, 3);
    assert_eq!(batch.failures.len(), 2);
    assert!(batch.rows.states.iter().all(|v| v.is_finite()));

    // When all have failed the integration ends, and still has its rows.
    let batch = solve_batch_at(0.001, each, &[2.0, 2.0], 1, &times).unwrap();
    assert_eq!((batch.rows.len(), batch.failures.len()), (4, 2));
    assert!(batch.rows.statistics.steps < 1000);

    let failure = solve_batch_at(0.001, each, &[1.0, 2.0, 3.0], 2, &times).unwrap_err();
    assert!(matches!(failure.error, IntegrationError::Input(InvalidInput::BatchShape { length: 3, dimension: 2 })));
    assert!(solve_batch_at(0.001, each, &[1.0], 0, &times).is_err());
}

#[test]
#[should_panic(expected = "another length than the workspace")]
fn a_state_of_another_length_than_the_workspace_panics() {
    let _ = Rk4::new(3).step(&mut { oscillator }, 0.0, 0.1, &mut [1.0, 0.0]);
}
