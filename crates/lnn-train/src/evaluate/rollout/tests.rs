//! What ends rollouts early: settings, the true system, a stop.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use lnn_physics::{Coordinate, Dynamics, EulerLagrangeError, ReferenceMotion};

use super::*;
use crate::config::{
    AngleFeatures, ExperimentConfig, FeaturesConfig, ModelConfig, ModelKind, SystemConfig, preset_with, presets,
};
use crate::experiment::{build_model, build_model_for, build_system, build_training};
use crate::model::{RatesMut, States};
use crate::rollout::Rk4Rollout;

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

/// The plan of a preset's rollouts, shortened, with its untrained model of a kind and the system.
fn of_preset(
    system: &SystemConfig,
    kind: ModelKind,
    velocity_scale: f64,
) -> (RolloutPlan, Model, Vec<f64>, std::sync::Arc<dyn System>) {
    let config = preset_with(&system.name, "models", &system.parameters).expect("a system");
    let system = config.system.build().expect("usable");
    let features = FeaturesConfig { angles: AngleFeatures::Identity, velocity_scale, ..FeaturesConfig::default() };
    let recipe = ModelConfig { kind, features, hidden: vec![8], ..config.models["hnn"].clone() };
    let model = build_model(&recipe, system.degrees_of_freedom()).expect("usable");
    let evaluation =
        EvaluationConfig { rollouts: 13, t_end: 0.5, frames_per_second: 20.0, ..EvaluationConfig::default() };
    let (sampler, starts) = (StateSampler::new(3, 2), system.rollout_distribution());
    let plan = RolloutPlan::new(system.degrees_of_freedom(), starts, sampler, &evaluation).expect("frames");
    let parameters = recipe.initialisation.draw(&model, 5);
    (plan, model, parameters, system)
}

#[test]
fn where_velocities_are_the_momenta_both_hamiltonian_networks_are_one() {
    let system = SystemConfig::new("henon-heiles");
    let run = |kind| {
        let (plan, model, parameters, system) = of_preset(&system, kind, 1.0);
        plan.model(&model, &parameters, &*system, &ON).expect("finite")
    };
    assert_eq!(run(ModelKind::Hnn), run(ModelKind::HnnCanonical { potential_scale: None }));
}

/// With p = m q̇ and m = 4, a power of two, H(q, p) over momenta scaled by 4 is the same function of the velocities, and
/// dq/dt = ∂H/∂p is a fourth of ∂H/∂q̇.
#[test]
fn a_model_in_canonical_coordinates_starts_and_is_shown_in_velocities() {
    let system = SystemConfig::new("spring").with("m", 4.0);
    let (plan, model, parameters, system) = of_preset(&system, ModelKind::HnnCanonical { potential_scale: None }, 4.0);
    let shown = plan.model(&model, &parameters, &*system, &ON).expect("finite");
    let truth = plan.truth(&*system, &ON).expect("a spring");
    for (shown, truth) in shown.iter().zip(&truth) {
        assert_eq!((&shown.states[..2], shown.energies[0]), (&truth.states[..2], truth.energies[0]));
    }
    // One frame of 0.05 on, q has moved by dq/dt and q̇ by a fourth of dp/dt.
    let mut block = model.block::<f64>(1, false);
    let state = &shown[0].states[..2];
    let (mut q_rate, mut p_rate) = ([0.0], [0.0]);
    let states = States { q: &[state[0]], q_dot: &[4.0 * state[1]], conditionals: &[] };
    block.rates(model.bind(&parameters), states, RatesMut { q: &mut q_rate, q_dot: &mut p_rate });
    let (next, dt) = (&shown[0].states[2..4], 0.05);
    // Rates are of order 0.1 and change by as much in a unit of time: what is left is of order 0.1 dt².
    let (moved, gained) = (next[0] - state[0], next[1] - state[1]);
    assert!((moved - dt * q_rate[0]).abs() < 0.1 * dt * dt, "{moved} {q_rate:?}");
    assert!((gained - dt * p_rate[0] / 4.0).abs() < 0.1 * dt * dt, "{gained} {p_rate:?}");
    // Without the fourth the second would be off by ten times that.
    assert!(0.75 * dt * p_rate[0].abs() > dt * dt, "a rate that shows: {p_rate:?}");
}

#[test]
fn a_model_in_canonical_coordinates_is_refused_for_a_system_without_them() {
    let system = Bounded { inner: untrained(presets::LNN).2, bound: f64::INFINITY };
    let mut config = presets::models();
    config.models.retain(|name, _| name == "hnn-canonical");
    let error = build_training::<f32>(&config, "hnn-canonical", std::sync::Arc::new(system)).err().expect("refused");
    let message = error.to_string();
    assert!(
        message.contains("model `hnn-canonical` is HnnCanonical, but system `bounded` offers no momenta"),
        "{message}"
    );
    assert!(message.contains("choose one of Lnn, Delan, Hnn, Baseline, BaselineFirstOrder"), "{message}");
}

#[test]
fn conditionals_belong_to_their_rollouts() {
    let config = preset_with("relativistic", "fast", &std::collections::BTreeMap::new()).expect("a system");
    let system = config.system.build().expect("usable");
    let evaluation =
        EvaluationConfig { rollouts: 23, t_end: 0.2, frames_per_second: 10.0, ..EvaluationConfig::default() };
    let plan =
        RolloutPlan::new(1, system.rollout_distribution(), StateSampler::new(3, 2), &evaluation).expect("frames");
    assert_eq!(plan.conditionals().len(), 23);
    let truth = plan.truth(&*system, &ON).expect("below the speed of light");
    // p grows by g t.
    let canonical = system.canonical().expect("it has momenta");
    let momentum = |state: &[f64], g: f64| {
        let mut p = [0.0];
        canonical.momentum_into(&state[..1], &state[1..], &[g], &mut p);
        p[0]
    };
    for (trajectory, &g) in truth.iter().zip(plan.conditionals()) {
        let (first, last) = (momentum(&trajectory.states[..2], g), momentum(&trajectory.states[4..6], g));
        assert!((last - first - 0.2 * g).abs() < 1e-8 * (1.0 + last.abs()), "{first} {last} {g}");
    }
    // A learned one too: each as if alone with its own.
    let recipe = ModelConfig { hidden: vec![8], ..config.models[presets::LNN].clone() };
    let model = build_model_for(&recipe, &*system).expect("usable");
    let parameters: Vec<f64> = recipe.initialisation.draw(&model, 5);
    let together = plan.model(&model, &parameters, &*system, &ON).expect("finite");
    for (rollout, trajectory) in together.iter().enumerate() {
        let mut state = trajectory.states[..2].to_vec();
        let conditionals = &plan.conditionals()[rollout..=rollout];
        let IntegratorConfig::Rk4 { dt } = evaluation.integrator else { panic!("the default") };
        let steps = (0.1 / dt).round() as usize;
        Rk4Rollout::with_conditionals(&model, &parameters, 1, conditionals).advance(
            &mut state,
            0.1 / steps as f64,
            steps,
        );
        for (alone, together) in state.iter().zip(&trajectory.states[2..4]) {
            assert!(
                (alone - together).abs() < 1e6 * f64::EPSILON * (1.0 + alone.abs()),
                "{rollout}: {alone} {together}"
            );
        }
    }
}
