//! What held-out motions say of models whose motion is known.

use std::f64::consts::{PI, TAU};
use std::sync::atomic::AtomicBool;

use super::super::evaluate::HeldOutMotions;
use super::super::*;
use super::{Tables, swings};
use crate::config::ModelKind;

/// A network of zeros leaves the residual mass alone: free motion, of which everything is known.
#[test]
fn held_out_errors_are_those_of_a_known_motion() {
    let (a, dt, rows) = (0.8, 0.1, 11);
    let mut text = "trajectory,t,q0 [m],q_dot0,q_ddot0\n".to_owned();
    for (number, v) in [1.0, -2.0, 1.5, 0.5].into_iter().enumerate() {
        for row in 0..rows {
            // From another time on in each motion.
            let s = dt * f64::from(row);
            let (t, q, q_dot) = (s + number as f64, v * s + 0.5 * a * s * s, v + a * s);
            text += &format!("{number},{t},{q},{q_dot},{a}\n");
        }
    }
    let measured = Tables::new(&[&text]).read();
    let split = Split::new(&measured, 0.5, 0, 2).expect("motions");
    let units = residual_units(&measured, &split.training);
    let learn = Learn::segments();
    let config = MeasuredModelConfig { hidden: vec![3], ..MeasuredModelConfig::default() }
        .complete(learn, &scaled_features(&measured, &split.training));
    let model = crate::experiment::build_model(&config, 1).expect("a model");
    let parameters = vec![0.0; model.parameter_count()];
    let judged = HeldOutMotions::new(&measured, (&split.held_out, &split.training), &units, false);

    let never = AtomicBool::new(false);
    let close = |found: f64, want: f64| (found - want).abs() <= 1e-10 * want.abs();
    let [one] = &judged.acceleration_errors(&model, &parameters, &never).expect("not stopped")[..] else {
        panic!("one coordinate")
    };
    assert!(close(one.root_mean_square, a) && one.name == "q_ddot0", "{one:?}");
    let [q, q_dot] = &judged.one_row_errors(&model, &parameters, &never).expect("not stopped")[..] else {
        panic!("q and q̇")
    };
    assert!(close(q.root_mean_square, 0.5 * a * dt * dt) && q.unit.as_deref() == Some("m"), "{q:?}");
    // All that q̇ does in a row is missed.
    assert!(close(q_dot.root_mean_square, a * dt) && close(q_dot.relative, 1.0), "{q_dot:?}");
    // The mean rates are off by ½ a dt and a, in their units.
    let rates = [0.5 * a * dt / units.velocity[0], a / units.acceleration[0]];
    let want = ((rates[0].powi(2) + rates[1].powi(2)) / 2.0).sqrt();
    let line = judged.judge(&model, &parameters);
    assert!(close(line.held_out_error.expect("judged"), want), "{line:?} {want}");
    assert!(line.acceleration_l1.is_nan() && line.mass_matrix.expect("there is one").indefinite == 0);

    let rollouts = judged.rollouts(&model, &parameters, &never).expect("times").expect("nobody stops it");
    let deviations = split.training.trajectories.deviations();
    assert_eq!(rollouts.iter().map(|rollout| rollout.number).collect::<Vec<_>>(), split.held_out.numbers);
    for rollout in &rollouts {
        assert!(rollout.failure.is_none() && rollout.predicted.len() == 2 * rows as usize);
        for (row, &distance) in rollout.distance.iter().enumerate() {
            let s = dt * row as f64;
            let off = [0.5 * a * s * s / deviations[0], a * s / deviations[1]];
            let want = ((off[0].powi(2) + off[1].powi(2)) / 2.0).sqrt();
            // The integration is accurate to 1e-8 of the deviations.
            assert!((distance - want).abs() < 1e-7, "{row}: {distance} {want}");
        }
    }
    let errors = HeldOutMotions::rollout_errors(&rollouts);
    assert_eq!((errors.count, errors.failed), (2, 0));
    assert_eq!(errors.by_tenth[9], Some(rollouts[0].distance[10]), "all are equally far at the end");
    assert!(close(errors.duration, 1.0) && errors.faithful_time < 0.5, "{errors:?}");
    // Energy is ½ (q̇/u)²: constant along the model's motion, and not along the accelerated one.
    let drift = judged.energy_drift(&model, &parameters, &rollouts).expect("a Lagrangian has an energy");
    assert!(drift.rollout_percent < 1e-5 && drift.measured_percent > 5.0, "{drift:?}");
    // What there is of a motion that ended varies no more, but it is lost.
    let mut lost = rollouts;
    let failure = crate::record::RolloutFailure { time: 0.0, reason: "a test".to_owned() };
    lost.iter_mut().for_each(|rollout| rollout.failure = Some(failure.clone()));
    let drift = judged.energy_drift(&model, &parameters, &lost).expect("a Lagrangian has an energy");
    assert!(drift.rollout_percent == f64::INFINITY && drift.measured_percent > 5.0, "{drift:?}");
    let stopped = AtomicBool::new(true);
    assert!(judged.one_row_errors(&model, &parameters, &stopped).is_err());
    assert!(judged.acceleration_errors(&model, &parameters, &stopped).is_err());
    assert_eq!(judged.rollouts(&model, &parameters, &stopped).expect("times"), None);
}

