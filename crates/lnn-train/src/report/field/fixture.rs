//! An invented run on fields for the report's tests: waves known in closed form, and models that follow them more and
//! less well.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use super::FieldReportInput;
use crate::field::{
    DensityComparison, DensityPanel, FieldModelSummary, FieldMotion, FieldMotionSummary, FieldSummary, FieldTrajectory,
};
use crate::record::MetricsLine;

/// Sites of the line.
const SITES: usize = 100;
/// Width of the bump in sites.
const SIGMA: f64 = 5.0;

/// All records of the run.
pub(super) struct Run {
    pub(super) summary: FieldSummary,
    pub(super) metrics: Vec<MetricsLine>,
    pub(super) motions: Vec<FieldMotion>,
    pub(super) densities: Vec<DensityComparison>,
    pub(super) kinds: BTreeMap<String, &'static str>,
}

impl Run {
    pub(super) fn input(&self) -> FieldReportInput<'_> {
        FieldReportInput {
            summary: &self.summary,
            metrics: &self.metrics,
            motions: &self.motions,
            densities: &self.densities,
            kinds: &self.kinds,
            config_ron: "(\n    seed: 0,\n)",
            command: "cargo xtask experiment wave --preset fast --seed 0",
        }
    }
}

/// A run with a bump and a smooth state on a line.
pub(super) fn run() -> Run {
    let kinds = [
        ("lgn", "Lagrangian graph network"),
        ("cnn", "convolutional network of φ̈"),
        ("hgn", "Hamiltonian graph network"),
    ];
    Run {
        summary: summary(),
        metrics: metrics(),
        motions: vec![bump(), smooth()],
        densities: vec![density()],
        kinds: kinds.map(|(name, kind)| (name.to_owned(), kind)).into(),
    }
}

/// Relative error of a model's wave speed, growth of its field a unit of time, and whether it has an energy.
const MODELS: [(&str, f64, f64, bool); 3] =
    [("cnn", 4e-4, 2e-4, false), ("hgn", -1e-4, 0.0, true), ("lgn", 2e-5, 0.0, true)];

fn motion(
    name: &str,
    description: &str,
    shape: [usize; 2],
    times: Vec<f64>,
    state: impl Fn(usize, f64) -> (f64, f64),
) -> FieldMotion {
    let sites = shape[0] * shape[1];
    let states = |speed: f64, growth: f64| {
        let mut states = Vec::with_capacity(2 * sites * times.len());
        for t in &times {
            let all: Vec<_> = (0..sites).map(|site| state(site, speed * t)).collect();
            states.extend(all.iter().map(|(phi, _)| (1.0 + growth * t) * phi));
            states.extend(all.iter().map(|(_, phi_dot)| (1.0 + growth * t) * phi_dot));
        }
        states
    };
    let energy = 0.37;
    let models = MODELS.map(|(name, speed, growth, learned)| {
        let of = |size: f64| times.iter().map(|t| energy * (1.0 + size * (0.07 * t).sin().powi(2))).collect::<Vec<_>>();
        let grown = times.iter().map(|t| energy * (1.0 + growth * t).powi(2)).collect();
        let trajectory = FieldTrajectory {
            states: states(1.0 + speed, growth),
            energy: if growth == 0.0 { of(12.0 * speed.abs()) } else { grown },
            learned_energy: if learned { of(1e-8) } else { Vec::new() },
        };
        (name.to_owned(), trajectory)
    });
    FieldMotion {
        name: name.to_owned(),
        description: description.to_owned(),
        shape,
        components: 1,
        truth: states(1.0, 0.0),
        times,
        energy,
        models: models.into(),
    }
}

/// A Gaussian at distance `x` on a ring of `sites` sites, and its slope.
fn gaussian(x: f64, sites: f64, sigma: f64) -> (f64, f64) {
    let x = (x + 0.5 * sites).rem_euclid(sites) - 0.5 * sites;
    let value = 0.5 * (-0.5 * (x / sigma).powi(2)).exp();
    (value, -x / (sigma * sigma) * value)
}

/// A bump at rest, which parts into two that travel ten times round, in 401 frames.
pub(super) fn bump() -> FieldMotion {
    let n = SITES as f64;
    let times = (0..=400).map(|frame| 2.5 * f64::from(frame)).collect();
    motion("bump", "a Gaussian bump of width 5 at rest", [1, SITES], times, |site, t| {
        let x = site as f64 - 0.5 * n;
        let ((right, right_slope), (left, left_slope)) = (gaussian(x - t, n, SIGMA), gaussian(x + t, n, SIGMA));
        (0.5 * (right + left), 0.5 * (left_slope - right_slope))
    })
}

/// Three standing waves.
fn smooth() -> FieldMotion {
    let times = (0..=200).map(|frame| 5.0 * f64::from(frame)).collect();
    motion("smooth", "a random smooth state of the four longest waves", [1, SITES], times, |site, t| {
        let mode = |m: f64, amplitude: f64, phase: f64| {
            let k = 2.0 * PI * m / SITES as f64;
            let (x, t) = (k * site as f64 + phase, k * t);
            (amplitude * x.cos() * t.cos(), -amplitude * k * x.cos() * t.sin())
        };
        let waves = [mode(1.0, 0.4, 0.3), mode(2.0, 0.3, 1.7), mode(3.0, 0.2, 4.0)];
        (waves.iter().map(|wave| wave.0).sum(), waves.iter().map(|wave| wave.1).sum())
    })
}

