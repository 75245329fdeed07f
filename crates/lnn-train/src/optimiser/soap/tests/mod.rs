//! SOAP against Adam and against itself; `published` holds the paper's algorithm.

mod published;

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::orthonormal::orthogonality_defect;
use super::*;
use crate::optimiser::{Adam, AdamSettings, Schedule};

fn layout(shapes: &[(usize, usize)]) -> Vec<ParameterBlock> {
    let mut offset = 0;
    shapes
        .iter()
        .map(|&(rows, columns)| {
            let block = ParameterBlock { offset, rows, columns };
            offset += block.len();
            block
        })
        .collect()
}

fn random<T: Real>(rng: &mut ChaCha8Rng, count: usize) -> Vec<T> {
    (0..count).map(|_| T::from_f64(rng.random_range(-1.0..1.0))).collect()
}

/// `a · b` for row-major `[m, k]` and `[k, n]`.
fn product(a: &[f64], b: &[f64], m: usize, k: usize, n: usize) -> Vec<f64> {
    (0..m * n).map(|at| (0..k).map(|l| a[at / n * k + l] * b[l * n + at % n]).sum()).collect()
}

fn transposed(a: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    (0..rows * columns).map(|at| a[at % rows * columns + at / rows]).collect()
}

#[test]
fn equals_adam_where_the_bases_are_the_identity() {
    let shapes = [(6, 3), (6, 1), (1, 4), (4, 4)];
    let blocks = layout(&shapes);
    let count = parameter_count(&blocks).unwrap();
    let settings = SoapSettings { refresh_every: u64::MAX, ..SoapSettings::default() };
    let mut soap = Soap::<f64>::new(settings, &blocks).unwrap();
    let adam_settings = AdamSettings { beta1: 0.95, beta2: 0.95, ..AdamSettings::default() };
    let mut adam = Adam::<f64>::new(adam_settings, count).unwrap();
    let state: Vec<_> = soap
        .state()
        .into_iter()
        .map(|(name, tensor)| {
            let tensor = if name.ends_with("basis") {
                let n = tensor.len().isqrt();
                StateTensor::Values((0..n * n).map(|at| f64::from(u8::from(at / n == at % n))).collect())
            } else if name == STEPS {
                StateTensor::words(vec![0, 1])
            } else {
                StateTensor::Values(vec![0.0; tensor.len()].into())
            };
            (name, tensor)
        })
        .collect();
    soap.load_state(&state).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut w: Vec<f64> = random(&mut rng, count);
    let mut expected = w.clone();
    for _ in 0..50 {
        let gradient: Vec<f64> = random(&mut rng, count);
        soap.step(&mut w, &gradient, 0.02).unwrap();
        adam.step(&mut expected, &gradient, 0.02).unwrap();
    }
    // One rounding of difference a step (a fused multiply-add) on parameters below 2.
    for (given, expected) in w.iter().zip(&expected) {
        assert!((given - expected).abs() <= 50.0 * 2.0 * f64::EPSILON, "{given} {expected}");
    }
}

/// ½‖A (W − W*) B‖², diagonal A and B with entries from 1 down to 1/condition, and its gradient.
fn quadratic(w: &[f64], target: &[f64], m: usize, n: usize, condition: f64) -> (f64, Vec<f64>) {
    let weight = |i: usize, count: usize| condition.powf(-(i as f64) / (count - 1) as f64);
    let mut loss = 0.0;
    let gradient = (0..m * n)
        .map(|at| {
            let scale = weight(at / n, m) * weight(at % n, n);
            let error = w[at] - target[at];
            loss += 0.5 * (scale * error).powi(2);
            scale * scale * error
        })
        .collect();
    (loss, gradient)
}

/// A reflection I − 2 v vᵀ / vᵀv, its own inverse, row-major.
fn reflection(rng: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
    let v: Vec<f64> = random(rng, n);
    let scale = 2.0 / v.iter().map(|x| x * x).sum::<f64>();
    (0..n * n).map(|at| f64::from(u8::from(at / n == at % n)) - scale * v[at / n] * v[at % n]).collect()
}