fn lagrangian(residual_mass: f64) -> MeasuredModelConfig {
    let kind =
        ModelKind::Lnn { residual_mass, pseudoinverse_tolerance: 1e-6, potential_scale: None, scaled_velocities: true };
    MeasuredModelConfig { kind, hidden: vec![3], ..MeasuredModelConfig::default() }
}

/// A wheel that spins and slows down: the model without a force is off by many turns in the end, of which the angle shows the
/// rest, at most half a turn; the unwrapped angle's deviation would make nothing of it.
#[test]
fn a_spinning_angle_is_judged_by_the_circle() {
    let (v, a) = (9.0, -0.7);
    let text = swings(&[1.0, 1.0], 60, 0.1, |t, _, _| [t, (v * t + 0.5 * a * t * t).rem_euclid(TAU), v + a * t]);
    let measured = Tables::new(&[&text]).angles(&["q0"]).read();
    let split = Split::new(&measured, 0.5, 0, 2).expect("motions");
    let units = residual_units(&measured, &split.training);
    let config = lagrangian(1.0).complete(Learn::segments(), &scaled_features(&measured, &split.training));
    let model = crate::experiment::build_model(&config, 1).expect("a model");
    let parameters = vec![0.0; model.parameter_count()];
    let judged = HeldOutMotions::new(&measured, (&split.held_out, &split.training), &units, false);
    let never = AtomicBool::new(false);
    let rollouts = judged.rollouts(&model, &parameters, &never).expect("times").expect("not stopped");
    let deviations = split.training.trajectories.deviations();
    let circle = PI / 3.0_f64.sqrt();
    assert!(deviations[0] > 4.0 * circle, "{deviations:?}");
    for (row, &distance) in rollouts[0].distance.iter().enumerate() {
        let t = 0.1 * row as f64;
        let angle = (0.5 * a * t * t + PI).rem_euclid(TAU) - PI;
        let off = [angle / circle, a * t / deviations[1]];
        let want = ((off[0].powi(2) + off[1].powi(2)) / 2.0).sqrt();
        // The integration is accurate to 1e-8 of the deviations.
        assert!((distance - want).abs() < 1e-6, "{row}: {distance} {want}");
    }
}

/// Without a residual mass the mass matrix of a network of zeros is 0: there is no motion.
#[test]
fn a_rollout_ends_at_a_singular_mass_matrix_and_counts_as_lost() {
    let measured = Tables::new(&[&swings(&[1.0, 2.0, 1.5], 30, 0.1, |t, q, q_dot| [t, q, q_dot])]).read();
    let split = Split::new(&measured, 0.5, 0, 2).expect("motions");
    let units = residual_units(&measured, &split.training);
    let config = lagrangian(0.0).complete(Learn::segments(), &scaled_features(&measured, &split.training));
    let model = crate::experiment::build_model(&config, 1).expect("a model");
    let parameters = vec![0.0; model.parameter_count()];
    let judged = HeldOutMotions::new(&measured, (&split.held_out, &split.training), &units, false);
    let never = AtomicBool::new(false);
    let rollouts = judged.rollouts(&model, &parameters, &never).expect("times").expect("not stopped");
    for rollout in &rollouts {
        let failure = rollout.failure.as_ref().expect("no acceleration anywhere");
        assert!(failure.reason.contains("mass matrix is singular"), "{failure:?}");
        assert!(rollout.predicted.len() < rollout.measured.len() && rollout.measured_energy.len() == 30);
    }
    let errors = HeldOutMotions::rollout_errors(&rollouts);
    assert_eq!((errors.failed, errors.by_tenth[9]), (rollouts.len(), None));
    assert!(errors.first_failure.expect("the first one's").contains("singular"));
    let drift = judged.energy_drift(&model, &parameters, &rollouts).expect("a Lagrangian has an energy");
    assert!(!drift.rollout_percent.is_finite(), "{drift:?}");
    let spectrum = judged.mass_matrix(&model, &parameters, &never).expect("not stopped").expect("there is one");
    assert!(spectrum.sign_is_lost() && spectrum.other_sign == spectrum.states, "{spectrum:?}");
}

/// Of a recording without end its beginning is rolled out.
#[test]
fn a_long_motion_is_rolled_out_at_its_beginning() {
    let measured = Tables::new(&[&swings(&[1.0, 1.5], 2100, 0.1, |t, q, q_dot| [t, q, q_dot])]).read();
    let split = Split::new(&measured, 0.5, 0, 2).expect("motions");
    let units = residual_units(&measured, &split.training);
    let config = lagrangian(1.0).complete(Learn::segments(), &scaled_features(&measured, &split.training));
    let model = crate::experiment::build_model(&config, 1).expect("a model");
    let judged = HeldOutMotions::new(&measured, (&split.held_out, &split.training), &units, false);
    let parameters = vec![0.0; model.parameter_count()];
    let rollouts = judged.rollouts(&model, &parameters, &AtomicBool::new(false)).expect("times").expect("not stopped");
    assert!(rollouts[0].times.len() == 2000 && rollouts[0].measured.len() == 4000 && rollouts[0].failure.is_none());
    let errors = HeldOutMotions::rollout_errors(&rollouts);
    assert!(errors.cut == 1 && (errors.duration - 199.9).abs() < 1e-9, "{errors:?}");
}
