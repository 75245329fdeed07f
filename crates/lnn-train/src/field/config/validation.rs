//! The one place where the values of an experiment on fields are judged.

use std::fmt::{Debug, Display};
use std::sync::Arc;

use super::{
    EXPERIMENTS, FieldConfig, FieldEvaluationConfig, FieldKind, FieldModelConfig, FieldModelKind, FieldValueConfig,
    KnownField, LatticeConfig, SINE_GORDON, WAVE,
};
use crate::config::{Check, Problem, nearest};
use crate::experiment::{Purpose, sampler};
use crate::field::model::FieldModel;
use crate::field::start::MotionStart;

/// Most sites of a lattice that is trained on.
const MOST_TRAINING_SITES: usize = 10_000;
/// Most sites of the lattice that is judged on, all of whose states are kept.
const MOST_SITES: usize = 1_000_000;
/// Most sites of the large lattice, each of which takes some 500 bytes.
const MOST_LARGE_SITES: usize = 10_000_000;
/// Most numbers in the frames of one motion, and in the held-out states.
const MOST_NUMBERS: usize = 200_000_000;
/// Most steps of one motion.
const MOST_STEPS: f64 = 1e8;
/// The name that the motion on the large lattice has.
const LARGE: &str = "large";

/// Longest step of the classical Runge–Kutta method at which an oscillation of angular frequency `frequency` does not
/// grow, 2√2/ω.
fn stability_limit(frequency: f64) -> f64 {
    8.0_f64.sqrt() / frequency
}

impl FieldConfig {
    /// Every value that cannot be used, in the order of the fields.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        self.judge_values(&mut check);
        // What is made of them is judged only where they are numbers that make sense.
        if check.problems.is_empty() {
            self.judge_whole(&mut check);
        }
        check.problems
    }

    fn judge_values(&self, check: &mut Check) {
        let experiment = &self.experiment;
        let hint = nearest(experiment, EXPERIMENTS).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        let expected = format!("`{WAVE}` or `{SINE_GORDON}`{hint}");
        check.require(EXPERIMENTS.contains(&experiment.as_str()), "experiment", format!("{experiment:?}"), &expected);
        check.file_name_part("preset", &self.preset);
        self.judge_field(check);
        judge_lattice(check, "lattice", &self.lattice, MOST_TRAINING_SITES);
        check.require(!self.models.is_empty(), "models", "empty", "at least one model");
        for (name, model) in &self.models {
            check.file_name_part("a name in models", name);
            judge_model(check, &format!("models.{name}"), model);
        }
        judge_evaluation(check, &self.evaluation);
        check.count("log_every", self.log_every);
        check.checkpoint_every_seconds(self.checkpoint_every_seconds);
    }

    fn judge_field(&self, check: &mut Check) {
        let of_experiment = matches!(self.field, FieldKind::SineGordon { .. }) == (self.experiment == SINE_GORDON);
        check.require(
            of_experiment || !EXPERIMENTS.contains(&self.experiment.as_str()),
            "field",
            format!("{:?}", self.field),
            &format!("a field of the experiment: Wave or Medium for `{WAVE}`, SineGordon for `{SINE_GORDON}`"),
        );
        match self.field {
            FieldKind::Wave { speed } => check.positive("field.speed", speed),
            FieldKind::Medium { profile: _, slowest, fastest } => {
                check.positive("field.slowest", slowest);
                check.positive("field.fastest", fastest);
                check.require(slowest <= fastest, "field.slowest", slowest, "at most field.fastest");
            }
            FieldKind::SineGordon { spacing } => check.positive("field.spacing", spacing),
        }
    }

    /// What is made of the values: fields, distributions, networks and motions on both lattices.
    fn judge_whole(&self, check: &mut Check) {
        let order = sampler(self.seed, Purpose::Medium);
        let trained = made(check, "lattice", self.lattice, self.lattice.topology());
        let judged = made(check, "evaluation.lattice", self.evaluation.lattice, self.evaluation.lattice.topology());
        let (Some(trained), Some(judged)) = (trained, judged) else { return };
        let (trained, judged) = (Arc::new(trained), Arc::new(judged));
        let small = made(check, "field", self.field, self.field.for_training(Arc::clone(&trained), &order));
        let whole = made(check, "field", self.field, self.field.on(&self.evaluation.lattice, Arc::clone(&judged)));
        let (Some(small), Some(whole)) = (small, whole) else { return };
        let components = whole.field().components();
        made(check, "states", self.states, self.states.distribution(&trained, components));
        let on_judged = (&self.evaluation.lattice, &*judged);
        made(check, "states", self.states, self.states.distribution_on(on_judged, &self.lattice, components));
        for (name, config) in &self.models {
            let path = format!("models.{name}");
            let model = FieldModel::new(config, &self.lattice, small.field());
            if let Some(model) = made(check, &path, config.kind, model) {
                made(check, &path, config.kind, model.on(whole.field()));
            }
        }
        self.judge_motions(check, &whole);
    }

    fn judge_motions(&self, check: &mut Check, known: &KnownField) {
        let FieldEvaluationConfig { lattice, motions, crossings, dt, large, .. } = &self.evaluation;
        let frequency = known.field().largest_frequency();
        let limit = stability_limit(frequency);
        check.require(
            *dt <= limit,
            "evaluation.dt",
            dt,
            &format!(
                "at most {limit:.6}: 2√2 over the largest angular frequency {frequency:.6} of the field, beyond which the \
                 classical Runge–Kutta method is not stable"
            ),
        );
        for (name, motion) in motions {
            let path = format!("evaluation.motions.{name}");
            let start = MotionStart::new(motion, (&self.field, known), lattice, *crossings, self.seed);
            if let Some(start) = made(check, &path, motion, start) {
                judge_duration(check, &path, start.t_end, *dt);
                let energy = known.field().state_energy(&start.state);
                let usable = energy.is_finite() && energy > 0.0;
                let expected = "one above 0, of which energy errors are percentages";
                check.require(usable, &path, format!("a state of energy {energy}"), expected);
            }
        }
        if let Some(large) = large {
            judge_duration(check, "evaluation.large.t_end", large.t_end, *dt);
        }
    }
}

