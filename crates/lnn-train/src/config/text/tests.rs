//! Round trips and error messages of configuration texts.

use lnn_autodiff::Activation;
use proptest::prelude::*;

use super::*;
use crate::config::presets;
use crate::config::{
    AngleFeatures, ConditionalFeatures, CoordinateFeatures, EvaluationConfig, FeaturesConfig, Initialisation,
    IntegratorConfig, Interval, ModelConfig, ModelKind, Precision, Protocol, SamplingConfig, SamplingCurriculum,
    SamplingTail, SystemConfig, TrainingConfig, TrainingData,
};
use crate::loss::LossWeight;
use crate::optimiser::ClippingConfig;

fn refused(text: &str) -> SyntaxError {
    match ExperimentConfig::from_ron(text, "my.ron") {
        Err(ConfigError::Syntax(error)) => *error,
        other => panic!("expected a syntax error, got {other:?}"),
    }
}

#[test]
fn a_short_file_takes_the_rest_from_the_defaults() {
    let text = "(preset: \"mine\", models: {\"lnn\": (hidden: [8], training: (clipping: RunningNorm(factor: 2.5)))})";
    let config = ExperimentConfig::from_ron(text, "my.ron").expect("valid");
    assert_eq!(config.models["lnn"].hidden, [8]);
    assert_eq!(config.models["lnn"].training.clipping, ClippingConfig::RunningNorm { factor: 2.5, averaging: 0.99 });
    assert_eq!(config.models.len(), 1);
    assert_eq!(config.evaluation, EvaluationConfig::default());
    assert_eq!(config.run_name(), "mine-0");
}

#[test]
fn an_unknown_field_is_shown_with_a_caret_and_the_nearest_name() {
    let text = "(\n    seed: 3,\n    models: {\n        \"lnn\": (hiden: [64], features: ()),\n    },\n)\n";
    let error = refused(text);
    assert_eq!((error.line, error.column, error.width), (4, 17, 5));
    assert!(error.message.contains("no field `hiden`"), "{}", error.message);
    assert!(error.message.contains("did you mean `hidden`?"), "{}", error.message);
    let shown = error.to_string();
    assert!(shown.starts_with("my.ron, line 4, column 17: "), "{shown}");
    assert!(
        shown.ends_with("4 |         \"lnn\": (hiden: [64], features: ()),\n    |                 ^^^^^"),
        "{shown}"
    );
}

#[test]
fn an_unknown_choice_is_shown_with_the_nearest_name() {
    let text = "(models: {\"lnn\": (\n  activation: sofplus,\n)})";
    let error = refused(text);
    assert_eq!((error.line, error.column, error.width), (2, 15, 7));
    assert!(error.message.contains("did you mean `softplus`?"), "{}", error.message);
    let error = refused("(models: {\"lnn\": (kind: Lagrangian(residual_mass: 1.0))})");
    assert!(
        error.message.contains("valid names: `Lnn`, `Delan`, `Hnn`, `HnnCanonical`, `Baseline`"),
        "{}",
        error.message
    );
    assert_eq!(error.column, 25);
}

#[test]
fn malformed_text_is_shown_where_it_breaks() {
    let unclosed = refused("(\n  seed: 1,\n  log_every: 5,\n");
    assert_eq!(unclosed.origin, "my.ron");
    assert!(unclosed.line >= 3, "{unclosed}");
    let word = refused("(\n  seed: many,\n)");
    assert_eq!((word.line, word.column), (2, 9));
    assert!(word.message.contains("integer"), "{word}");
    let twice = refused("(\n  seed: 1,\n  seed: 2,\n)");
    assert_eq!((twice.line, twice.column), (3, 3));
    assert!(twice.message.contains("given twice"), "{twice}");
    let comma = refused("(\n  seed: 1\n  log_every: 2,\n)");
    assert_eq!(comma.line, 3);
    assert!(comma.message.contains("`,`"), "{comma}");
    let trailing = refused("()\n)");
    assert_eq!((trailing.line, trailing.column), (2, 1));
    let missing = refused("(sampling: (velocity: (low: 1.0)))");
    assert!(missing.message.contains("`high`"), "{missing}");
    let text = refused("hello");
    assert_eq!((text.line, text.column), (1, 1));
    let nothing = refused("");
    assert_eq!((nothing.line, nothing.column), (1, 1));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(config in any_config()) {
        let text = config.to_ron().expect("plain data");
        prop_assert_eq!(&ExperimentConfig::from_ron(&text, "text").expect("own output"), &config);
        // The text is a function of the value: no hash map's order leaks in.
        prop_assert_eq!(config.clone().to_ron().expect("plain data"), text);
    }

    #[test]
    fn no_text_makes_the_error_report_fail(cut in any::<prop::sample::Index>(), byte in any::<char>()) {
        let mut text = presets::notebook().to_ron().expect("plain data");
        // ASCII throughout; the last characters are the closing bracket and a line end.
        let at = cut.index(text.len() - 1);
        text.insert(at, byte);
        if let Err(error) = ExperimentConfig::from_ron(&text, "text") {
            prop_assert!(error.to_string().contains('^'));
        }
        text.truncate(at);
        let error = ExperimentConfig::from_ron(&text, "text").expect_err("cut short");
        prop_assert!(error.to_string().starts_with("text, line "));
    }
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |x| x.is_finite()),
        Just(-0.0),
        Just(f64::MIN_POSITIVE / 4.0),
        -10.0..10.0,
    ]
}

fn any_sampling() -> impl Strategy<Value = SamplingConfig> {
    [number(), number(), number(), number()].prop_map(|[a, b, c, d]| SamplingConfig {
        position: Interval { low: a, high: b },
        velocity: Interval { low: c, high: d },
    })
}

