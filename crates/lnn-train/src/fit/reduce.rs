//! The passes over all parameters between gradient and optimiser, shared out over threads.
//!
//! A pass is a tree that halves its range down to leaves of a fixed size. The tree depends on the number of
//! parameters alone, so sums have the same bits for any number of threads.

use lnn_autodiff::{Real, vectorised};

use crate::optimiser::squared_norm;

/// Parameters a leaf: its arrays fit into the first-level cache.
const LEAF: usize = 1 << 12;
/// Parameters below which a second thread costs more than it saves.
const PARALLEL: usize = 1 << 16;

/// What [`reduce`] sums up over all parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Norms {
    /// ‖g‖² of the whole gradient, penalty included.
    pub(super) gradient: f64,
    /// ‖θ‖² if there is a penalty, else 0.
    pub(super) parameters: f64,
}

impl std::ops::Add for Norms {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { gradient: self.gradient + other.gradient, parameters: self.parameters + other.parameters }
    }
}

/// The arrays of [`reduce`], all as long as the parameters.
pub(super) struct Reduction<'a, T> {
    /// The first part; becomes scale · Σ parts + 2cθ. The other parts are added in their order.
    pub(super) gradient: &'a mut [T],
    /// Becomes θ.
    pub(super) previous: &'a mut [T],
    /// θ.
    pub(super) parameters: &'a [T],
}

/// Adds the other partial gradients to the first, multiplies the sum by `scale` unless that is 1, adds the gradient of the penalty c‖θ‖²,
/// and keeps a copy of the parameters.
pub(super) fn reduce<T: Real, P: AsRef<[T]> + Sync>(
    arrays: Reduction<'_, T>,
    others: &[P],
    scale: f64,
    penalty: f64,
) -> Norms {
    reduce_range(arrays, others, 0, (scale, penalty))
}

fn reduce_range<T: Real, P: AsRef<[T]> + Sync>(
    arrays: Reduction<'_, T>,
    others: &[P],
    start: usize,
    factors: (f64, f64),
) -> Norms {
    let length = arrays.parameters.len();
    let Some(middle) = middle(length) else {
        return reduce_leaf(arrays, others, start, factors);
    };
    let (left_gradient, right_gradient) = arrays.gradient.split_at_mut(middle);
    let (left_previous, right_previous) = arrays.previous.split_at_mut(middle);
    let (left_parameters, right_parameters) = arrays.parameters.split_at(middle);
    let left = Reduction { gradient: left_gradient, previous: left_previous, parameters: left_parameters };
    let right = Reduction { gradient: right_gradient, previous: right_previous, parameters: right_parameters };
    let (left, right) = both(
        length,
        || reduce_range(left, others, start, factors),
        || reduce_range(right, others, start + middle, factors),
    );
    left + right
}

fn reduce_leaf<T: Real, P: AsRef<[T]>>(
    arrays: Reduction<'_, T>,
    others: &[P],
    start: usize,
    (scale, penalty): (f64, f64),
) -> Norms {
    let Reduction { gradient, previous, parameters } = arrays;
    let range = start..start + gradient.len();
    for other in others {
        add_scaled(gradient, T::ONE, &other.as_ref()[range.clone()]);
    }
    if scale != 1.0 {
        let scale = T::from_f64(scale);
        for component in &mut *gradient {
            *component *= scale;
        }
    }
    previous.copy_from_slice(parameters);
    let mut norms = Norms::default();
    if penalty != 0.0 {
        add_scaled(gradient, T::from_f64(2.0 * penalty), parameters);
        norms.parameters = squared_norm(parameters);
    }
    norms.gradient = squared_norm(gradient);
    norms
}

/// `y += a x`.
fn add_scaled<T: Real>(y: &mut [T], a: T, x: &[T]) {
    vectorised(
        (y, a, x),
        #[inline(always)]
        |(y, a, x)| {
            for (y, &x) in y.iter_mut().zip(x) {
                *y += a * x;
            }
        },
    );
}

/// Whether every number is finite.
pub(super) fn all_finite<T: Real>(values: &[T]) -> bool {
    let Some(middle) = middle(values.len()) else {
        return vectorised(
            values,
            #[inline(always)]
            |values| {
                // No early exit: it would keep the loop from being vectorised.
                values.iter().fold(true, |finite, value| finite & value.is_finite())
            },
        );
    };
    let (left, right) = values.split_at(middle);
    let (left, right) = both(values.len(), || all_finite(left), || all_finite(right));
    left & right
}

/// Where a range is halved, on a whole number of leaves; `None` for a leaf.
fn middle(length: usize) -> Option<usize> {
    (length > LEAF).then(|| (length / 2).next_multiple_of(LEAF))
}

fn both<A: Send, B: Send>(length: usize, left: impl FnOnce() -> A + Send, right: impl FnOnce() -> B + Send) -> (A, B) {
    if length >= PARALLEL { rayon::join(left, right) } else { (left(), right()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_penalty_and_copy_are_those_of_a_plain_loop_at_any_length() {
        for length in [1, 7, LEAF, LEAF + 1, 3 * LEAF - 5, PARALLEL + LEAF + 3] {
            let wave = |shift: f64| (0..length).map(|i| (i as f64 * 0.37 + shift).sin()).collect::<Vec<f64>>();
            let (parameters, parts) = (wave(0.1), [wave(1.0), wave(2.0), wave(3.0)]);
            for (scale, penalty, parts) in
                [(1.0, 0.0, &parts[..1]), (1.0, 0.0, &parts[..]), (1.0, 0.3, &parts[..]), (0.7, 0.3, &parts[..])]
            {
                let (mut gradient, mut previous) = (parts[0].clone(), vec![f64::NAN; length]);
                let arrays = Reduction { gradient: &mut gradient, previous: &mut previous, parameters: &parameters };
                let norms = reduce(arrays, &parts[1..], scale, penalty);
                let want: Vec<f64> = (0..length)
                    .map(|i| {
                        let sum = scale * parts.iter().skip(1).fold(parts[0][i], |sum, part| sum + part[i]);
                        if penalty == 0.0 { sum } else { sum + 2.0 * penalty * parameters[i] }
                    })
                    .collect();
                assert_eq!((&gradient, &previous), (&want, &parameters));
                let square = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>();
                let close = |got: f64, want: f64| (got - want).abs() <= length as f64 * f64::EPSILON * want;
                assert!(close(norms.gradient, square(&want)));
                let kept = if penalty == 0.0 { 0.0 } else { square(&parameters) };
                assert!(close(norms.parameters, kept));
            }
        }
    }

    #[test]
    fn one_bad_number_anywhere_is_found() {
        for length in [1, LEAF + 1, PARALLEL + 5] {
            let mut values = vec![1.0_f32; length];
            assert!(all_finite(&values));
            for place in [0, length / 2, length - 1] {
                for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    values[place] = bad;
                    assert!(!all_finite(&values), "{bad} at {place} of {length}");
                    values[place] = 1.0;
                }
            }
        }
    }

    #[test]
    fn norms_do_not_depend_on_the_number_of_threads() {
        let values: Vec<f32> = (0..3 * PARALLEL + 17).map(|i| (i as f32 * 0.01).sin()).collect();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| {
                let (mut gradient, mut previous) = (values.clone(), vec![0.0; values.len()]);
                let arrays = Reduction { gradient: &mut gradient, previous: &mut previous, parameters: &values };
                reduce(arrays, &[&values], 0.5, 1e-3)
            })
        };
        let one = run(1);
        assert!(one.gradient > 0.0 && one.parameters > 0.0);
        assert_eq!([run(2), run(4)], [one, one]);
    }
}
