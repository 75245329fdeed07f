//! The objective on lattices against direct sums, for any cut of the batch and any number of threads.

use lnn_autodiff::jet::Accumulate;

use super::*;
use crate::config::Precision;
use crate::experiment::{Purpose, sampler};
use crate::field::build_field_training;
use crate::field::config::{
    BoundaryConfig, FieldConfig, FieldModelKind, LatticeConfig, NeighbourhoodConfig, field_preset,
};
use crate::fit::{Trainer, Training};

/// A small experiment with models of every kind, on ordered neighbourhoods and on pairs.
fn small(lattice: LatticeConfig, preset: &str) -> FieldConfig {
    let mut config = FieldConfig { lattice, ..field_preset("wave", preset).expect("listed") };
    config.states.modes = 2;
    let (names, models): (Vec<_>, Vec<_>) = config.models.clone().into_iter().unzip();
    for (name, mut model) in names.into_iter().zip(models) {
        model.neighbourhood = NeighbourhoodConfig::Pairs;
        config.models.insert(format!("{name}-pairs"), model);
    }
    for model in config.models.values_mut() {
        (model.hidden, model.training.batch, model.precision) = (vec![7, 5], 6, Precision::F64);
        model.training.l2_penalty = 0.0;
    }
    config
}

fn line(sites: usize) -> LatticeConfig {
    LatticeConfig::Line { sites, boundary: BoundaryConfig::Periodic }
}

/// The whole batch's loss and gradient at the training's parameters moved by `shift` times the parameter's number.
fn evaluate(training: &Training<f64, FieldObjective>, shift: f64) -> (BatchLoss, Vec<f64>) {
    let (objective, batch) = (&training.plan().objective, training.plan().batch);
    let parameters: Vec<f64> = training
        .parameters()
        .iter()
        .enumerate()
        .map(|(index, parameter)| parameter + shift * (index as f64 * 0.7).sin())
        .collect();
    let input = StepInput { step: 3, batch, parameters: &parameters };
    let mut worker = Objective::<f64>::worker(objective, batch);
    let mut gradient = vec![f64::NAN; parameters.len()];
    let loss = objective.run(&mut worker, &input, 0..batch, Accumulate::Replace, &mut gradient).expect("finite");
    (loss, gradient)
}

/// The loss as it is written in the documentation, sample by sample.
fn by_sums(config: &FieldConfig, training: &Training<f64, FieldObjective>) -> f64 {
    let objective = &training.plan().objective;
    let (field, batch) = (objective.field(), training.plan().batch);
    let unknowns = field.unknowns();
    let distribution = config.states.distribution(field.topology(), field.components()).expect("usable");
    let mut block = objective.model().block::<f64>(1, false).expect("memory");
    let mut total = 0.0;
    for lattice in 0..batch {
        let mut state = vec![0.0; 2 * unknowns];
        distribution.fill(&sampler(config.seed, Purpose::Training), 3, lattice as u64, &mut state);
        let (phi, phi_dot) = state.split_at(unknowns);
        let mut target = vec![0.0; unknowns];
        field.acceleration_into(phi, phi_dot, &mut target);
        let (mut rate, mut phi_ddot) = (vec![0.0; unknowns], vec![0.0; unknowns]);
        block.rates_into(training.parameters(), [phi, phi_dot], [&mut rate, &mut phi_ddot]);
        let loss = |got: f64, want: f64| {
            let smoothing = 0.02 * (1.0 + want.abs());
            (smoothing * smoothing + (got - want) * (got - want)).sqrt() - smoothing
        };
        for site in 0..unknowns {
            total += loss(phi_ddot[site], target[site]);
            if objective.model().is_first_order() {
                total += loss(rate[site], phi_dot[site]);
            }
        }
    }
    total / (batch * unknowns) as f64
}

#[test]
fn loss_is_the_mean_over_lattices_and_sites_and_its_gradient_the_slope() {
    let grid = LatticeConfig::Grid { rows: 3, columns: 4, boundary: BoundaryConfig::Periodic };
    for config in [small(line(5), "fast"), small(line(6), "medium"), small(grid, "grid")] {
        for name in config.models.keys() {
            let training = build_field_training::<f64>(&config, name).expect("usable");
            let (loss, gradient) = evaluate(&training, 0.0);
            let want = by_sums(&config, &training);
            assert_eq!(loss.non_finite, 0, "{name}");
            assert!((loss.value - want).abs() <= 1e-12 * want, "{name}: {} not {want}", loss.value);
            let step = 1e-5;
            let slope = (evaluate(&training, step).0.value - evaluate(&training, -step).0.value) / (2.0 * step);
            let direct: f64 = gradient.iter().enumerate().map(|(index, g)| g * (index as f64 * 0.7).sin()).sum();
            let size = gradient.iter().map(|g| g.abs()).sum::<f64>();
            // Central differences: h² f‴ and ε/h, both near 1e-10 of a loss of order 1.
            assert!((slope - direct).abs() <= 1e-7 * size.max(1.0), "{name}: {slope} {direct}");
            assert!(direct.abs() > 1e-3 * slope.abs() && size > 0.0, "{name}");
        }
    }
}

