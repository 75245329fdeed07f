//! Configurations of fields: round trips, presets, refusals.

use super::*;
use crate::config::Interval;

/// The message of a configuration that is refused, after `change` to preset `fast` of `wave`.
fn refused(change: impl FnOnce(&mut FieldConfig)) -> String {
    let mut config = FieldConfig::default();
    change(&mut config);
    config.require_usable("a test").expect_err("must be refused").to_string()
}

fn lgn(config: &mut FieldConfig) -> &mut FieldModelConfig {
    config.models.get_mut("lgn").expect("in every preset")
}

#[test]
fn presets_are_usable_and_return_from_their_text() {
    for experiment in EXPERIMENTS {
        for preset in field_presets(experiment) {
            let config = field_preset(experiment, preset).expect("listed");
            assert_eq!((config.experiment.as_str(), config.preset.as_str()), (experiment, *preset));
            assert_eq!(config.problems(), [], "{experiment} {preset}");
            assert_eq!(config.run_name(), format!("{preset}-0"));
            let text = config.to_text().expect("plain data");
            assert_eq!(FieldConfig::from_text(&text, "own").expect("own text"), config);
            assert_eq!(config.differences(&config).expect("plain data"), []);
            let trial = config.clone().trial();
            assert_eq!((trial.problems(), trial.run_name()), (Vec::new(), format!("{preset}-trial-0")));
            assert!(trial.models.values().all(|model| model.training.steps <= TRIAL_STEPS));
            // The judged lattice stays whole, and a crossing of 32 × 32 sites by three models takes half a minute.
            assert!(trial.evaluation.crossings <= 0.1, "{preset}");
        }
    }
    for (experiment, preset, words) in [
        ("wav", "fast", "did you mean `wave`?"),
        ("wave", "medum", "did you mean `medium`?"),
        ("sine-gordon", "grid", "valid names: `fast`"),
    ] {
        let message = field_preset(experiment, preset).expect_err("misspelt").to_string();
        assert!(message.contains(words), "{message}");
    }
    let message = FieldConfig::from_text("(lattice: Lime(sites: 3))", "file").expect_err("misspelt").to_string();
    assert!(message.contains("did you mean `Line`?"), "{message}");
}

#[test]
fn folders_tell_profiles_and_large_lattices_apart() {
    let mut config = field_preset(WAVE, "medium").expect("listed");
    if let FieldKind::Medium { profile, .. } = &mut config.field {
        *profile = SpeedProfile::Sine;
    }
    config.seed = 3;
    assert_eq!(config.run_name(), "medium-sine-3");
    let mut config = FieldConfig::default();
    config.evaluation.large = Some(LargeConfig { sites: 5000, t_end: 1.0 });
    assert_eq!(config.run_name(), "fast-sites5000-0");
}

#[test]
fn only_what_influences_results_is_compared() {
    let config = FieldConfig::default();
    let later = FieldConfig { checkpoint_every_seconds: 1.0, ..config.clone() };
    assert_eq!(config.differences(&later).expect("plain data"), []);
    assert_eq!(config.fingerprint().expect("plain data"), later.fingerprint().expect("plain data"));
    let mut other = config.clone();
    lgn(&mut other).training.batch = 7;
    let found = config.differences(&other).expect("plain data");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field, "models.lgn.training.batch");
    assert_ne!(config.fingerprint().expect("plain data"), other.fingerprint().expect("plain data"));
}

