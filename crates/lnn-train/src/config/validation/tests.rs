//! Each bad value, found under its own name.

use super::super::model::{AngleFeatures, ConditionalFeatures, CoordinateFeatures};
use super::super::system::{Interval, SamplingConfig, SamplingCurriculum};
use super::*;
use crate::config::presets::{self, BASELINE, LNN};
use crate::config::{Protocol, TrainingData};
use crate::optimiser::{ClippingConfig, Schedule, SoapSettings};
use lnn_autodiff::Activation;

/// Fields with a problem after `spoil`.
fn fields(spoil: impl FnOnce(&mut ExperimentConfig)) -> Vec<String> {
    let mut config = presets::fast();
    spoil(&mut config);
    match config.validate() {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.field).collect(),
    }
}

fn lnn(config: &mut ExperimentConfig) -> &mut ModelConfig {
    config.models.get_mut(LNN).expect("in every preset")
}

#[test]
fn the_preset_itself_has_no_problem() {
    assert_eq!(fields(|_| {}), [""; 0]);
}

#[test]
fn each_bad_value_is_found_under_its_own_name() {
    type Spoil = fn(&mut ExperimentConfig);
    const WIDE: Interval = Interval { low: -1.0, high: 1.0 };
    const CIRCULAR: CoordinateFeatures = CoordinateFeatures {
        angles: AngleFeatures::SinCos,
        position_scale: 1.0,
        velocity_scale: 5.0,
        position_centre: 0.0,
    };
    let cases: [(&str, Spoil); 44] = [
        ("experiment", |c| c.experiment = "wave-equation".into()),
        ("preset", |c| c.preset = "../elsewhere".into()),
        ("system.parameters.m1", |c| set_system(c, "m1", -1.0)),
        ("system.parameters.m1", |c| set_system(c, "m1", f64::NAN)),
        ("system.parameters.g", |c| set_system(c, "g", f64::INFINITY)),
        ("system.parameters.mass", |c| set_system(c, "mass", 1.0)),
        ("system.name", |c| c.system.name = "dblpendulum".into()),
        ("system.name", |c| c.system = SystemConfig::new("kepler")),
        ("sampling_tail.share", |c| c.sampling_tail = Some(SamplingTail { share: 1.0, from_step: 0, velocity: WIDE })),
        ("sampling_tail.velocity", |c| {
            c.sampling_tail =
                Some(SamplingTail { share: 0.1, from_step: 0, velocity: Interval { low: 1.0, high: f64::NAN } });
        }),
        ("sampling.velocity", |c| {
            c.sampling =
                Some(SamplingConfig { velocity: Interval { low: 1.0, high: 1.0 }, ..SamplingConfig::default() });
        }),
        ("sampling.position", |c| {
            let position = Interval { low: 0.0, high: f64::NAN };
            c.sampling = Some(SamplingConfig { position, ..SamplingConfig::default() });
        }),
        ("evaluation.initial_states.velocity", |c| {
            let velocity = Interval { low: 1.0, high: 0.0 };
            c.evaluation.initial_states = Some(SamplingConfig { velocity, ..SamplingConfig::default() });
        }),
        ("models", |c| c.models.clear()),
        ("a name in models", |c| {
            let model = c.models[LNN].clone();
            c.models.insert("a/b".into(), model);
        }),
        ("models.lnn.hidden", |c| lnn(c).hidden.clear()),
        ("models.lnn.hidden[1]", |c| lnn(c).hidden[1] = 0),
        ("models.lnn.hidden[2]", |c| lnn(c).hidden[2] = usize::MAX),
        ("models.lnn.activation", |c| {
            lnn(c).activation = Activation::Relu;
        }),
        ("models.lnn.kind.residual_mass", |c| {
            lnn(c).kind = ModelKind::Lnn {
                residual_mass: -0.5,
                pseudoinverse_tolerance: 1e-6,
                potential_scale: None,
                scaled_velocities: false,
            };
        }),
        ("models.lnn.kind.pseudoinverse_tolerance", |c| {
            lnn(c).kind = ModelKind::Lnn {
                residual_mass: 0.0,
                pseudoinverse_tolerance: 1.0,
                potential_scale: None,
                scaled_velocities: false,
            };
        }),
        ("models.baseline.kind.output_scale", |c| {
            c.models.get_mut(BASELINE).expect("in every preset").kind = ModelKind::Baseline { output_scale: 0.0 };
        }),
        ("models.lnn.initialisation.bias", |c| {
            lnn(c).initialisation = Initialisation::UnitGain { first: 1.0, hidden: 1.0, output: 1.0, bias: -1.0 };
        }),
        ("models.lnn.features.position_scale", |c| {
            lnn(c).features.position_scale = 2.0;
        }),
        ("models.lnn.features.velocity_scale", |c| {
            lnn(c).features.velocity_scale = 0.0;
        }),
        ("models.lnn.features.conditional_scale", |c| lnn(c).features.conditional_scale = -1.0),
        ("models.lnn.features.coordinates", |c| lnn(c).features.coordinates = vec![CIRCULAR; 3]),
        ("models.lnn.features.coordinates[1].velocity_scale", |c| {
            lnn(c).features.coordinates = vec![CIRCULAR, CoordinateFeatures { velocity_scale: 0.0, ..CIRCULAR }];
        }),
        ("models.lnn.features.coordinates[1].position_centre", |c| {
            lnn(c).features.coordinates = vec![CIRCULAR, CoordinateFeatures { position_centre: 1.0, ..CIRCULAR }];
        }),
        ("models.lnn.features.conditionals", |c| {
            lnn(c).features.conditionals = vec![ConditionalFeatures { centre: 0.0, scale: 1.0 }];
        }),
        ("models.lnn.training.schedule.total_steps", |c| {
            lnn(c).training.steps = 10;
        }),
        ("models.lnn.training.schedule.peak", |c| {
            lnn(c).training.schedule = Schedule::WarmupCosine {
                peak: -1.0,
                warmup_steps: 0,
                total_steps: lnn(c).training.steps,
                final_fraction: 0.0,
            };
        }),
        ("models.lnn.training.optimiser.refresh_every", |c| {
            lnn(c).training.optimiser = SoapSettings { refresh_every: 0, ..SoapSettings::default() }.into();
        }),
        ("models.lnn.training.steps", |c| {
            lnn(c).training.schedule = Schedule::Constant { rate: 1e-3 };
            lnn(c).training.steps = 0;
        }),
        ("models.lnn.training.batch", |c| lnn(c).training.batch = 0),
        ("models.lnn.training.l2_penalty", |c| {
            lnn(c).training.l2_penalty = f64::NAN;
        }),
        ("models.lnn.training.gradient_parts", |c| lnn(c).training.gradient_parts = Some(0)),
        ("models.lnn.training.gradient_parts", |c| lnn(c).training.gradient_parts = Some(100_000)),
        ("models.lnn.training.clipping.factor", |c| {
            lnn(c).training.clipping = ClippingConfig::RunningNorm { factor: 0.0, averaging: 0.5 };
        }),
        ("evaluation.held_out", |c| c.evaluation.held_out = 0),
        ("evaluation.t_end", |c| c.evaluation.t_end = 0.0),
        ("evaluation.t_end", |c| c.evaluation.t_end = -1.0),
        ("log_every", |c| c.log_every = 0),
        ("checkpoint_every_seconds", |c| {
            c.checkpoint_every_seconds = 0.0;
        }),
    ];
    for (field, spoil) in cases {
        assert_eq!(fields(spoil), [field]);
    }
    assert_eq!(fields(|c| c.evaluation.integrator = IntegratorConfig::Rk4 { dt: 0.0 }), ["evaluation.integrator.dt"]);
    assert_eq!(
        fields(|c| c.evaluation.integrator = IntegratorConfig::ImplicitMidpoint { dt: 0.2 }),
        ["evaluation.integrator.dt"]
    );
}