fn any_integrator() -> impl Strategy<Value = IntegratorConfig> {
    (0..3, number(), number()).prop_map(|(which, a, b)| match which {
        0 => IntegratorConfig::Rk4 { dt: a },
        1 => IntegratorConfig::ImplicitMidpoint { dt: a },
        _ => IntegratorConfig::DormandPrince { relative_tolerance: a, absolute_tolerance: b },
    })
}

fn any_model() -> impl Strategy<Value = ModelConfig> {
    let kind = (0..6, number(), number(), prop::option::of(number())).prop_map(|(kind, a, b, c)| match kind {
        0 => ModelKind::Lnn {
            residual_mass: a,
            pseudoinverse_tolerance: b,
            potential_scale: c,
            scaled_velocities: a > b,
        },
        1 => ModelKind::Delan { diagonal: a, regularisation: b, potential_scale: c.unwrap_or(a) },
        2 => ModelKind::Hnn,
        5 => ModelKind::HnnCanonical { potential_scale: c },
        3 => ModelKind::Baseline { output_scale: a },
        _ => ModelKind::BaselineFirstOrder { velocity_scale: a, output_scale: b },
    });
    let initialisation = prop::option::of([number(), number(), number(), number()]).prop_map(|gains| {
        gains.map_or(Initialisation::Paper, |[first, hidden, output, bias]| Initialisation::UnitGain {
            first,
            hidden,
            output,
            bias,
        })
    });
    let angles = prop::sample::select(vec![AngleFeatures::SinCos, AngleFeatures::Wrap, AngleFeatures::Identity]);
    let any_data = prop::option::of((any::<[usize; 3]>(), [number(), number(), number(), number()]));
    let recipe = prop::sample::select(vec![
        presets::fast().models["lnn"].training.clone(),
        presets::notebook().models["baseline"].training.clone(),
    ]);
    (
        kind,
        prop::collection::vec(any::<usize>(), 0..5),
        prop::sample::select(Activation::ALL.to_vec()),
        initialisation,
        (angles, number(), number()),
        any::<bool>(),
        (recipe, any::<u64>(), any::<usize>(), number(), prop::option::of([number(), number()]), any_data),
    )
        .prop_map(|(kind, hidden, activation, initialisation, features, double, recipe)| ModelConfig {
            kind,
            hidden,
            activation,
            initialisation,
            features: FeaturesConfig {
                angles: features.0,
                position_scale: features.1,
                velocity_scale: features.2,
                conditional_scale: features.1,
                conditionals: vec![ConditionalFeatures { centre: features.1, scale: features.2 }; usize::from(double)],
                coordinates: vec![
                    CoordinateFeatures {
                        angles: features.0,
                        position_scale: features.2,
                        velocity_scale: features.1,
                        position_centre: if double { features.1 } else { 0.0 },
                    };
                    usize::from(double)
                ],
            },
            precision: if double { Precision::F64 } else { Precision::F32 },
            training: TrainingConfig {
                steps: recipe.1,
                batch: recipe.2,
                l2_penalty: recipe.3,
                weight: if double { LossWeight::Lorentz } else { LossWeight::Uniform },
                data: recipe.5.map_or(TrainingData::States, |(sizes, numbers)| TrainingData::Trajectories {
                    count: sizes[0],
                    segment: sizes[1],
                    substeps: sizes[2],
                    t_end: numbers[0],
                    dt: numbers[1],
                    noise: numbers[2],
                    chunk: sizes[1].is_multiple_of(2).then_some(sizes[0]),
                    time_reversal: sizes[0].is_multiple_of(2),
                    reflection: sizes[2].is_multiple_of(2),
                    warm_start: numbers[3],
                }),
                clipping: recipe.4.map_or(ClippingConfig::Off, |[factor, averaging]| ClippingConfig::RunningNorm {
                    factor,
                    averaging,
                }),
                ..recipe.0
            },
        })
}

fn any_config() -> impl Strategy<Value = ExperimentConfig> {
    let evaluation = (
        [any::<usize>(), any::<usize>()],
        prop::option::of(any_sampling()),
        [number(), number()],
        any_integrator(),
        any_integrator(),
    )
        .prop_map(|(counts, initial_states, times, integrator, reference_integrator)| EvaluationConfig {
            held_out: counts[0],
            rollouts: counts[1],
            initial_states,
            t_end: times[0],
            frames_per_second: times[1],
            integrator,
            reference_integrator,
        });
    let system = (any::<String>(), prop::collection::btree_map(any::<String>(), number(), 0..4))
        .prop_map(|(name, parameters)| SystemConfig { name, parameters });
    (
        [any::<String>(), any::<String>()],
        [any::<u64>(), any::<u64>()],
        system,
        prop::option::of(any_sampling()),
        prop::collection::btree_map(any::<String>(), any_model(), 0..3),
        evaluation,
        number(),
    )
        .prop_map(|(names, counts, system, sampling, models, evaluation, seconds)| {
            let [experiment, preset] = names;
            let tail =
                SamplingTail { share: seconds, from_step: counts[0], velocity: Interval { low: seconds, high: 1.0 } };
            let tail = counts[1].is_multiple_of(2).then_some(tail);
            ExperimentConfig {
                experiment,
                preset,
                seed: counts[0],
                ensemble: counts[1] as usize,
                system,
                protocol: counts[0].is_multiple_of(2).then_some(Protocol::Chnn),
                sampling,
                sampling_tail: tail,
                sampling_curriculum: tail.map(|tail| SamplingCurriculum { from: tail.share, to: seconds, until: 0.5 }),
                models,
                evaluation,
                log_every: counts[1],
                checkpoint_every_seconds: seconds,
            }
        })
}