#[test]
fn a_rotated_problem_gives_the_same_losses() {
    // Square, since the factor of a tall gradient has a null space, whose basis is arbitrary.
    let (m, n) = (5, 5);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (u, v) = (reflection(&mut rng, m), reflection(&mut rng, n));
    let turn = |w: &[f64]| product(&product(&u, w, m, m, n), &v, m, n, n);
    let target: Vec<f64> = random(&mut rng, m * n);
    let mut plain = vec![0.0; m * n];
    let mut turned = vec![0.0; m * n];
    let mut soap = Soap::<f64>::new(SoapSettings::default(), &layout(&[(m, n)])).unwrap();
    let mut twin = Soap::<f64>::new(SoapSettings::default(), &layout(&[(m, n)])).unwrap();
    // The bases come from a gradient of their own: in bases made from the next gradient itself that one
    // would be diagonal, and the round-off beside the diagonal would be divided by its own size.
    let first: Vec<f64> = random(&mut rng, m * n);
    soap.step(&mut plain, &first, 0.0).unwrap();
    twin.step(&mut turned, &turn(&first), 0.0).unwrap();
    let mut adam_plain = vec![0.0; m * n];
    let mut adam_turned = vec![0.0; m * n];
    let mut adam = Adam::<f64>::new(AdamSettings::default(), m * n).unwrap();
    let mut adam_twin = adam.clone();
    let mut adam_differs = 0.0_f64;
    for step in 0..60 {
        let (loss, gradient) = quadratic(&plain, &target, m, n, 5.0);
        let (same, inner) = quadratic(&turn(&turned), &target, m, n, 5.0);
        // Eigenvectors are good to ε over the relative gaps; the error of a step adds to the next.
        let tolerance = 1e4 * f64::EPSILON * (1.0 + step as f64);
        assert!((loss - same).abs() < tolerance, "step {step}: {loss} {same}");
        soap.step(&mut plain, &gradient, 0.02).unwrap();
        twin.step(&mut turned, &turn(&inner), 0.02).unwrap();

        let (loss, gradient) = quadratic(&adam_plain, &target, m, n, 5.0);
        let (same, inner) = quadratic(&turn(&adam_turned), &target, m, n, 5.0);
        adam_differs = adam_differs.max((loss - same).abs());
        adam.step(&mut adam_plain, &gradient, 0.02).unwrap();
        adam_twin.step(&mut adam_turned, &turn(&inner), 0.02).unwrap();
    }
    assert!(adam_differs > 1e-3, "the comparison must tell Adam from SOAP: {adam_differs}");
}

#[test]
fn beats_adam_on_a_rotated_ill_conditioned_quadratic() {
    let (m, n, steps) = (8, 6, 400);
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (u, v) = (reflection(&mut rng, m), reflection(&mut rng, n));
    let turn = |w: &[f64]| product(&product(&u, w, m, m, n), &v, m, n, n);
    let target: Vec<f64> = random(&mut rng, m * n);
    let run = |optimiser: &mut dyn Optimiser<f64>, peak: f64| {
        let schedule = Schedule::WarmupCosine { peak, warmup_steps: 10, total_steps: steps, final_fraction: 0.0 };
        let mut w = vec![0.0; m * n];
        for step in 0..steps {
            let (_, gradient) = quadratic(&turn(&w), &target, m, n, 100.0);
            optimiser.step(&mut w, &turn(&gradient), schedule.learning_rate(step)).unwrap();
        }
        quadratic(&turn(&w), &target, m, n, 100.0).0
    };
    let rates = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1];
    let best = |losses: [f64; 5]| losses.into_iter().fold(f64::INFINITY, f64::min);
    let soap = best(rates.map(|rate| run(&mut Soap::new(SoapSettings::default(), &layout(&[(m, n)])).unwrap(), rate)));
    let adam = best(rates.map(|rate| run(&mut Adam::new(AdamSettings::default(), m * n).unwrap(), rate)));
    assert!(soap < 1e-3 * adam, "SOAP {soap:e}, Adam {adam:e}, each at its best rate");
}

/// Every basis of the state, with its dimension.
fn bases<T: Real>(soap: &Soap<T>) -> impl Iterator<Item = (&Vec<T>, usize)> {
    soap.states
        .iter()
        .filter_map(|state| match state {
            Block::Matrix(matrix) => Some(matrix.tensors()),
            Block::Vector { .. } => None,
        })
        .flatten()
        .filter(|(name, _)| name.ends_with("basis"))
        .map(|(_, basis)| (basis, basis.len().isqrt()))
}