/// The value, or a problem at `field` that says why there is none.
fn made<T, E: Display>(check: &mut Check, field: &str, given: impl Debug, made: Result<T, E>) -> Option<T> {
    match made {
        Ok(value) => Some(value),
        Err(error) => {
            let expected = format!("values that can be used ({error})");
            check.problems.push(Problem { field: field.to_owned(), given: format!("{given:?}"), expected });
            None
        }
    }
}

fn judge_lattice(check: &mut Check, path: &str, lattice: &LatticeConfig, most: usize) {
    let sites = lattice.sites();
    check.require(sites <= most, path, format!("{lattice:?}"), &format!("at most {most} sites"));
}

fn judge_model(check: &mut Check, path: &str, model: &FieldModelConfig) {
    let FieldModelConfig {
        kind,
        neighbourhood: _,
        hidden,
        activation,
        initialisation,
        features,
        precision: _,
        training,
    } = model;
    match *kind {
        FieldModelKind::Lgn { residual_mass } => {
            check.not_negative(format!("{path}.kind.residual_mass"), residual_mass);
        }
        FieldModelKind::Cnn { output_scale } => check.positive(format!("{path}.kind.output_scale"), output_scale),
        FieldModelKind::Hgn => {}
    }
    check.require(
        matches!(kind, FieldModelKind::Cnn { .. }) || activation.has_second_derivative(),
        format!("{path}.activation"),
        activation,
        "an activation with a second derivative (softplus, tanh, sigmoid, gelu, silu, relu2 or relu3), because the \
         mass matrix of a Lagrangian network is made of second derivatives, and the gradient of a Hamiltonian one",
    );
    check.hidden(path, hidden);
    check.initialisation(&format!("{path}.initialisation"), initialisation);
    if let FieldValueConfig::Plain { scale } = features.value {
        check.positive(format!("{path}.features.value.scale"), scale);
    }
    check.positive(format!("{path}.features.rate_scale"), features.rate_scale);
    check.positive(format!("{path}.features.attribute_scale"), features.attribute_scale);
    check.training(&format!("{path}.training"), &training.for_states());
}

fn judge_evaluation(check: &mut Check, evaluation: &FieldEvaluationConfig) {
    let FieldEvaluationConfig { lattice, held_out, motions, crossings, dt, frames, large } = evaluation;
    judge_lattice(check, "evaluation.lattice", lattice, MOST_SITES);
    let sites = lattice.sites().clamp(1, MOST_SITES);
    let most = MOST_NUMBERS / (2 * sites);
    for (field, count) in [("evaluation.held_out", *held_out), ("evaluation.frames", *frames)] {
        let expected = format!("a whole number from 1 to {most} for {sites} sites");
        check.require((1..=most).contains(&count), field, count, &expected);
    }
    for name in motions.keys() {
        check.file_name_part("a name in evaluation.motions", name);
        check.require(
            name != LARGE,
            "a name in evaluation.motions",
            name,
            "another name than that of the large lattice",
        );
    }
    check.positive("evaluation.crossings", *crossings);
    check.positive("evaluation.dt", *dt);
    if let Some(large) = large {
        check.require(
            !lattice.is_grid(),
            "evaluation.large",
            "given",
            "nothing: a grid is judged at its size, which evaluation.lattice can raise",
        );
        check.require(
            (lattice.sites()..=MOST_LARGE_SITES).contains(&large.sites),
            "evaluation.large.sites",
            large.sites,
            &format!("a whole number from {}, the sites of evaluation.lattice, to {MOST_LARGE_SITES}", lattice.sites()),
        );
        check.positive("evaluation.large.t_end", large.t_end);
        check.require(
            motions.values().any(|motion| matches!(motion, super::MotionConfig::Bump { .. })),
            "evaluation.large",
            "given",
            "a Bump among evaluation.motions, which is repeated along the large lattice",
        );
    }
}

fn judge_duration(check: &mut Check, path: &str, t_end: f64, dt: f64) {
    let expected = format!("at most {MOST_STEPS:e} steps of evaluation.dt = {dt}");
    check.require(t_end / dt <= MOST_STEPS, path, format!("a motion of duration {t_end}"), &expected);
}
