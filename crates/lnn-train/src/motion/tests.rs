//! Motions of models of known behaviour.

use lnn_autodiff::{Activation, MlpShape};
use lnn_physics::integrators::{DormandPrinceOptions, Method, frames_every};

use super::*;
use crate::config::{AngleFeatures, FeaturesConfig, ModelKind, preset, preset_with};
use crate::experiment::{build_model, build_model_for};
use crate::model::Model;
use crate::rollout::Rk4Rollout;

/// A stop that nobody asks for.
static ON: AtomicBool = AtomicBool::new(false);

const STEPS: Method = Method::Rk4 { dt: 1e-3 };
const MIDPOINTS: Method = Method::ImplicitMidpoint { dt: 1e-3 };

fn adaptive(tolerance: f64) -> Method {
    let (relative_tolerance, absolute_tolerance) = (tolerance, tolerance);
    Method::DormandPrince(DormandPrinceOptions {
        relative_tolerance,
        absolute_tolerance,
        ..DormandPrinceOptions::default()
    })
}

/// L = softplus(q̇₀) + softplus(q̇₁ + k q₁): with z = q̇₁ + k q₁ the equation of motion is ż = k (1 + eᶻ), and the mass
/// matrix is diag(σ′(q̇₀), σ′(z)), σ the logistic function. It is singular where z is infinite, at
/// t = ln(1 + e^(−z₀))/k.
fn bursting(k: f64) -> (Model, Vec<f64>) {
    let features = FeaturesConfig { angles: AngleFeatures::Identity, velocity_scale: 1.0, ..FeaturesConfig::default() };
    let kind = ModelKind::Lnn {
        residual_mass: 0.0,
        pseudoinverse_tolerance: 1e-6,
        potential_scale: None,
        scaled_velocities: false,
    };
    let shape = MlpShape::new(&[4, 2, 1], Activation::Softplus).expect("a shape");
    let model = Model::new(kind, &features, shape, 2, 0).expect("usable");
    // [q₀, q₁, q̇₀, q̇₁] → (q̇₀, z) → their sum after σ.
    let parameters = vec![0.0, 0.0, 1.0, 0.0, 0.0, k, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    assert_eq!(parameters.len(), model.parameter_count());
    (model, parameters)
}

fn starts<'a>(states: &'a [f64], times: &'a [f64]) -> Starts<'a> {
    Starts { degrees_of_freedom: 2, states, conditionals: &[], times }
}

#[test]
fn a_motion_ends_where_its_mass_matrix_is_singular_and_the_others_go_on() {
    let k = 2.0;
    let (model, parameters) = bursting(k);
    // z₀ = 0, which bursts at ln 2 / k = 0.3466, and z₀ = −5, which bursts at 2.5.
    let states = [0.3, 0.0, 0.5, 0.0, 0.3, -2.0, 0.5, -1.0];
    let times = frames_every(1.0, 0.05).expect("frames");
    let burst = 2f64.ln() / k;
    for method in [STEPS, MIDPOINTS, adaptive(1e-10)] {
        let learned = LearnedMotion::new(&model, &parameters);
        let motions = learned.integrate(&method, starts(&states, &times), &ON).expect("motions");
        assert!(motions[1].ending.is_none() && motions[1].states.len() == times.len() * 4, "{method:?}");
        let ending = motions[0].ending.as_ref().expect("it bursts");
        // 0.30 is the last frame before 0.3466, and 0, 0.05, … 0.30 are kept.
        assert!((ending.time - 0.3).abs() < 1e-12, "{method:?}: {ending:?}");
        assert_eq!(motions[0].states.len(), 7 * 4, "{method:?}");
        // z at the last frame, from 1 − (1 − s) e^(kt) with s = σ(0) = ½ for the share that is left.
        let last = &motions[0].states[6 * 4..];
        let exact = -(2.0 * (-k * ending.time).exp() - 1.0).ln();
        let z = last[3] + k * last[1];
        let tolerance = if matches!(method, Method::ImplicitMidpoint { .. }) { 1e-4 } else { 1e-8 };
        assert!((z - exact).abs() < tolerance, "{method:?}: {z} {exact}");
        // The fixed-point iteration of the midpoint rule may meet the burst before it sees the singular matrix.
        if let EndCause::SingularMassMatrix(singularity) = &ending.cause {
            assert!((singularity.time - burst).abs() < 2e-3, "{method:?}: {singularity}");
            let (least, most) = (singularity.smallest_eigenvalue, singularity.largest_eigenvalue);
            assert!(least.abs() <= 1e-6 * most && most > 0.2, "{method:?}: {singularity}");
            let text = ending.cause.to_string();
            for words in ["the mass matrix is singular at t = 0.34", "smallest eigenvalue", "q̇ = [0.5"] {
                assert!(text.contains(words), "{words}: {text}");
            }
        } else {
            assert!(matches!(method, Method::ImplicitMidpoint { .. }), "{method:?}: {ending:?}");
        }
    }
}

/// L = tanh q̇ + tanh q: the mass matrix −2 tanh q̇ (1 − tanh² q̇) changes its sign with q̇, and q̇² falls to 0 in a finite time.
#[test]
fn a_motion_ends_where_an_eigenvalue_changes_its_sign_even_if_no_step_meets_the_singular_matrix() {
    let features = FeaturesConfig { angles: AngleFeatures::Identity, velocity_scale: 1.0, ..FeaturesConfig::default() };
    let kind = ModelKind::Lnn {
        residual_mass: 0.0,
        pseudoinverse_tolerance: 1e-6,
        potential_scale: None,
        scaled_velocities: false,
    };
    let shape = MlpShape::new(&[2, 2, 1], Activation::Tanh).expect("a shape");
    let model = Model::new(kind, &features, shape, 1, 0).expect("usable");
    let parameters = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    let times = frames_every(1.0, 0.01).expect("frames");
    let starts = Starts { degrees_of_freedom: 1, states: &[0.0, 0.5, 0.0, -0.5], conditionals: &[], times: &times };
    // d(q̇²)/dt = 2 q̇ r / H between −1 / (1 − tanh² ½)³ and −1 / (1 − tanh² ½ / 2)² or so: it is over between 0.1 and 0.25.
    for method in [STEPS, adaptive(1e-9)] {
        let motions = LearnedMotion::new(&model, &parameters).integrate(&method, starts, &ON).expect("motions");
        for motion in &motions {
            let ending = motion.ending.as_ref().expect("it ends");
            let EndCause::SingularMassMatrix(singularity) = &ending.cause else { panic!("{method:?}: {ending:?}") };
            assert!((0.1..0.26).contains(&singularity.time), "{method:?}: {singularity}");
            assert!(singularity.time - ending.time < 0.011, "{method:?}: {ending:?}");
            assert!(singularity.crossed && singularity.to_string().contains("changed its sign"), "{singularity}");
        }
    }
}

#[test]
fn by_the_pseudoinverse_a_motion_goes_on() {
    let (model, parameters) = bursting(2.0);
    let times = frames_every(0.4, 0.05).expect("frames");
    // z₀ = 20: singular from the start, to the tolerance.
    let states = [0.0, 10.0, 0.5, 0.0];
    let learned = LearnedMotion::new(&model, &parameters);
    let motion = &learned.integrate(&STEPS, starts(&states, &times), &ON).expect("motions")[0];
    assert_eq!((motion.states.len(), motion.ending.as_ref().map(|end| end.time)), (4, Some(0.0)));
    let learned = learned.at_singularity(AtSingularity::GoOn);
    let motion = &learned.integrate(&STEPS, starts(&states, &times), &ON).expect("motions")[0];
    assert_eq!((motion.states.len(), &motion.ending), (9 * 4, &None));
    // No acceleration in the lost direction: q₁ stays, since q̇₁ = 0.
    assert!((motion.states[8 * 4 + 1] - 10.0).abs() < 1e-12, "{:?}", motion.states);
}

/// An untrained deep Lagrangian network, whose mass matrix is positive definite whatever its weights.
fn tame() -> (Model, Vec<f64>, Vec<f64>) {
    let mut config = preset("dblpend", "models").expect("a preset").models["delan"].clone();
    config.hidden = vec![16, 16];
    let model = build_model(&config, 2).expect("usable");
    let parameters = config.initialisation.draw(&model, 4);
    let states = (0..4 * 13).map(|i| f64::from(i * 37 % 19) * 0.05 - 0.4).collect();
    (model, parameters, states)
}

#[test]
fn methods_agree_to_their_tolerances_and_with_the_library() {
    let (model, parameters, states) = tame();
    let times = frames_every(0.2, 0.05).expect("frames");
    let learned = LearnedMotion::new(&model, &parameters);
    let run = |method: &Method| learned.integrate(method, starts(&states, &times), &ON).expect("motions");
    let (fine, steps, midpoints) = (run(&adaptive(1e-12)), run(&STEPS), run(&MIDPOINTS));
    let apart = |a: &[Motion], b: &[Motion]| {
        let pairs = a.iter().zip(b).flat_map(|(a, b)| a.states.iter().zip(&b.states));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    // Slopes of order 10 and their derivatives: errors of 1e-12, h⁴ and h² times some thousands.
    assert!(apart(&fine, &steps) < 1e-8, "{}", apart(&fine, &steps));
    assert!(apart(&fine, &midpoints) < 1e-3, "{}", apart(&fine, &midpoints));
    assert!(apart(&fine, &midpoints) > 1e-9, "a method of order 2 is seen");
    let mut library = states.clone();
    Rk4Rollout::new(&model, &parameters, 13).advance(&mut library, 1e-3, 200);
    let ends: Vec<f64> = steps.iter().flat_map(|motion| motion.states[4 * 4..].to_vec()).collect();
    let worst = ends.iter().zip(&library).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    // The same steps, summed in batches of another size.
    assert!(worst < 1e6 * f64::EPSILON, "{worst}");
}

#[test]
fn threads_change_no_bit() {
    let (model, parameters, states) = tame();
    let times = frames_every(0.1, 0.05).expect("frames");
    let learned = LearnedMotion::new(&model, &parameters);
    for method in [STEPS, MIDPOINTS, adaptive(1e-9)] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| learned.integrate(&method, starts(&states, &times), &ON)).expect("motions")
        };
        let one = run(1);
        assert_eq!(one.len(), 13);
        assert_eq!(one, run(3), "{method:?}");
    }
}