#[test]
fn a_scale_of_a_conditional_is_found_by_its_place() {
    let mut config = crate::config::preset("relativistic", "fast").expect("a preset");
    config.models.retain(|name, _| name == LNN);
    lnn(&mut config).features.conditionals = vec![ConditionalFeatures { centre: 0.0, scale: 0.0 }];
    let problems = config.validate().expect_err("a scale of 0");
    let found: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(found, ["models.lnn.features.conditionals[0].scale"]);
}

#[test]
fn sizes_that_no_machine_could_serve_are_found_under_their_names() {
    type Spoil = fn(&mut ExperimentConfig);
    let cases: [(&str, Spoil); 9] = [
        ("evaluation.integrator.dt", |c| c.evaluation.integrator = IntegratorConfig::Rk4 { dt: 1e-18 }),
        ("evaluation.reference_integrator.dt", |c| {
            c.evaluation.reference_integrator = IntegratorConfig::ImplicitMidpoint { dt: 0.99e-7 };
        }),
        ("evaluation.held_out", |c| c.evaluation.held_out = 100_000_001),
        ("evaluation.rollouts", |c| c.evaluation.rollouts = 300_000),
        ("evaluation.rollouts", |c| c.evaluation.rollouts = usize::MAX),
        ("models.lnn.hidden", |c| lnn(c).hidden = vec![16_384; 5]),
        ("models.lnn.training.steps × models.lnn.training.batch", |c| {
            lnn(c).training.schedule = Schedule::Constant { rate: 1e-3 };
            lnn(c).training.steps = u64::MAX;
        }),
        ("checkpoint_every_seconds", |c| c.checkpoint_every_seconds = 1e300),
        ("checkpoint_every_seconds", |c| c.checkpoint_every_seconds = f64::NAN),
    ];
    for (field, spoil) in cases {
        assert_eq!(fields(spoil), [field]);
    }
    let fits = |c: &mut ExperimentConfig| {
        c.evaluation.integrator = IntegratorConfig::Rk4 { dt: 1e-7 };
        c.evaluation.held_out = 100_000_000;
        c.evaluation.rollouts = 249_000;
        lnn(c).hidden = vec![16_384; 4];
        c.checkpoint_every_seconds = 1e9;
    };
    assert_eq!(fields(fits), [""; 0]);
}

