//! Observed states: batches, units and gradients.

use lnn_physics::sampling::Interval;
use lnn_physics::systems::build;

use super::*;
use crate::config::{ModelConfig, ModelKind};
use crate::experiment::build_model;
use crate::fit::Rule;
use crate::trajectory::Trajectories;

const BATCH: usize = 7;
const STEP: u64 = 5;
const SAMPLER: StateSampler = StateSampler::new(1, 0);

fn pendulum() -> Arc<dyn System> {
    build("dblpend", &[].into()).expect("a system")
}

/// A small network with parameters, of second order or not.
fn model(kind: ModelKind) -> (Model, Vec<f64>) {
    let config = ModelConfig { kind, hidden: vec![8, 8], ..ModelConfig::default() };
    let model = build_model(&config, 2).expect("a model");
    let parameters = config.initialisation.draw(&model, 3);
    (model, parameters)
}

const FIRST_ORDER: ModelKind = ModelKind::BaselineFirstOrder { velocity_scale: 2.0, output_scale: 5.0 };

/// Loss and gradient of a whole batch.
fn run(objective: &DynamicsObjective, parameters: &[f64], batch: usize) -> (f64, Vec<f64>) {
    let mut worker = Objective::<f64>::worker(objective, BATCH);
    let mut gradient = vec![f64::NAN; parameters.len()];
    let input = StepInput { step: STEP, batch, parameters };
    let loss = objective.run(&mut worker, &input, 0..batch, Accumulate::Replace, &mut gradient).expect("finite data");
    (loss.value, gradient)
}

fn objective(model: &Model, data: Data, loss: Loss) -> DynamicsObjective {
    DynamicsObjective::new(model.clone(), data, SAMPLER, loss)
}

/// `rows` states with their true accelerations.
fn observations(rows: usize) -> Observations {
    let mut all = Observations::default();
    for row in 0..rows {
        let at = |phase: f64| (row as f64 * 1.3 + phase).sin();
        let (q, q_dot, mut q_ddot) = ([3.0 * at(0.1), 2.0 * at(1.0)], [at(2.0), -2.0 * at(3.0)], [0.0; 2]);
        pendulum().acceleration_into(&q, &q_dot, &[], &mut q_ddot);
        all.q.extend(q);
        all.q_dot.extend(q_dot);
        all.q_ddot.extend(q_ddot);
    }
    all
}

#[test]
fn an_observed_state_is_learned_as_a_fresh_one() {
    let ranges = vec![Distribution::Uniform(Interval::constant(-2.0, 3.0)); 4];
    let mut state = [0.0; 4];
    SAMPLER.fill(STEP, &ranges, &mut state);
    let mut q_ddot = vec![0.0; 2];
    pendulum().acceleration_into(&state[..2], &state[2..], &[], &mut q_ddot);
    for kind in [ModelKind::default(), FIRST_ORDER] {
        let (model, parameters) = model(kind);
        let observed = Observations {
            q: state[..2].to_vec(),
            q_dot: state[2..].to_vec(),
            conditionals: Vec::new(),
            q_ddot: q_ddot.clone(),
        };
        let (system, ranges) = (pendulum(), ranges.clone());
        let fresh = FreshStates { system, ranges, tail: None, curriculum: None, weight: LossWeight::Uniform };
        let of = |data: Data| run(&objective(&model, data, Loss::default()), &parameters, 1);
        assert_eq!(of(Data::Observations(Arc::new(observed))), of(Data::States(fresh)), "{kind:?}");
    }
}

/// Each step draws every row about as often as the others, and another batch than the last.
#[test]
fn batches_are_drawn_from_all_rows() {
    let (model, parameters) = model(ModelKind::default());
    let count = 5;
    let objective = objective(&model, Data::Observations(Arc::new(observations(count))), Loss::L2);
    let alone: Vec<f64> = (0..count)
        .map(|row| {
            let all = observations(count);
            let pick = |values: &[f64]| values[2 * row..2 * row + 2].to_vec();
            let one = Observations { q: pick(&all.q), q_dot: pick(&all.q_dot), q_ddot: pick(&all.q_ddot), ..all };
            let one = DynamicsObjective { data: Data::Observations(Arc::new(one)), ..objective.clone() };
            run(&one, &parameters, BATCH).0
        })
        .collect();
    let mut worker = Objective::<f64>::worker(&objective, 1);
    let mut gradient = vec![0.0; parameters.len()];
    let mut drawn = vec![0; count];
    for step in 0..1000 {
        let input = StepInput { step, batch: 1, parameters: &parameters };
        let loss = objective.run(&mut worker, &input, 0..1, Accumulate::Replace, &mut gradient).expect("finite data");
        // A sum of one term a component, in the block's order.
        let row = alone.iter().position(|&value| (value - loss.value).abs() <= 64.0 * f64::EPSILON * value);
        drawn[row.expect("one of the rows")] += 1;
    }
    // χ² of 5 equal cells has mean 4 and is above 24 once in ten thousand; the draw is always this one.
    let chi_squared: f64 = drawn.iter().map(|&n| (f64::from(n) - 200.0).powi(2) / 200.0).sum();
    assert!(chi_squared < 24.0, "{drawn:?}");
}

