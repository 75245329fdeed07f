//! Judging, motions and densities of models whose motions are known: a Lagrangian without weights is ½ m Σ φ̇², in which
//! every site moves on its own at a constant rate.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::build::{build_field_model, build_judged_field, build_training_field};
use super::config::{
    BoundaryConfig, FieldConfig, FieldKind, FieldModelKind, KnownField, LatticeConfig, MotionConfig, SpeedProfile,
    field_preset,
};
use super::density::compare_density;
use super::evaluate::FieldHeldOut;
use super::model::FieldModel;
use super::record::FieldMotion;
use super::rollout::{MotionError, MotionPlan, large_motion};
use super::start::MotionStart;
use crate::experiment::{Purpose, sampler};

static GO: AtomicBool = AtomicBool::new(false);

fn config(field: FieldKind, sites: usize) -> FieldConfig {
    let mut config = FieldConfig { field, ..FieldConfig::default() };
    config.evaluation.lattice = LatticeConfig::Line { sites, boundary: BoundaryConfig::Periodic };
    for model in config.models.values_mut() {
        model.hidden = vec![4];
    }
    config
}

fn wave(sites: usize) -> FieldConfig {
    config(FieldKind::Wave { speed: 1.0 }, sites)
}

/// Model `name` of `config` on `known`, and as many zeros as it has parameters.
fn without_weights(config: &FieldConfig, name: &str, known: &KnownField) -> (FieldModel, Vec<f64>) {
    let model = build_field_model(config, (name, &config.models[name]), known).expect("fits");
    let parameters = vec![0.0; model.density().parameter_count()];
    (model, parameters)
}

fn motion(known: &KnownField, plan: &MotionPlan, state: &[f64]) -> FieldMotion {
    FieldMotion {
        name: "bump".to_owned(),
        description: String::new(),
        shape: [1, known.field().topology().sites()],
        components: 1,
        times: plan.times.clone(),
        energy: known.field().state_energy(state),
        truth: plan.truth("bump", known, state, &GO).expect("a reference"),
        models: [].into(),
    }
}

/// φ_i = i, φ̇_i = 0.1 (i + 1) in a few sites.
fn state(sites: usize) -> Vec<f64> {
    let phi = (0..sites).map(|site| site as f64);
    phi.chain((0..sites).map(|site| 0.1 * (site + 1) as f64)).collect()
}

#[test]
fn frames_are_even_and_one_is_at_the_crossing() {
    let plan = |t_end: f64, crossing: f64, frames: usize| MotionPlan::new(t_end, crossing, frames, 0.1, false);
    let even = plan(10.0, 5.0, 4);
    assert_eq!((&even.times[..], even.crossing_frame), (&[0.0, 2.5, 5.0, 7.5, 10.0][..], 2));
    let between = plan(10.0, 3.0, 4);
    assert_eq!((&between.times[..], between.crossing_frame), (&[0.0, 2.5, 3.0, 5.0, 7.5, 10.0][..], 2));
    // A motion that ends earlier is judged at its end.
    assert_eq!(plan(10.0, 20.0, 4).crossing_frame, 4);
}

#[test]
fn a_motion_is_judged_by_its_errors_and_energies() {
    let config = wave(5);
    let known = build_judged_field(&config).expect("usable");
    let start = state(5);
    let plan = MotionPlan::new(2.0, 1.0, 4, 0.1, false);
    let motion = motion(&known, &plan, &start);
    let (model, parameters) = without_weights(&config, "lgn", &known);
    let (trajectory, summary) = plan.model((&model, &parameters, 2.0), &known, &motion, &GO).expect("moves");
    let straight = |site: usize, time: f64| start[site] + time * start[5 + site];
    for (frame, time) in plan.times.iter().enumerate() {
        for site in 0..5 {
            let (got, want) = (trajectory.states[frame * 10 + site], straight(site, *time));
            assert!((got - want).abs() <= 40.0 * f64::EPSILON * want.abs().max(1.0), "{got} {want}");
        }
    }
    // The truth starts with its largest |φ| of 4.
    let error = |frame: usize, time: f64| {
        let errors = (0..5).map(|site| (straight(site, time) - motion.truth[frame * 10 + site]).abs());
        errors.fold(0.0, f64::max) / 4.0
    };
    assert!((summary.field_error - error(2, 1.0)).abs() < 1e-13 && error(2, 1.0) > 0.1, "{summary:?}");
    assert!((summary.field_error_end - error(4, 2.0)).abs() < 1e-13, "{summary:?}");
    let energies = trajectory.states.chunks_exact(10).map(|state| known.field().state_energy(state));
    let worst = energies.map(|energy| (energy / motion.energy - 1.0).abs()).fold(0.0, f64::max);
    assert!((summary.energy_error_percent - 100.0 * worst).abs() < 1e-10 && worst > 0.01, "{summary:?}");
    // Its own energy ½ Σ φ̇², over the factor 2, is kept.
    let kinetic = 0.25 * start[5..].iter().map(|rate| rate * rate).sum::<f64>();
    assert!(trajectory.learned_energy.iter().all(|energy| (energy - kinetic).abs() < 1e-14), "{trajectory:?}");
    assert!(summary.learned_energy_drift_percent.is_some_and(|drift| drift < 1e-12), "{summary:?}");
    assert_eq!((summary.sites, summary.t_end, summary.stopped), (5, 2.0, None));
}