/// A bump that spreads on a grid of 24 rows of 32 columns.
pub(super) fn grid() -> FieldMotion {
    let times = (0..=60).map(f64::from).collect();
    motion("bump", "a Gaussian bump of width 3 at rest", [24, 32], times, |site, t| {
        let ((row, column), directions) = ((site / 32, site % 32), 24);
        let (y, x) = (row as f64 - 12.0, column as f64 - 16.0);
        // Plane waves to all sides add up to one that spreads.
        let waves = (0..directions).map(|k| {
            let angle = 2.0 * PI * f64::from(k) / f64::from(directions);
            gaussian(x * angle.cos() + y * angle.sin() - t, 64.0, 3.0)
        });
        waves.fold((0.0, 0.0), |sum, wave| (sum.0 + wave.0 / 12.0, sum.1 - wave.1 / 12.0))
    })
}

/// A lattice so large that only energies are kept.
pub(super) fn large() -> FieldMotion {
    let mut motion = smooth();
    (motion.name, motion.shape) = ("large".to_owned(), [1, 100_000]);
    motion.truth.clear();
    for trajectory in motion.models.values_mut() {
        trajectory.states.clear();
    }
    motion
}

/// Ends the rollout of `model` after `frames` frames.
pub(super) fn stop(motion: &mut FieldMotion, model: &str, frames: usize) {
    let width = super::measure::width(motion);
    let trajectory = motion.models.get_mut(model).expect("the fixture has it");
    trajectory.states.truncate(frames * width);
    trajectory.energy.truncate(frames);
    trajectory.learned_energy.truncate(frames);
}

pub(super) fn summary() -> FieldSummary {
    let motion = |scale: f64, learned: bool| FieldMotionSummary {
        sites: SITES,
        t_end: 1000.0,
        crossing_time: 100.0,
        field_error: 7e-4 * scale,
        field_error_end: 5e-3 * scale,
        energy_error_percent: 0.024 * scale,
        learned_energy_drift_percent: learned.then_some(1e-6),
        kink_velocity_error: None,
        stopped: None,
        rollout_seconds: 0.3,
    };
    let model = |scale: f64, learned: bool| FieldModelSummary {
        parameters: 8_769,
        train_seconds: 11.3,
        steps: 20_000,
        samples: 640_000,
        skipped_steps: 0,
        held_out: 500,
        acceleration_relative: 5.12e-5 * scale,
        solved: BTreeMap::from([("cyclic tridiagonal".to_owned(), 500)]),
        motions: BTreeMap::from([
            ("bump".to_owned(), motion(scale, learned)),
            ("smooth".to_owned(), motion(0.6 * scale, learned)),
        ]),
    };
    FieldSummary {
        experiment: "wave".to_owned(),
        preset: "fast".to_owned(),
        seed: 0,
        backend: "cpu".to_owned(),
        device: "a processor".to_owned(),
        threads: 2,
        field: "waves of speed 1 on a periodic line, φ̈ᵢ = φᵢ₊₁ − 2 φᵢ + φᵢ₋₁".to_owned(),
        training_sites: 16,
        sites: SITES,
        wall_seconds: 41.0,
        models: BTreeMap::from([
            ("lgn".to_owned(), model(1.0, true)),
            ("cnn".to_owned(), model(20.0, false)),
            ("hgn".to_owned(), model(5.0, true)),
        ]),
    }
}

fn metrics() -> Vec<MetricsLine> {
    let mut lines = Vec::new();
    for (model, floor) in [("cnn", 1e-3), ("hgn", 3e-4), ("lgn", 5e-5)] {
        for step in [1, 2, 5, 10, 20, 50, 100].into_iter().chain((1..=60).map(|k| 333 * k)) {
            let progress = step as f64 / 20_000.0;
            lines.push(MetricsLine {
                model: model.to_owned(),
                seed: None,
                step,
                samples: 32 * step,
                loss: 0.3 * (-30.0 * progress).exp() + floor * floor,
                learning_rate: 0.03,
                gradient_norm: 1.0,
                skipped_steps: 0,
                acceleration_l1: (-20.0 * progress).exp() + floor,
                vector_field_l1: None,
                mass_matrix: None,
                held_out_error: None,
            });
        }
    }
    lines
}

fn density() -> DensityComparison {
    let x: Vec<f64> = (-20..=20).map(|k| 0.05 * f64::from(k)).collect();
    let panel = |quantity: &str, argument: &str, truth: f64, wrong: f64| DensityPanel {
        quantity: quantity.to_owned(),
        argument: argument.to_owned(),
        truth: vec![truth; x.len()],
        learned: x.iter().map(|x| truth + wrong * (3.0 * x).sin()).collect(),
        x: x.clone(),
    };
    DensityComparison {
        model: "lgn".to_owned(),
        panels: vec![
            panel("Mass ∂²L/∂φ̇ᵢ²", "rate φ̇ᵢ", 1.0, 2e-3),
            panel("Response of the force to its own site, −∂rᵢ/∂φᵢ", "slope φᵢ₊₁ − φᵢ", 2.0, 4e-2),
        ],
    }
}