/// Problems of the relativistic particle's preset after `spoil`.
fn of_particle(spoil: impl FnOnce(&mut ExperimentConfig)) -> Vec<String> {
    let mut config = presets::preset("relativistic", "fast").expect("listed");
    spoil(&mut config);
    match config.validate() {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn lorentz_weights_need_velocities_below_that_of_light() {
    let uniform = |low, high| Some(SamplingConfig { velocity: Interval { low, high }, ..SamplingConfig::default() });
    let sampled = |low, high| {
        of_particle(|c| {
            (c.sampling, c.sampling_curriculum) = (uniform(low, high), None);
            c.models.retain(|name, _| name == LNN);
        })
    };
    assert_eq!(sampled(-0.99, 1.0), [""; 0], "the upper bound is never drawn");
    for (low, high, fastest) in [(-1.0, 0.5, "1"), (-0.5, 1.2, "1.2")] {
        let problems = sampled(low, high);
        let expected = format!("models.lnn.training.weight is Lorentz for training states up to |q_dot| = {fastest}");
        assert!(problems.len() == 1 && problems[0].starts_with(&expected[..expected.len() - 1]), "{problems:?}");
    }
    let tail = SamplingTail { share: 0.1, from_step: 0, velocity: Interval { low: -2.0, high: 2.0 } };
    assert_eq!(
        of_particle(|c| c.sampling_tail = Some(tail)).len(),
        presets::preset("relativistic", "fast").expect("listed").models.len()
    );
    // Two velocities of up to 10 rad/s.
    let found = fields(|c| lnn(c).training.weight = LossWeight::Lorentz);
    assert_eq!(found, ["models.lnn.training.weight"]);
}

#[test]
fn a_curriculum_needs_bounded_velocities_and_positive_spreads() {
    let with = |from, to, until| of_particle(|c| c.sampling_curriculum = Some(SamplingCurriculum { from, to, until }));
    assert_eq!(with(0.3, 2.0, 1.0), [""; 0]);
    for (problems, field) in [
        (with(0.0, 2.0, 0.5), "sampling_curriculum.from is 0"),
        (with(0.3, f64::INFINITY, 0.5), "sampling_curriculum.to is inf"),
        (with(0.3, 2.0, 0.0), "sampling_curriculum.until is 0"),
        (with(0.3, 2.0, 1.5), "sampling_curriculum.until is 1.5"),
    ] {
        assert!(problems.len() == 1 && problems[0].starts_with(field), "{problems:?}");
    }
    let curriculum = SamplingCurriculum { from: 0.3, to: 2.0, until: 0.5 };
    assert_eq!(fields(|c| c.sampling_curriculum = Some(curriculum)), ["sampling_curriculum"]);
}

/// A file that names its system only is run, kept and repeated with all parameters written down.
#[test]
fn parameters_left_out_are_written_down() {
    let config = ExperimentConfig { system: SystemConfig::new("dblpend").with("g", 3.7), ..presets::fast() };
    let validated = config.validate().expect("usable");
    assert_eq!(validated.system, SystemConfig::default().with("g", 3.7));
    assert_eq!(validated.run_name(), "fast-g3.7-0");
}

#[test]
fn an_unknown_system_comes_back_with_the_nearest_one_and_a_parameter_with_those_there_are() {
    let message = |spoil: &dyn Fn(&mut ExperimentConfig)| {
        let mut config = presets::fast();
        spoil(&mut config);
        config.validate().expect_err("refused")[0].to_string()
    };
    let unknown = message(&|c| c.system.name = "dblpendulm".into());
    assert!(
        unknown.contains("system.name is \"dblpendulm\"") && unknown.contains("did you mean `dblpend`?"),
        "{unknown}"
    );
    let unknown = message(&|c| set_system(c, "m3", 2.0));
    assert!(unknown.contains("system.parameters.m3 is 2") && unknown.contains("valid names: `m1`, `m2`"), "{unknown}");
    let other = message(&|c| c.system = SystemConfig::new("sphere"));
    assert!(other.contains("system.name is \"sphere\"; expected \"dblpend\""), "{other}");
}

fn set_system(config: &mut ExperimentConfig, parameter: &str, value: f64) {
    config.system.parameters.insert(parameter.to_owned(), value);
}

#[test]
fn a_rectifier_is_fine_for_a_plain_network() {
    let relu = |c: &mut ExperimentConfig| {
        c.models.get_mut(BASELINE).expect("in every preset").activation = Activation::Relu;
    };
    assert_eq!(fields(relu), [""; 0]);
}

#[test]
fn all_problems_come_at_once_and_each_says_what_was_given() {
    let mut config = presets::fast();
    config.evaluation.t_end = -3.0;
    lnn(&mut config).hidden[0] = 0;
    lnn(&mut config).training.batch = 0;
    let problems = config.validate().expect_err("three problems");
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "models.lnn.hidden[0] is 0; expected a width from 1 to 16384",
            "models.lnn.training.batch is 0; expected a whole number from 1 to 4194304",
            "evaluation.t_end is -3; expected a finite number above 0",
        ]
    );
}

#[test]
fn a_protocol_is_for_its_system_and_for_observed_motions() {
    let of_chain = |spoil: fn(&mut ExperimentConfig)| {
        let mut config = presets::preset("pendulum", "chnn").expect("listed");
        spoil(&mut config);
        let problems = config.validate().err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
    };
    assert_eq!(of_chain(|_| ()), [""; 0]);
    assert_eq!(of_chain(|c| lnn(c).training.data = TrainingData::States), ["models.lnn.training.data"]);
    assert_eq!(of_chain(|c| c.sampling = Some(SamplingConfig::default())), ["sampling"]);
    assert_eq!(
        of_chain(|c| c.evaluation.initial_states = Some(SamplingConfig::default())),
        ["evaluation.initial_states"]
    );
    let segment = |c: &mut ExperimentConfig| {
        if let TrainingData::Trajectories { segment, .. } = &mut lnn(c).training.data {
            *segment = 6;
        }
    };
    assert_eq!(of_chain(segment), ["models.lnn.training.data.chunk"]);
    assert_eq!(
        fields(|c| c.protocol = Some(Protocol::Chnn)),
        ["protocol", "models.baseline.training.data", "models.lnn.training.data"]
    );
}