#[test]
fn starts_that_make_no_motion_are_named() {
    let (model, parameters, mut states) = tame();
    let times = frames_every(0.5, 0.25).expect("frames");
    states[4 * 5 + 2] = f64::NAN;
    let learned = LearnedMotion::new(&model, &parameters);
    match learned.integrate(&STEPS, starts(&states, &times), &ON) {
        Err(MotionError::Start { start: 5, component: 2, given }) if given.is_nan() => {}
        other => panic!("{other:?}"),
    }
    let none = learned.integrate(&STEPS, starts(&[], &times), &ON).expect("nothing to do");
    assert!(none.is_empty());
    let stopped = AtomicBool::new(true);
    states[4 * 5 + 2] = 0.0;
    for method in [STEPS, MIDPOINTS, adaptive(1e-9)] {
        let refused = learned.integrate(&method, starts(&states, &times), &stopped);
        assert_eq!(refused, Err(MotionError::Stopped), "{method:?}");
    }
}

/// A relativistic particle has no momentum at the speed of light.
#[test]
fn a_start_without_a_momentum_ends_alone() {
    let config = preset_with("relativistic", "models", &Default::default()).expect("a system");
    let system = config.system.build().expect("usable");
    let recipe = &config.models["hnn-canonical"];
    let model = build_model_for(recipe, &*system).expect("usable");
    let parameters: Vec<f64> = recipe.initialisation.draw(&model, 3);
    let times = frames_every(0.1, 0.1).expect("frames");
    let learned = LearnedMotion::new(&model, &parameters).with_canonical(system.canonical());
    let motions = |states: &[f64], method: &Method| {
        let starts = Starts { degrees_of_freedom: 1, states, conditionals: &[1.0, 1.0, 1.0], times: &times };
        learned.integrate(method, starts, &ON).expect("motions")
    };
    for method in [STEPS, MIDPOINTS, adaptive(1e-9)] {
        let found = motions(&[0.3, 0.2, 0.1, 1.0, 0.5, -0.4], &method);
        assert_eq!(found[1].states, [0.1, 1.0]);
        assert_eq!(found[1].ending, Some(Ending { time: 0.0, cause: EndCause::NoMomentum }));
        let others = motions(&[0.3, 0.2, 0.1, 0.0, 0.5, -0.4], &method);
        assert_eq!((&found[0], &found[2]), (&others[0], &others[2]));
        assert!(found[2].ending.is_none());
    }
}

#[test]
fn momenta_need_a_system_that_knows_them() {
    let config = preset_with("spring", "models", &Default::default()).expect("a system");
    let system = config.system.build().expect("usable");
    let recipe = &config.models["hnn-canonical"];
    let model = build_model_for(recipe, &*system).expect("usable");
    let parameters: Vec<f64> = recipe.initialisation.draw(&model, 3);
    let times = frames_every(0.1, 0.1).expect("frames");
    let starts = Starts { degrees_of_freedom: 1, states: &[0.3, 0.2], conditionals: &[], times: &times };
    let learned = LearnedMotion::new(&model, &parameters);
    assert_eq!(learned.integrate(&STEPS, starts, &ON), Err(MotionError::Momenta(MissingMomenta)));
    let motions = learned.with_canonical(system.canonical()).integrate(&STEPS, starts, &ON).expect("motions");
    assert_eq!(motions[0].states[..2], [0.3, 0.2]);
}