#[test]
fn a_motion_that_ends_early_says_why_and_a_stop_is_heard() {
    let config = wave(5);
    let known = build_judged_field(&config).expect("usable");
    let plan = MotionPlan::new(2.0, 1.0, 4, 0.1, false);
    let motion = motion(&known, &plan, &state(5));
    for name in ["lgn", "cnn", "hgn"] {
        let (model, mut parameters) = without_weights(&config, name, &known);
        parameters.fill(f64::NAN);
        let learned = (&model, &parameters[..], 1.0);
        let (trajectory, summary) = plan.model(learned, &known, &motion, &GO).expect("a short motion");
        assert_eq!(trajectory.energy.len(), 1, "{name}");
        assert!(summary.stopped.as_ref().is_some_and(|why| why.contains("t = 0")), "{name}: {summary:?}");
        assert!(summary.field_error.is_infinite() && summary.field_error_end.is_infinite(), "{name}: {summary:?}");
        let large = large_motion(learned, (&known, &state(5)), &plan, &GO).expect("a short motion").1;
        assert!(large.stopped.as_ref().is_some_and(|why| why.contains("t = 0")), "{name}: {large:?}");
        let stop = AtomicBool::new(true);
        assert_eq!(plan.model(learned, &known, &motion, &stop), Err(MotionError::Stopped), "{name}");
        assert_eq!(large_motion(learned, (&known, &state(5)), &plan, &stop), Err(MotionError::Stopped), "{name}");
    }
    let stop = AtomicBool::new(true);
    assert_eq!(plan.truth("bump", &known, &state(5), &stop), Err(MotionError::Stopped));
}

/// A medium of one speed has no closed form of its own, so that its truth is integrated.
#[test]
fn the_integrated_reference_is_the_exact_wave() {
    let medium = FieldKind::Medium { profile: SpeedProfile::Constant, slowest: 0.5, fastest: 1.5 };
    let [exact, integrated] = [wave(9), config(medium, 9)].map(|config| {
        let known = build_judged_field(&config).expect("usable");
        MotionPlan::new(30.0, 9.0, 7, 0.1, false).truth("bump", &known, &state(9), &GO).expect("a reference")
    });
    for (exact, integrated) in exact.iter().zip(&integrated) {
        // Tolerance 1e-11 a step, a few hundred steps, states up to 10.
        assert!((exact - integrated).abs() < 1e-7, "{exact} {integrated}");
    }
}

#[test]
fn single_precision_on_a_large_lattice_keeps_energies() {
    let config = wave(6);
    let known = build_judged_field(&config).expect("usable");
    let (model, parameters) = without_weights(&config, "lgn", &known);
    let plan = MotionPlan::new(1.0, 6.0, 5, 0.1, false);
    let (trajectory, summary) =
        large_motion((&model, &parameters, 1.0), (&known, &state(6)), &plan, &GO).expect("moves");
    assert_eq!((trajectory.states.len(), trajectory.energy.len(), trajectory.learned_energy.len()), (0, 6, 6));
    for (&time, &energy) in plan.times.iter().zip(&trajectory.energy) {
        let start = state(6);
        let mut moved = start.clone();
        for site in 0..6 {
            moved[site] += time * start[6 + site];
        }
        let want = known.field().state_energy(&moved);
        // Some 50 roundings of single precision.
        assert!((energy / want - 1.0).abs() < 50.0 * f64::from(f32::EPSILON), "{energy} {want}");
    }
    assert!(summary.learned_energy_drift_percent.is_some_and(|drift| drift < 1e-3), "{summary:?}");
    assert!(summary.field_error.is_nan(), "there is no truth to compare with");
}

#[test]
fn held_out_errors_are_relative_to_the_accelerations_that_there_are() {
    let config = wave(12);
    let known = Arc::new(build_judged_field(&config).expect("usable"));
    let on = (&config.evaluation.lattice, &**known.field().topology());
    let distribution = config.states.distribution_on(on, &config.lattice, 1).expect("usable");
    let held_out = FieldHeldOut::new(Arc::clone(&known), &distribution, sampler(0, Purpose::HeldOut), 7);
    assert_eq!((held_out.len(), held_out.is_empty()), (7, false));
    for (name, methods) in [("lgn", 1), ("cnn", 0), ("hgn", 0)] {
        let (model, mut parameters) = without_weights(&config, name, &known);
        let judged = held_out.judge(&model, &parameters, 5, &GO).expect("memory").expect("not stopped");
        // None of them accelerates anything.
        assert!((judged.acceleration_relative - 1.0).abs() < 1e-14, "{name}: {judged:?}");
        assert_eq!(judged.solved.len(), methods, "{name}: {judged:?}");
        assert!(methods == 0 || judged.solved["definite factorisation"] == 5, "{judged:?}");
        // And the Hamiltonian moves nothing either.
        let more = judged.vector_field_l1.map(|both| both - judged.acceleration_l1);
        assert!(more.is_none_or(|rates| rates > 0.1) && more.is_some() == (name == "hgn"), "{name}: {judged:?}");
        parameters.fill(f64::NAN);
        let judged = held_out.judge(&model, &parameters, 5, &GO).expect("memory").expect("not stopped");
        assert!(judged.acceleration_relative.is_infinite() && judged.acceleration_l1.is_infinite(), "{name}");
        let stop = AtomicBool::new(true);
        assert_eq!(held_out.judge(&model, &parameters, 5, &stop), Ok(None), "{name}");
    }
}