#[test]
fn blocks_of_lattices_add_up_to_the_batch() {
    let config = small(line(5), "fast");
    for name in config.models.keys() {
        let training = build_field_training::<f64>(&config, name).expect("usable");
        let (whole, gradient) = evaluate(&training, 0.0);
        let objective = &training.plan().objective;
        let input = StepInput { step: 3, batch: 6, parameters: training.parameters() };
        let mut worker = Objective::<f64>::worker(objective, 4);
        let (mut loss, mut sum) = (BatchLoss::default(), vec![0.0; gradient.len()]);
        for block in [0..4, 4..5, 5..6] {
            loss += objective.run(&mut worker, &input, block, Accumulate::Add, &mut sum).expect("finite");
        }
        assert!((loss.value - whole.value).abs() <= 1e-14 * whole.value, "{name}");
        let size = gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        for (sum, whole) in sum.iter().zip(&gradient) {
            assert!((sum - whole).abs() <= 1e-12 * size, "{name}: {sum} {whole}");
        }
    }
}

#[test]
fn a_lattice_without_a_regular_mass_matrix_is_counted_and_not_learned_from() {
    let mut config = small(line(5), "fast");
    config.models.get_mut("lgn").expect("there").kind = FieldModelKind::Lgn { residual_mass: 0.0 };
    let training = build_field_training::<f64>(&config, "lgn").expect("usable");
    let objective = &training.plan().objective;
    // Without weights the density is a constant, and the mass matrix zero.
    let parameters = vec![0.0; training.parameters().len()];
    let input = StepInput { step: 0, batch: 6, parameters: &parameters };
    let mut worker = Objective::<f64>::worker(objective, 6);
    let mut gradient = vec![7.0; parameters.len()];
    let loss = objective.run(&mut worker, &input, 0..6, Accumulate::Replace, &mut gradient).expect("finite data");
    assert!(loss.non_finite > 0 && loss.value.is_nan(), "{loss:?}");
    assert!(gradient.iter().all(|&g| g == 7.0), "left as it was");
}

#[test]
fn accelerations_beyond_the_precision_are_refused_by_site() {
    let mut config = small(line(5), "fast");
    config.states.field_amplitude = 1e39;
    let training = build_field_training::<f32>(&config, "cnn").expect("usable");
    let objective = &training.plan().objective;
    let input = StepInput { step: 0, batch: 6, parameters: training.parameters() };
    let mut worker = Objective::<f32>::worker(objective, 6);
    let mut gradient = vec![0.0; training.parameters().len()];
    let error = objective.run(&mut worker, &input, 0..6, Accumulate::Replace, &mut gradient).expect_err("too large");
    let message = error.to_string();
    assert!(message.contains("not finite in f32") && message.contains("at site"), "{message}");
}

fn advance<O: Objective<f32>>(training: &mut Training<f32, O>, steps: usize) {
    for _ in 0..steps {
        assert!(!training.step().expect("an ordinary step").skipped);
    }
}

#[test]
fn training_has_the_same_bits_on_any_number_of_threads_and_across_a_resumption() {
    let grid = LatticeConfig::Grid { rows: 3, columns: 4, boundary: BoundaryConfig::Periodic };
    for mut config in [small(line(6), "medium"), small(grid, "grid")] {
        for model in config.models.values_mut() {
            // Several blocks and groups of them.
            (model.training.batch, model.training.gradient_parts) = (21, Some(3));
        }
        for name in config.models.keys() {
            let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let make = || build_field_training::<f32>(&config, name).expect("usable");
            let whole = pool(1).install(|| {
                let mut training = make();
                advance(&mut training, 24);
                training.parameters().to_vec()
            });
            let resumed = pool(3).install(|| {
                let mut before = make();
                advance(&mut before, 13);
                let mut training = make();
                let step = before.step_count();
                let state = before.state(0).expect("at hand");
                training.restore(step, &[state]).expect("the same optimiser and clipping");
                advance(&mut training, 11);
                training.parameters().to_vec()
            });
            assert_eq!(whole, resumed, "{name}");
            assert_ne!(whole, make().parameters(), "{name} learned something");
        }
    }
}
