//! What ends rollouts early: settings, the true system, a stop.

use std::time::{Duration, Instant};

use lnn_physics::{Coordinate, Dynamics, EulerLagrangeError, ReferenceMotion};

use super::*;
use crate::config::{ExperimentConfig, presets};
use crate::experiment::{build_model, build_system};

/// A stop that nobody asks for.
static ON: AtomicBool = AtomicBool::new(false);

/// A plan of `rollouts` rollouts over `config`.
fn plan(rollouts: usize, change: impl FnOnce(&mut EvaluationConfig)) -> RolloutPlan {
    let mut config = EvaluationConfig { rollouts, t_end: 1.0, ..EvaluationConfig::default() };
    change(&mut config);
    let ranges = [0.0, 1.0].map(|low| sampling::Distribution::uniform(low, low + 0.5).expect("an interval"));
    RolloutPlan::new(2, &[ranges[0], ranges[0], ranges[1], ranges[1]], StateSampler::new(3, 2), &config)
        .expect("frames")
}

/// The preset's untrained model of a name, with its parameters and the system.
fn untrained(name: &str) -> (Model, Vec<f64>, std::sync::Arc<dyn System>) {
    let config: ExperimentConfig = presets::fast();
    let model = build_model(&config.models[name], 2).expect("usable");
    let parameters = config.models[name].initialisation.draw(&model, 1);
    (model, parameters, build_system(&config.system).expect("usable"))
}

#[test]
fn a_step_that_does_not_advance_the_time_is_an_error() {
    let (model, parameters, system) = untrained(presets::BASELINE);
    let plan = plan(2, |config| config.integrator = IntegratorConfig::Rk4 { dt: 1e-18 });
    let error = plan.model(&model, &parameters, &*system, &ON).expect_err("no step advances");
    assert!(matches!(error, RolloutError::Integration(IntegrationError::StepUnderflow { .. })), "{error}");
    let without_step = super::tests::plan(2, |config| config.integrator = IntegratorConfig::Rk4 { dt: 0.0 });
    let error = without_step.model(&model, &parameters, &*system, &ON).expect_err("no step");
    assert!(matches!(error, RolloutError::Input(InvalidInput::NotPositive { .. })), "{error}");
}

/// A system that ends where q₂ reaches a bound.
#[derive(Debug)]
struct Bounded {
    inner: std::sync::Arc<dyn System>,
    bound: f64,
}

impl System for Bounded {
    fn name(&self) -> &'static str {
        "bounded"
    }
    fn coordinates(&self) -> &[Coordinate] {
        self.inner.coordinates()
    }
    fn acceleration_into(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64], q_ddot: &mut [f64]) {
        self.inner.acceleration_into(q, q_dot, conditionals, q_ddot);
        if q[1] > self.bound {
            q_ddot.fill(f64::NAN);
        }
    }
    fn kinetic_energy(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> f64 {
        self.inner.kinetic_energy(q, q_dot, conditionals)
    }
    fn potential_energy(&self, q: &[f64], conditionals: &[f64]) -> f64 {
        self.inner.potential_energy(q, conditionals)
    }
    fn dynamics(&self, q: &[f64], q_dot: &[f64], conditionals: &[f64]) -> Result<Dynamics, EulerLagrangeError> {
        self.inner.dynamics(q, q_dot, conditionals)
    }
    fn reference_energy(&self) -> f64 {
        self.inner.reference_energy()
    }
    fn training_distribution(&self) -> &[sampling::Distribution] {
        self.inner.training_distribution()
    }
    fn rollout_distribution(&self) -> &[sampling::Distribution] {
        self.inner.rollout_distribution()
    }
    fn reference_motion(&self) -> ReferenceMotion {
        self.inner.reference_motion()
    }
}

#[test]
fn a_reference_that_ends_early_is_an_error_that_names_its_start() {
    let system = Bounded { inner: untrained(presets::LNN).2, bound: f64::INFINITY };
    let plan = plan(4, |_| {});
    let whole = plan.truth(&system, &ON).expect("an ordinary pendulum");
    assert!(whole.iter().all(|trajectory| trajectory.failure.is_none() && trajectory.states.len() == 11 * 4));
    // A bound that only the trajectory with the largest q₂ reaches.
    let bounded: Vec<f64> = whole
        .iter()
        .map(|trajectory| trajectory.states.chunks_exact(4).map(|s| s[1]).fold(f64::NEG_INFINITY, f64::max))
        .collect();
    let largest = (0..4).max_by(|&a, &b| bounded[a].total_cmp(&bounded[b])).expect("four");
    let bound =
        bounded.iter().enumerate().filter(|(k, _)| *k != largest).map(|(_, &b)| b).fold(f64::NEG_INFINITY, f64::max);
    let system = Bounded { bound: 0.5 * (bound + bounded[largest]), ..system };
    match plan.truth(&system, &ON) {
        Err(RolloutError::Reference { start, time, reason }) => {
            assert_eq!(start, largest);
            assert!((0.0..1.0).contains(&time) && !reason.is_empty(), "{time} {reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stop_ends_every_integrator_at_once() {
    let (model, parameters, system) = untrained(presets::LNN);
    let tolerance = IntegratorConfig::DormandPrince { relative_tolerance: 1e-12, absolute_tolerance: 1e-12 };
    for integrator in [IntegratorConfig::Rk4 { dt: 1e-5 }, IntegratorConfig::ImplicitMidpoint { dt: 1e-5 }, tolerance] {
        let plan = plan(12, |config| {
            config.integrator = integrator;
            config.reference_integrator = integrator;
            config.t_end = 1e4;
        });
        let stop = AtomicBool::new(false);
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                stop.store(true, Ordering::Relaxed);
            });
            assert_eq!(plan.model(&model, &parameters, &*system, &stop), Err(RolloutError::Stopped));
        });
        assert_eq!(plan.truth(&*system, &stop), Err(RolloutError::Stopped));
        // Whole rollouts of this length take minutes.
        assert!(start.elapsed() < Duration::from_secs(5), "{integrator:?}: {:?}", start.elapsed());
    }
}
