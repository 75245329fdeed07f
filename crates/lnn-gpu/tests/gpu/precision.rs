//! The acceptance of single precision: accelerations to 1e-4 · max(1, cond(H) / 100), gradients to 1e-3.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::pseudoinverse::{SymmetricFactors, Tolerance};
use lnn_autodiff::{Activation, MlpShape};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::forward::accelerate;
use crate::lagrangian_example::{Problem, reference};

pub(crate) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// Of each row of `width` numbers the largest error over the largest number; NaN if there is one.
pub(crate) fn relative_errors(got: &[f32], want: &[f64], width: usize) -> Vec<f64> {
    assert_eq!(got.len(), want.len());
    let of_row = |(got, want): (&[f32], &[f64])| {
        let errors = got.iter().zip(want).map(|(&got, want)| (f64::from(got) - want).abs());
        // `max` would drop a NaN.
        errors.fold(0.0, |worst: f64, error| if error > worst || error.is_nan() { error } else { worst })
            / largest(want)
    };
    got.chunks(width).zip(want.chunks(width)).map(of_row).collect()
}

/// The first row whose accelerations are further off than their mass matrix, of `[rows, d, d]`, allows.
pub(crate) fn within(errors: &[f64], mass_matrix: &[f64]) -> Option<String> {
    let rows = errors.len();
    let d = (mass_matrix.len() / rows).isqrt();
    let mut factors = SymmetricFactors::new(d, rows);
    factors.factor(mass_matrix, Tolerance::for_dimension::<f32>(d));
    let beyond = |(row, &error): (usize, &f64)| {
        let sizes = factors.eigenvalues(row).iter().map(|x| x.abs());
        let most = sizes.clone().fold(0.0, f64::max);
        // Over the eigenvalues that count.
        let least = sizes.filter(|&x| x > 1e-6 * most).fold(f64::INFINITY, f64::min);
        let allowed = 1e-4 * (1e-2 * most / least).max(1.0);
        (error.is_nan() || error > allowed).then(|| format!("row {row}: off by {error:.1e} of {allowed:.1e}"))
    };
    errors.iter().enumerate().find_map(beyond)
}

/// The double pendulum's features, a network of `hidden` layers with weights of unit gain, and states of its protocol.
fn problem(hidden: &[usize], activation: Activation, rows: usize) -> Problem {
    let angles = (0..2).flat_map(|index| [Feature::Sine { index }, Feature::Cosine { index }]);
    let velocities = (0..2).map(|index| Feature::Velocity { index, scale: 5.0 });
    let map = FeatureMap::new(2, 0, angles.chain(velocities).collect()).unwrap();
    let widths = [&[map.len()], hidden, &[1]].concat();
    let shape = MlpShape::new(&widths, activation).unwrap();
    let mut random = ChaCha12Rng::seed_from_u64(5);
    // Uniform in [−1, 1), of variance a third.
    let mut uniform = || f64::from(random.next_u32()) / f64::from(1_u32 << 31) - 1.0;
    let mut parameters = vec![0.0; shape.parameter_count()];
    for layer in shape.layers() {
        let gain = (3.0 / layer.inputs as f64).sqrt();
        parameters[layer.weight.clone()].fill_with(|| (1.5 * gain * uniform()) as f32);
        parameters[layer.bias.clone()].fill_with(|| (0.5 * uniform()) as f32);
    }
    let states = (0..rows).flat_map(|_| [3.0, 3.0, 10.0, 10.0].map(|range| (range * uniform()) as f32)).collect();
    let lambda = (0..2 * rows).map(|_| uniform() as f32).collect();
    Problem { map, shape, parameters, masses: vec![1.0; 2], rows, states, lambda }
}

#[test]
fn accelerations_of_networks_as_they_are_trained_are_within_the_acceptance() {
    for (hidden, rows) in [(&[64, 64, 64][..], 200), (&[600, 600, 600], 40), (&[500, 500, 500, 500], 40)] {
        for activation in [Activation::Softplus, Activation::Tanh] {
            let mut problem = problem(hidden, activation, rows);
            let found = accelerate(&problem);
            let want = reference(&problem, &problem.given());
            let errors = |want: &[f64]| relative_errors(&found.acceleration, want, 2);
            assert_eq!(within(&errors(&want.acceleration), &want.mass_matrix), None, "{hidden:?} {activation:?}");
            // Where one weight is another.
            let place = problem.shape.layers()[1].weight.start;
            problem.parameters[place] += 0.5;
            let other = reference(&problem, &problem.given());
            assert!(within(&errors(&other.acceleration), &other.mass_matrix).is_some(), "{hidden:?} {activation:?}");
        }
    }
}