#[test]
fn units_divide_the_errors_of_each_component() {
    let big = 2.0_f64.powi(200);
    let units = |velocity: [f64; 2], acceleration: [f64; 2]| ResidualUnits {
        velocity: velocity.to_vec(),
        acceleration: acceleration.to_vec(),
    };
    for kind in [ModelKind::default(), FIRST_ORDER] {
        let (model, parameters) = model(kind);
        let objective = objective(&model, Data::Observations(Arc::new(observations(9))), Loss::L2);
        let of = |units: ResidualUnits| run(&objective.clone().in_units(units), &parameters, BATCH);
        let plain = run(&objective, &parameters, BATCH);
        assert_eq!(of(units([1.0; 2], [1.0; 2])), plain);
        // Squares of halves are quarters, exactly.
        let (loss, gradient) = of(units([2.0; 2], [2.0; 2]));
        assert_eq!((4.0 * loss, gradient.iter().map(|x| 4.0 * x).collect()), plain);
        // A component in a unit beyond all errors is left out: the others add up to what they are together.
        let alone = [
            units([1.0, big], [big; 2]),
            units([big, 4.0], [big; 2]),
            units([big; 2], [2.0, big]),
            units([big; 2], [big, 8.0]),
        ];
        let alone = alone.map(of);
        let (loss, gradient) = of(units([1.0, 4.0], [2.0, 8.0]));
        let sum: f64 = alone.iter().map(|(loss, _)| loss).sum();
        assert!((loss - sum).abs() <= 64.0 * f64::EPSILON * sum, "{kind:?}: {loss} {sum}");
        let shares = alone[1].0 + alone[2].0;
        assert!(shares > 0.0 && (kind != FIRST_ORDER || alone[0].0 > 0.0), "{kind:?}: every component counts");
        for (k, total) in gradient.iter().enumerate() {
            let parts = alone.iter().map(|(_, gradient)| gradient[k]);
            let (sum, size) = parts.fold((0.0, 0.0), |(sum, size), part| (sum + part, size + part.abs()));
            // Products of some tens of terms a layer, over seven rows.
            let scale = size + gradient.iter().map(|x| x.abs()).fold(0.0, f64::max);
            assert!((total - sum).abs() <= 1e3 * f64::EPSILON * scale, "{kind:?}, {k}: {total} {sum}");
        }
    }
}

#[test]
fn units_divide_the_errors_of_segments() {
    let mut trajectories = Trajectories::new(2, 0).expect("two coordinates");
    let states: Vec<f64> = (0..24).map(|k| (f64::from(k) * 0.7).sin()).collect();
    trajectories.push(&[0.0, 0.1, 0.2, 0.35, 0.5, 0.6], &states, &[]).expect("usable");
    let motions = |warm_start_steps| ObservedMotions {
        segments: Segments::new(Arc::new(trajectories.clone()), 3, 2).expect("they fit"),
        warm_start_steps,
        rule: Rule::Trapezium,
    };
    for kind in [ModelKind::default(), FIRST_ORDER] {
        for warm_start_steps in [0, 100] {
            let (model, parameters) = model(kind);
            let objective = objective(&model, Data::Motions(motions(warm_start_steps)), Loss::L2);
            let plain = run(&objective, &parameters, BATCH);
            let of = |unit: f64| {
                let units = ResidualUnits { velocity: vec![unit; 2], acceleration: vec![unit; 2] };
                run(&objective.clone().in_units(units), &parameters, BATCH)
            };
            assert_eq!(of(1.0), plain);
            // What bounds the loss of a segment is in these units too.
            let (loss, gradient) = of(2.0);
            assert_eq!((4.0 * loss, gradient.iter().map(|x| 4.0 * x).collect()), plain, "{kind:?} {warm_start_steps}");
            let one = ResidualUnits { velocity: vec![1.0; 2], acceleration: vec![1.0, 3.0] };
            assert_ne!(run(&objective.clone().in_units(one), &parameters, BATCH), plain);
        }
    }
}
