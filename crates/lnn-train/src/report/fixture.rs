//! A small invented run for the report's tests: two models that follow a swinging motion more and
//! less well.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::input::{ReportInput, SystemDescription};
use crate::config::ModelKind;
use crate::record::{
    Distribution, EnergyReference, EnsembleSummary, LostMember, MassMatrixSpectrum, MemberSummary, MetricsLine,
    ModelEnsemble, ModelSummary, PublishedFigures, Rollouts, Summary, Trajectory,
};

pub(crate) fn system() -> SystemDescription {
    SystemDescription::double_pendulum([1.0, 1.0], [1.0, 1.0], energy_reference())
}

fn energy_reference() -> EnergyReference {
    EnergyReference { value: 29.4, unit: "J".to_owned(), meaning: "the largest potential energy".to_owned() }
}

/// The kinds of the two models.
static KINDS: LazyLock<BTreeMap<String, ModelKind>> = LazyLock::new(|| {
    let baseline = ModelKind::Baseline { output_scale: 10.0 };
    BTreeMap::from([("lnn".to_owned(), ModelKind::default()), ("baseline".to_owned(), baseline)])
});

pub(crate) fn input<'a>(
    summary: &'a Summary,
    metrics: &'a [MetricsLine],
    rollouts: &'a Rollouts,
    system: &'a SystemDescription,
) -> ReportInput<'a> {
    ReportInput {
        summary,
        metrics,
        member_metrics: &[],
        rollouts,
        system,
        kinds: &KINDS,
        config_ron: "(\n    seed: 0,\n)",
        command: "cargo xtask experiment dblpend --preset fast --seed 0",
    }
}

pub(crate) fn run() -> (Summary, Rollouts, Vec<MetricsLine>, SystemDescription) {
    (summary(), rollouts(), metrics(), system())
}

pub(crate) fn summary() -> Summary {
    let energy = |mean: f64| Distribution { mean, median: 0.6 * mean, p90: 2.0 * mean, max: 5.0 * mean, failed: 0 };
    let model = |acceleration_l1: f64, mean: f64| ModelSummary {
        parameters: 8_769,
        train_seconds: 58.3,
        steps: 10_000,
        samples: 5_120_000,
        held_out: 20_000,
        acceleration_l1,
        acceleration_relative: 1e-3 * acceleration_l1,
        weighted_acceleration_l1: None,
        vector_field_l1: None,
        weighted_vector_field_l1: None,
        energy_error_percent: energy(mean),
        energy_error_max_frame_percent: energy(4.0 * mean),
        velocity_error_max: energy(0.1 * mean),
        geometric_mean_relative_error: None,
        skipped_steps: 0,
    };
    let paper = |acceleration_l1: f64, energy_error_percent: f64| PublishedFigures {
        acceleration_l1: Some(acceleration_l1),
        weighted_acceleration_l1: None,
        geometric_mean_relative_error: None,
        energy_error_percent: Some(energy_error_percent),
    };
    Summary {
        experiment: "dblpend".to_owned(),
        preset: "fast".to_owned(),
        seed: 0,
        backend: "cpu".to_owned(),
        device: "a processor".to_owned(),
        threads: 2,
        energy_reference: energy_reference(),
        wall_seconds: 141.0,
        models: BTreeMap::from([("lnn".to_owned(), model(0.064, 0.0129)), ("baseline".to_owned(), model(0.071, 2.3))]),
        ensemble: None,
        paper: BTreeMap::from([("lnn".to_owned(), paper(0.073, 0.4)), ("baseline".to_owned(), paper(0.074, 8.0))]),
    }
}