#[test]
fn densities_are_compared_without_their_factor() {
    let mut config = wave(12);
    config.models.get_mut("lgn").expect("there").kind = FieldModelKind::Lgn { residual_mass: 3.0 };
    let known = build_training_field(&config).expect("usable");
    let (model, parameters) = without_weights(&config, "lgn", &known);
    let compared = compare_density("lgn", (&model, &parameters), &known, &config.states).expect("memory");
    let (factor, comparison) = compared.expect("of a Lagrangian");
    assert_eq!(factor, 3.0);
    let [mass, coupling, own, other] = &comparison.panels[..] else { panic!("{comparison:?}") };
    assert!(mass.learned.iter().chain(&mass.truth).all(|&mass| mass == 1.0));
    assert!(coupling.learned.iter().chain(&coupling.truth).all(|&coupling| coupling == 0.0));
    for (panel, truth) in [(own, 2.0), (other, -1.0)] {
        assert!(panel.truth.iter().all(|value| (value - truth).abs() < 1e-9), "{panel:?}");
        assert!(panel.learned.iter().all(|&value| value == 0.0), "{panel:?}");
    }
    let (model, parameters) = without_weights(&config, "cnn", &known);
    assert_eq!(compare_density("cnn", (&model, &parameters), &known, &config.states).expect("memory"), None);

    let mut config = field_preset("sine-gordon", "fast").expect("listed");
    for lattice in [config.lattice, LatticeConfig::Grid { rows: 4, columns: 5, boundary: BoundaryConfig::Free }] {
        config.lattice = lattice;
        let known = build_training_field(&config).expect("usable");
        let (model, parameters) = without_weights(&config, "lgn", &known);
        let compared = compare_density("lgn", (&model, &parameters), &known, &config.states).expect("memory");
        let (_, comparison) = compared.expect("of a Lagrangian");
        let couplings = if lattice.is_grid() { 4.0 } else { 2.0 };
        let own = &comparison.panels[2];
        for (&phi, truth) in own.x.iter().zip(&own.truth) {
            let want = couplings + 0.25 * 0.25 * phi.cos();
            // Central differences of numbers up to 10: ε · 10 / 1e-5.
            assert!((truth - want).abs() < 1e-9, "{truth} {want}");
        }
    }
}

#[test]
fn a_kink_travels_its_way_about_the_middle() {
    let config = field_preset("sine-gordon", "fast").expect("listed");
    let known = build_judged_field(&config).expect("usable");
    let lattice = &config.evaluation.lattice;
    for velocity in [0.5, -0.5] {
        let kink = MotionConfig::Kink { velocity, widths: 10.0 };
        let start = MotionStart::new(&kink, (&config.field, &known), lattice, 1.0, 0).expect("room");
        assert!(start.is_kink);
        let plan = MotionPlan::new(start.t_end, 100.0, 20, 0.2, true);
        let truth = plan.truth("kink", &known, &start.state, &GO).expect("a reference");
        let position = |state: &[f64]| lnn_graph::fields::kink_position(&state[..100]).expect("a kink");
        let ends = [position(&truth[..200]), position(&truth[20 * 200..])];
        let width = (1.0_f64 - 0.25).sqrt() / 0.25;
        // The lattice holds it back by a share of about 1/(24 w²) = 0.35 %.
        let way = (ends[1] - ends[0]) * velocity.signum();
        assert!(way < 10.0 * width && way > 9.93 * width, "{way} of {}", 10.0 * width);
        assert!((0.5 * (ends[0] + ends[1]) - 49.5).abs() < 0.2, "{ends:?}");
        // A model that does not move it has lost all of its velocity.
        let mut motion = motion(&known, &plan, &start.state);
        motion.truth = truth;
        let (model, parameters) = without_weights(&config, "cnn", &known);
        let still: Vec<f64> = start.state.iter().enumerate().map(|(i, &x)| if i < 100 { x } else { 0.0 }).collect();
        motion.truth[..200].copy_from_slice(&still);
        let summary = plan.model((&model, &parameters, 1.0), &known, &motion, &GO).expect("moves").1;
        assert!(summary.kink_velocity_error.is_some_and(|error| (error - 1.0).abs() < 1e-12), "{summary:?}");
    }
}