#[test]
fn what_cannot_be_used_is_named() {
    type Change = fn(&mut FieldConfig);
    let cases: [(Change, &str); 20] = [
        (|c| c.experiment = "wavy".to_owned(), "did you mean `wave`?"),
        (|c| c.field = FieldKind::SineGordon { spacing: 0.5 }, "field is SineGordon"),
        (|c| c.field = FieldKind::Wave { speed: -1.0 }, "field.speed is -1"),
        (
            |c| c.field = FieldKind::Medium { profile: SpeedProfile::Step, slowest: 2.0, fastest: 1.0 },
            "field.slowest is 2; expected at most field.fastest",
        ),
        (
            |c| c.lattice = LatticeConfig::Line { sites: 2, boundary: BoundaryConfig::Periodic },
            "a periodic line of 2 sites would count a neighbour twice",
        ),
        (
            |c| {
                c.evaluation.lattice = LatticeConfig::Grid { rows: 1, columns: 9, boundary: BoundaryConfig::Periodic };
            },
            "evaluation.lattice is Grid { rows: 1",
        ),
        (
            |c| c.lattice = LatticeConfig::Grid { rows: 4, columns: 4, boundary: BoundaryConfig::Free },
            "does not fit a topology that is a periodic line",
        ),
        (|c| c.states.smooth_share = 1.5, "smooth_share = 1.5"),
        (|c| c.states.modes = 9, "modes = 9; expected 1 to 8"),
        (|c| c.states.offset = Some(Interval { low: 1.0, high: 0.0 }), "offset.low = 1"),
        (|c| c.models.clear(), "models is empty"),
        (|c| lgn(c).kind = FieldModelKind::Lgn { residual_mass: f64::NAN }, "models.lgn.kind.residual_mass is NaN"),
        (|c| lgn(c).activation = lnn_autodiff::Activation::Relu, "models.lgn.activation is relu"),
        (|c| lgn(c).hidden.clear(), "models.lgn.hidden is a list of 0 layers"),
        (|c| lgn(c).features.rate_scale = 0.0, "models.lgn.features.rate_scale is 0"),
        (|c| lgn(c).training.steps = 7, "models.lgn.training.schedule.total_steps"),
        (|c| c.evaluation.frames = 0, "evaluation.frames is 0"),
        (
            |c| c.evaluation.large = Some(LargeConfig { sites: 50, t_end: 1.0 }),
            "evaluation.large.sites is 50; expected a whole number from 100",
        ),
        (
            |c| {
                let kink = MotionConfig::Kink { velocity: 0.5, widths: 1.0 };
                c.evaluation.motions.insert("kink".to_owned(), kink);
            },
            "which has no kinks",
        ),
        (
            |c| {
                let flat = MotionConfig::Bump { sigma: 1.0, amplitude: 0.0 };
                c.evaluation.motions.insert("flat".to_owned(), flat);
            },
            "evaluation.motions.flat is a state of energy 0",
        ),
    ];
    for (change, words) in cases {
        let message = refused(change);
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn a_step_past_the_stability_limit_is_refused_with_both_numbers() {
    // The shortest wave of speed 2 has the frequency 4.
    let limit = 2.0 * std::f64::consts::SQRT_2 / 4.0;
    let with_step = |dt: f64| {
        let mut config = FieldConfig { field: FieldKind::Wave { speed: 2.0 }, ..FieldConfig::default() };
        config.evaluation.dt = dt;
        config.require_usable("a test")
    };
    with_step(limit).expect("stable");
    let message = with_step(limit * 1.001).expect_err("not stable").to_string();
    for words in ["evaluation.dt is 0.7078", "at most 0.707107", "frequency 4.000000"] {
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[test]
fn a_kink_needs_room_for_its_way() {
    let mut config = field_preset(SINE_GORDON, "fast").expect("listed");
    config.evaluation.motions = [("kink".to_owned(), MotionConfig::Kink { velocity: 0.5, widths: 100.0 })].into();
    let message = config.require_usable("a test").expect_err("too long").to_string();
    assert!(message.contains("widths = 100") && message.contains("four widths from the ends"), "{message}");
    config.evaluation.motions = [("kink".to_owned(), MotionConfig::Kink { velocity: 1.0, widths: 1.0 })].into();
    let message = config.require_usable("a test").expect_err("as fast as light").to_string();
    assert!(message.contains("velocity = 1"), "{message}");
}

/// A medium is trained on evenly spaced speeds, each once, in an order that the seed draws; its profile stays between
/// them.
#[test]
fn media_cover_their_range() {
    use crate::field::{build_judged_field, build_training_field};

    let mut config = field_preset(WAVE, "medium").expect("listed");
    let speeds =
        |config: &FieldConfig| build_training_field(config).expect("usable").field().site_attributes().to_vec();
    let (first, second) = (speeds(&config), speeds(&FieldConfig { seed: 1, ..config.clone() }));
    assert_ne!(first, second);
    assert_eq!(first, speeds(&config));
    let sorted = |mut speeds: Vec<f64>| {
        speeds.sort_by(f64::total_cmp);
        speeds
    };
    let even: Vec<f64> = (0..20).map(|rank| 0.5 + 0.5 * f64::from(rank) / 19.0).collect();
    for speeds in [first, second] {
        for (speed, even) in sorted(speeds).iter().zip(&even) {
            assert!((speed - even).abs() <= 2.0 * f64::EPSILON, "{speed} {even}");
        }
    }
    for (profile, mean, least, most) in [
        (SpeedProfile::Constant, 0.75, 0.75, 0.75),
        (SpeedProfile::Step, 0.75, 0.5, 1.0),
        (SpeedProfile::Sine, 0.75, 0.5, 1.0),
        (SpeedProfile::Ramp, 0.75, 0.5, 1.0),
    ] {
        config.field = FieldKind::Medium { profile, slowest: 0.5, fastest: 1.0 };
        let speeds = sorted(build_judged_field(&config).expect("usable").field().site_attributes().to_vec());
        let close = |a: f64, b: f64| (a - b).abs() < 100.0 * f64::EPSILON;
        assert!(close(speeds.iter().sum::<f64>() / 100.0, mean), "{profile:?}");
        assert!(close(speeds[0], least) && close(speeds[99], most), "{profile:?} {} {}", speeds[0], speeds[99]);
        // Every site takes 1/c to cross.
        let crossing: f64 = speeds.iter().map(|speed| speed.recip()).sum();
        assert!((config.field.crossing_time(&config.evaluation.lattice) - crossing).abs() < 1e-10, "{profile:?}");
    }
}