fn bases_stay_orthogonal<T: Real>() {
    let blocks = layout(&[(64, 6), (64, 1), (33, 40), (1, 64)]);
    let count = parameter_count(&blocks).unwrap();
    let settings = SoapSettings { refresh_every: 1, ..SoapSettings::default() };
    let mut soap = Soap::<T>::new(settings, &blocks).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut w: Vec<T> = random(&mut rng, count);
    for step in 0..200 {
        // Rank-one gradients over twelve orders of magnitude, with rows that vanish for good half-way.
        let scale = 10f64.powi(step % 13 - 8);
        let rows: Vec<f64> = random(&mut rng, count);
        let columns: Vec<f64> = random(&mut rng, count);
        let gradient: Vec<T> = blocks
            .iter()
            .flat_map(|block| (0..block.len()).map(move |at| (block.offset, at / block.columns, at % block.columns)))
            .map(|(offset, row, column)| {
                let dead = step > 100 && row % 3 == 2;
                T::from_f64(if dead { 0.0 } else { scale * rows[offset + row] * columns[offset + column] })
            })
            .collect();
        soap.step(&mut w, &gradient, 1e-3).unwrap();
    }
    assert!(w.iter().all(|entry| entry.is_finite()));
    let mut seen = 0;
    for (basis, n) in bases(&soap) {
        let bound = 4.0 * n as f64 * T::EPSILON.to_f64();
        let defect = orthogonality_defect(basis, n);
        assert!(defect <= bound, "{n}: {defect:e} > {bound:e}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn bases_stay_orthogonal_in_both_precisions() {
    bases_stay_orthogonal::<f32>();
    bases_stay_orthogonal::<f64>();
}

/// Steps a fresh optimiser from the state of another and demands the same bits.
fn continues<T: Real>(shapes: &[(usize, usize)], seed: u64) {
    let blocks = layout(shapes);
    let count = parameter_count(&blocks).unwrap();
    let settings = SoapSettings { refresh_every: 3, ..SoapSettings::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut soap = Soap::<T>::new(settings, &blocks).unwrap();
    let mut w: Vec<T> = random(&mut rng, count);
    for _ in 0..9 {
        let mut resumed = Soap::<T>::new(settings, &blocks).unwrap();
        resumed.load_state(&soap.state()).unwrap();
        assert_eq!(resumed.state(), soap.state());
        let mut twin = w.clone();
        let gradient: Vec<T> = random(&mut rng, count);
        soap.step(&mut w, &gradient, 0.1).unwrap();
        resumed.step(&mut twin, &gradient, 0.1).unwrap();
        assert_eq!(twin, w);
        assert_eq!(resumed.state(), soap.state());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn continues_bit_for_bit_from_an_exported_state(
        shapes in prop::collection::vec((1usize..=40, 1usize..=40), 1..4), seed in any::<u64>(),
    ) {
        continues::<f32>(&shapes, seed);
        continues::<f64>(&shapes, seed);
    }
}

#[test]
fn a_state_of_another_network_or_optimiser_is_refused_and_changes_nothing() {
    let mut soap = Soap::<f32>::new(SoapSettings::default(), &layout(&[(3, 2), (3, 1)])).unwrap();
    let message = |soap: &mut Soap<f32>, state: &[(String, StateTensor<'_, f32>)]| {
        soap.load_state(state).unwrap_err().to_string()
    };
    let wider = Soap::<f32>::new(SoapSettings::default(), &layout(&[(4, 2), (4, 1)])).unwrap();
    assert!(message(&mut soap, &wider.state()).contains("`soap.block0.first_moment` has 8 entries, expected 6"));
    let deeper = Soap::<f32>::new(SoapSettings::default(), &layout(&[(3, 2), (3, 1), (3, 1)])).unwrap();
    assert!(message(&mut soap, &deeper.state()).contains("unknown tensor `soap.block2.first_moment`"));
    let adam = Adam::<f32>::new(AdamSettings::default(), 9).unwrap();
    assert!(message(&mut soap, &adam.state()).contains("lacks the tensor `soap.steps`"));

    let mut w = vec![0.0; 9];
    let mut source = Soap::<f32>::new(SoapSettings::default(), &layout(&[(3, 2), (3, 1)])).unwrap();
    for _ in 0..2 {
        source.step(&mut w, &[0.5; 9], 0.1).unwrap();
    }
    let mut state = source.state();
    let last = state.len() - 1;
    state[last].1 = StateTensor::Values(vec![0.0, 0.0, f32::NAN].into());
    assert!(message(&mut soap, &state).contains("impossible value at index 2"));
    state[last].1 = StateTensor::words(vec![1, 2, 3]);
    assert!(message(&mut soap, &state).contains("holds integers, expected numbers"));
    let fresh = Soap::<f32>::new(SoapSettings::default(), &layout(&[(3, 2), (3, 1)])).unwrap();
    assert_eq!(soap.state(), fresh.state());
}

#[test]
fn a_gradient_that_overflows_is_refused_and_changes_nothing() {
    let mut soap = Soap::<f32>::new(SoapSettings::default(), &layout(&[(2, 2)])).unwrap();
    let mut w = vec![1.0; 4];
    soap.step(&mut w, &[0.1, 0.2, 0.3, 0.4], 0.1).unwrap();
    let fresh = soap.state().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    for bad in [f32::NAN, 1e20] {
        let error = soap.step(&mut w, &[0.1, bad, 0.0, 0.0], 0.1).unwrap_err();
        assert!(matches!(error, OptimiserError::GradientOverflow { .. }), "{error}");
        assert_eq!((soap.steps(), w.as_slice()), (0, [1.0; 4].as_slice()));
    }
    assert_eq!(fresh.len(), 7);
}