/// Five members of each model, the figures of number k those of [`summary`] times k + 1; the last Lagrangian one is lost.
pub(crate) fn ensemble() -> Summary {
    let alone = summary();
    let of_model = |(name, model): (&String, &ModelSummary)| {
        let member = |seed: u64| {
            let mut figures = model.clone();
            let factor = (seed + 1) as f64;
            figures.acceleration_l1 *= factor;
            figures.energy_error_percent.mean *= factor;
            figures.energy_error_percent.median *= factor;
            let lost = (name == "lnn" && seed == 4).then(|| LostMember {
                step: 1200,
                skipped_steps: 1000,
                reason: "it learns nothing".to_owned(),
                train_seconds: 7.0,
            });
            MemberSummary { seed, figures: lost.is_none().then_some(figures), lost }
        };
        (name.clone(), ModelEnsemble::of((0..5).map(member).collect()))
    };
    let models = alone.models.iter().map(of_model).collect();
    Summary { ensemble: Some(EnsembleSummary { members: 5, shown_seed: 0, models }), ..alone }
}

/// The training logs of four members of each model.
pub(crate) fn member_metrics() -> Vec<MetricsLine> {
    let of_seed = |seed: u64| {
        let factor = 1.0 + 0.3 * seed as f64;
        let scaled = move |line: MetricsLine| MetricsLine {
            seed: Some(seed),
            loss: factor * line.loss,
            acceleration_l1: factor * line.acceleration_l1,
            ..line
        };
        metrics().into_iter().map(scaled)
    };
    (0..4).flat_map(of_seed).collect()
}

pub(crate) fn metrics() -> Vec<MetricsLine> {
    let mut lines = Vec::new();
    for (model, floor) in [("baseline", 0.07), ("lnn", 0.06)] {
        // The first steps are logged more often, as in a real run.
        for step in [1, 2, 5, 10, 20, 50].into_iter().chain((1..60).map(|k| 170 * k)) {
            let progress = step as f64 / (170.0 * 59.0);
            lines.push(MetricsLine {
                model: model.to_owned(),
                seed: None,
                step,
                samples: 512 * step,
                loss: 3.0 * (-5.0 * progress).exp() + 0.01,
                learning_rate: 0.03,
                gradient_norm: 1.0,
                skipped_steps: 0,
                vector_field_l1: None,
                acceleration_l1: 40.0 * (-8.0 * progress).exp() + floor,
                mass_matrix: (model == "lnn").then_some(MassMatrixSpectrum {
                    other_sign: 0,
                    states: 1024,
                    eigenvalue_min: 1.0 - 0.7 * progress,
                    eigenvalue_max: 1.0 + 1.6 * progress,
                    condition_median: 1.0 + 3.0 * progress,
                    condition_max: 1.0 + 9.0 * progress,
                    indefinite: 0,
                    rank_deficient: 0,
                }),
                held_out_error: None,
            });
        }
    }
    lines
}

/// Five rollouts of 41 frames; the models drift away from the truth in angle and energy.
pub(crate) fn rollouts() -> Rollouts {
    let times: Vec<f64> = (0..41).map(|k| 0.1 * f64::from(k)).collect();
    let swing = |amplitude: f64, drift: f64| {
        let mut states = Vec::new();
        let mut energies = Vec::new();
        for t in &times {
            let (slow, fast) = (2.0 + drift, 3.1 + drift);
            states.extend([
                amplitude * (slow * t).cos(),
                0.8 * amplitude * (fast * t).sin(),
                -amplitude * slow * (slow * t).sin(),
                0.8 * amplitude * fast * (fast * t).cos(),
            ]);
            energies.push(-20.0 + amplitude + drift * t);
        }
        Trajectory { states, energies, failure: None }
    };
    let family =
        |drift: f64| -> Vec<Trajectory> { (1..=5).map(|k| swing(0.3 * f64::from(k), drift * f64::from(k))).collect() };
    Rollouts {
        dof: 2,
        conditional_names: Vec::new(),
        conditionals: Vec::new(),
        truth: family(0.0),
        models: BTreeMap::from([("lnn".to_owned(), family(1e-4)), ("baseline".to_owned(), family(0.03))]),
        times,
    }
}

/// The first `frames` frames of a trajectory with two degrees of freedom.
pub(crate) fn truncated(trajectory: &Trajectory, frames: usize) -> Trajectory {
    Trajectory {
        states: trajectory.states[..4 * frames].to_vec(),
        energies: trajectory.energies[..frames].to_vec(),
        failure: trajectory.failure.clone(),
    }
}
