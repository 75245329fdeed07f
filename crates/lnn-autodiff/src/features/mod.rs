//! Input features of a learned Lagrangian, with the derivatives that the jet engine needs.
//!
//! A feature is a function of one coordinate, one velocity or one conditional, so a row of features
//! has a diagonal-like Jacobian that is stored as one slope a feature. Velocities enter linearly;
//! therefore D_u D_w x vanishes whenever u has no position part, which holds for every direction that
//! the Euler–Lagrange equation and its adjoint use.

mod directions;

use crate::Real;
use crate::jet::JetInputs;

/// One network input as a function of the state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Feature {
    /// `(q_index − centre) / scale`.
    Position {
        /// Coordinate.
        index: usize,
        /// Divisor, in the coordinate's unit.
        scale: f64,
        /// What is taken off first, in the coordinate's unit.
        centre: f64,
    },
    /// `wrap(q_index) / scale` with the angle wrapped to [−π, π).
    WrappedAngle {
        /// Coordinate, in radians.
        index: usize,
        /// Divisor, in radians.
        scale: f64,
    },
    /// `sin q_index`.
    Sine {
        /// Coordinate, in radians.
        index: usize,
    },
    /// `cos q_index`.
    Cosine {
        /// Coordinate, in radians.
        index: usize,
    },
    /// `q̇_index / scale`.
    Velocity {
        /// Coordinate.
        index: usize,
        /// Divisor, in the velocity's unit.
        scale: f64,
    },
    /// `(c_index − centre) / scale`: an input that is neither coordinate nor velocity.
    Conditional {
        /// Conditional.
        index: usize,
        /// Divisor, in the conditional's unit.
        scale: f64,
        /// What is taken off first, in the conditional's unit.
        centre: f64,
    },
}

/// What is wrong with a list of features.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FeatureError {
    /// No feature at all.
    #[error("a network needs at least one input feature, none were given")]
    Empty,
    /// An index beyond the state.
    #[error("feature {feature} names {kind} {index}, but the system has {available}")]
    Index {
        /// Position in the list.
        feature: usize,
        /// `coordinate` or `conditional`.
        kind: &'static str,
        /// The index given.
        index: usize,
        /// How many there are.
        available: usize,
    },
    /// A scale that cannot divide.
    #[error("feature {feature} has the scale {scale}; expected a finite number above 0")]
    Scale {
        /// Position in the list.
        feature: usize,
        /// The scale given.
        scale: f64,
    },
    /// A centre that cannot be taken off.
    #[error("feature {feature} has the centre {centre}; expected a finite number")]
    Centre {
        /// Position in the list.
        feature: usize,
        /// The centre given.
        centre: f64,
    },
}

/// The map from states to network inputs.
///
/// ```
/// use lnn_autodiff::features::{Feature, FeatureMap};
/// let map = FeatureMap::new(1, 0, vec![
///     Feature::Sine { index: 0 },
///     Feature::Cosine { index: 0 },
///     Feature::Velocity { index: 0, scale: 5.0 },
/// ])?;
/// let (mut x, mut slope) = ([0.0; 3], [0.0; 3]);
/// map.evaluate(&[0.0], &[10.0], &[], &mut x, &mut slope);
/// assert_eq!((x, slope), ([0.0, 1.0, 2.0], [1.0, 0.0, 0.2]));
/// # Ok::<(), lnn_autodiff::features::FeatureError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMap {
    degrees_of_freedom: usize,
    conditionals: usize,
    features: Vec<Feature>,
    /// For a sine or cosine, an earlier cosine or sine of the same angle: one evaluation gives both.
    partners: Vec<Option<usize>>,
}

impl FeatureMap {
    /// A map for states with `degrees_of_freedom` coordinates and `conditionals` further inputs.
    ///
    /// # Errors
    /// An empty list, an index beyond the state, a scale that is not finite and positive, or a centre that is not finite.
    pub fn new(degrees_of_freedom: usize, conditionals: usize, features: Vec<Feature>) -> Result<Self, FeatureError> {
        if features.is_empty() {
            return Err(FeatureError::Empty);
        }
        for (position, feature) in features.iter().enumerate() {
            let (kind, index, available, scale, centre) = match *feature {
                Feature::Position { index, scale, centre } => ("coordinate", index, degrees_of_freedom, scale, centre),
                Feature::WrappedAngle { index, scale } | Feature::Velocity { index, scale } => {
                    ("coordinate", index, degrees_of_freedom, scale, 0.0)
                }
                Feature::Sine { index } | Feature::Cosine { index } => {
                    ("coordinate", index, degrees_of_freedom, 1.0, 0.0)
                }
                Feature::Conditional { index, scale, centre } => ("conditional", index, conditionals, scale, centre),
            };
            if index >= available {
                return Err(FeatureError::Index { feature: position, kind, index, available });
            }
            if !(scale.is_finite() && scale > 0.0) {
                return Err(FeatureError::Scale { feature: position, scale });
            }
            if !centre.is_finite() {
                return Err(FeatureError::Centre { feature: position, centre });
            }
        }
        let partners = (0..features.len()).map(|k| partner(&features[..k], features[k])).collect();
        Ok(Self { degrees_of_freedom, conditionals, features, partners })
    }

    /// Number of features: the network's input width.
    pub fn len(&self) -> usize {
        self.features.len()
    }
    /// Whether there is no feature; never true of a map that was constructed.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }
    /// Number of coordinates d.
    pub fn degrees_of_freedom(&self) -> usize {
        self.degrees_of_freedom
    }
    /// Number of conditionals.
    pub fn conditionals(&self) -> usize {
        self.conditionals
    }
    /// The features in input order.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Features x and slopes ∂x/∂(own variable) of `rows` states, all row-major:
    /// `q`, `q_dot` `[rows, d]`, `conditionals` `[rows, c]`, `x`, `slope` `[rows, features]`.
    ///
    /// # Panics
    /// If a slice is too short for the rows that `x` holds.
    pub fn evaluate<T: Real>(&self, q: &[T], q_dot: &[T], conditionals: &[T], x: &mut [T], slope: &mut [T]) {
        let (d, c, n) = (self.degrees_of_freedom, self.conditionals, self.features.len());
        let rows = x.len() / n;
        for row in 0..rows {
            let x = &mut x[row * n..(row + 1) * n];
            let slope = &mut slope[row * n..(row + 1) * n];
            for (k, (feature, partner)) in self.features.iter().zip(&self.partners).enumerate() {
                (x[k], slope[k]) = match *feature {
                    Feature::Position { index, scale, centre } => {
                        linear(q[row * d + index] - T::from_f64(centre), scale)
                    }
                    Feature::WrappedAngle { index, scale } => linear(wrap(q[row * d + index]), scale),
                    Feature::Sine { index } => match *partner {
                        Some(cosine) => (-slope[cosine], x[cosine]),
                        None => q[row * d + index].sin_cos(),
                    },
                    Feature::Cosine { index } => match *partner {
                        Some(sine) => (slope[sine], -x[sine]),
                        None => {
                            let (sine, cosine) = q[row * d + index].sin_cos();
                            (cosine, -sine)
                        }
                    },
                    Feature::Velocity { index, scale } => linear(q_dot[row * d + index], scale),
                    Feature::Conditional { index, scale, centre } => {
                        linear(conditionals[row * c + index] - T::from_f64(centre), scale)
                    }
                };
            }
        }
    }

    /// Fills a block's network inputs: the features, and their tangents along the d unit velocities
    /// (directions 0..d) and along (q̇, 0) (direction d).
    ///
    /// # Panics
    /// If the block does not have d + 1 directions, or a slice is too short.
    pub fn seed<T: Real>(&self, q: &[T], q_dot: &[T], conditionals: &[T], inputs: JetInputs<'_, T>, slope: &mut [T]) {
        let (d, n) = (self.degrees_of_freedom, self.features.len());
        let channel = inputs.value.len();
        assert_eq!(inputs.tangents.len(), (d + 1) * channel, "d + 1 directions");
        self.evaluate(q, q_dot, conditionals, inputs.value, slope);
        inputs.tangents.fill(T::ZERO);
        for row in 0..channel / n {
            for (k, feature) in self.features.iter().enumerate() {
                let place = row * n + k;
                match *feature {
                    Feature::Velocity { index, .. } => inputs.tangents[index * channel + place] = slope[place],
                    Feature::Position { index, .. }
                    | Feature::WrappedAngle { index, .. }
                    | Feature::Sine { index }
                    | Feature::Cosine { index } => {
                        inputs.tangents[d * channel + place] = slope[place] * q_dot[row * d + index];
                    }
                    Feature::Conditional { .. } => {}
                }
            }
        }
    }

    /// The same map without its velocities, for a network of the configuration alone.
    ///
    /// # Errors
    /// [`FeatureError::Empty`] if nothing is left.
    pub fn without_velocities(&self) -> Result<Self, FeatureError> {
        let kept = self.features.iter().filter(|feature| !matches!(feature, Feature::Velocity { .. }));
        Self::new(self.degrees_of_freedom, self.conditionals, kept.copied().collect())
    }
}

/// The place of a sine among `earlier` if `feature` is the cosine of the same angle, or the reverse.
fn partner(earlier: &[Feature], feature: Feature) -> Option<usize> {
    let wanted = match feature {
        Feature::Sine { index } => Feature::Cosine { index },
        Feature::Cosine { index } => Feature::Sine { index },
        _ => return None,
    };
    earlier.iter().position(|&feature| feature == wanted)
}

impl Feature {
    /// The coordinate a position feature depends on.
    fn coordinate(&self) -> Option<usize> {
        match *self {
            Self::Position { index, .. }
            | Self::WrappedAngle { index, .. }
            | Self::Sine { index }
            | Self::Cosine { index } => Some(index),
            Self::Velocity { .. } | Self::Conditional { .. } => None,
        }
    }
}

/// `(x / scale, 1 / scale)`.
fn linear<T: Real>(x: T, scale: f64) -> (T, T) {
    let slope = T::from_f64(1.0 / scale);
    (x * slope, slope)
}

/// The angle's representative in [−π, π).
fn wrap<T: Real>(angle: T) -> T {
    let turn = std::f64::consts::TAU;
    let angle = angle.to_f64();
    T::from_f64((angle + std::f64::consts::PI).rem_euclid(turn) - std::f64::consts::PI)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> FeatureMap {
        FeatureMap::new(
            2,
            1,
            vec![
                Feature::Sine { index: 0 },
                Feature::Cosine { index: 0 },
                Feature::WrappedAngle { index: 1, scale: 2.0 },
                Feature::Position { index: 1, scale: 3.0, centre: 1.5 },
                Feature::Velocity { index: 1, scale: 5.0 },
                Feature::Velocity { index: 0, scale: 7.0 },
                Feature::Conditional { index: 0, scale: 11.0, centre: -2.0 },
            ],
        )
        .expect("valid features")
    }

    #[test]
    fn tangents_match_finite_differences_of_the_features() {
        let map = map();
        let (q, q_dot, c) = ([0.3, 4.0], [-1.5, 2.5], [0.7]);
        let n = map.len();
        let (mut x, mut tangents, mut slope) = (vec![0.0; n], vec![0.0; 3 * n], vec![0.0; n]);
        map.seed(&q, &q_dot, &c, JetInputs { value: &mut x, tangents: &mut tangents }, &mut slope);
        let h = f64::EPSILON.cbrt();
        let at = |step: f64, direction: usize| {
            let (mut q, mut q_dot) = (q, q_dot);
            if direction < 2 {
                q_dot[direction] += step;
            } else {
                q[0] += step * q_dot[0];
                q[1] += step * q_dot[1];
            }
            let (mut x, mut unused) = (vec![0.0; n], vec![0.0; n]);
            map.evaluate(&q, &q_dot, &c, &mut x, &mut unused);
            x
        };
        for direction in 0..3 {
            let (plus, minus) = (at(h, direction), at(-h, direction));
            for k in 0..n {
                let difference = (plus[k] - minus[k]) / (2.0 * h);
                assert!(
                    (difference - tangents[direction * n + k]).abs() < 10.0 * h * h,
                    "direction {direction} feature {k}"
                );
            }
        }
        let mut along = vec![0.0; n];
        map.position_tangent(&slope, &q_dot, &mut along);
        assert_eq!(along, tangents[2 * n..], "(q̇, 0) is the position tangent along q̇");
    }

    #[test]
    fn what_is_centred_is_small_near_its_centre_and_changes_no_slope() {
        let list = vec![
            Feature::Position { index: 0, scale: 0.5, centre: 1000.0 },
            Feature::Conditional { index: 0, scale: 4.0, centre: -8.0 },
        ];
        let map = FeatureMap::new(1, 1, list).expect("valid features");
        let (mut x, mut slope) = ([0.0_f32; 4], [0.0_f32; 4]);
        map.evaluate(&[1000.0, 1001.0], &[0.0; 2], &[-8.0, 0.0], &mut x, &mut slope);
        assert_eq!((x, slope), ([0.0, 0.0, 2.0, 2.0], [2.0, 0.25, 2.0, 0.25]));
    }

    #[test]
    fn sines_and_cosines_are_those_of_their_angles_in_any_order() {
        let (sine, cosine) = (|index| Feature::Sine { index }, |index| Feature::Cosine { index });
        let list = vec![cosine(0), sine(1), sine(0), cosine(0), cosine(1), sine(1)];
        let map = FeatureMap::new(2, 0, list).expect("valid features");
        let (mut x, mut slope) = ([0.0; 12], [0.0; 12]);
        map.evaluate(&[0.3, -1.2, 2.5, 7.0], &[0.0; 4], &[], &mut x, &mut slope);
        for (row, [a, b]) in [[0.3_f64, -1.2], [2.5, 7.0]].into_iter().enumerate() {
            let (want, want_slope) = (
                [a.cos(), b.sin(), a.sin(), a.cos(), b.cos(), b.sin()],
                [-a.sin(), b.cos(), a.cos(), -a.sin(), -b.sin(), b.cos()],
            );
            assert_eq!((&x[6 * row..6 * row + 6], &slope[6 * row..6 * row + 6]), (&want[..], &want_slope[..]));
        }
    }

    #[test]
    fn pull_back_is_the_transpose_of_the_tangents() {
        let map = map();
        let n = map.len();
        let (q, q_dot, c) = ([0.3, 4.0], [-1.5, 2.5], [0.7]);
        let (mut x, mut slope) = (vec![0.0; n], vec![0.0; n]);
        map.evaluate(&q, &q_dot, &c, &mut x, &mut slope);
        let x_bar: Vec<f64> = (0..n).map(|k| 0.3 * k as f64 - 0.8).collect();
        let v = [0.9, -0.4];
        let mut tangent = vec![0.0; n];
        map.position_tangent(&slope, &v, &mut tangent);
        let (mut q_bar, mut q_dot_bar) = ([0.0; 2], [0.0; 2]);
        map.pull_back(&slope, &x_bar, &mut q_bar, &mut q_dot_bar);
        let forward: f64 = tangent.iter().zip(&x_bar).map(|(a, b)| a * b).sum();
        let backward = v[0] * q_bar[0] + v[1] * q_bar[1];
        assert!((forward - backward).abs() < 8.0 * f64::EPSILON * n as f64);
        assert!((q_dot_bar[0] - x_bar[5] / 7.0).abs() < f64::EPSILON);
        assert!((q_dot_bar[1] - x_bar[4] / 5.0).abs() < f64::EPSILON);
    }

    #[test]
    fn angles_wrap_into_half_open_turn() {
        for (angle, want) in [(0.0, 0.0), (4.0, 4.0 - std::f64::consts::TAU), (-4.0, std::f64::consts::TAU - 4.0)] {
            assert!((wrap(angle) - want).abs() < 4.0 * f64::EPSILON);
        }
        let wrapped = wrap(std::f64::consts::PI);
        assert!((wrapped + std::f64::consts::PI).abs() < 4.0 * f64::EPSILON, "π maps to −π");
    }

    #[test]
    fn bad_lists_are_refused_by_name() {
        assert_eq!(FeatureMap::new(1, 0, vec![]), Err(FeatureError::Empty));
        let beyond = FeatureMap::new(1, 0, vec![Feature::Sine { index: 1 }]);
        assert!(matches!(beyond, Err(FeatureError::Index { index: 1, available: 1, .. })));
        let conditional = FeatureMap::new(1, 0, vec![Feature::Conditional { index: 0, scale: 1.0, centre: 0.0 }]);
        assert!(matches!(conditional, Err(FeatureError::Index { kind: "conditional", .. })));
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let bad = FeatureMap::new(1, 0, vec![Feature::Velocity { index: 0, scale }]);
            assert!(matches!(bad, Err(FeatureError::Scale { .. })), "{scale}");
        }
        for centre in [f64::NAN, f64::INFINITY] {
            for bad in [
                Feature::Position { index: 0, scale: 1.0, centre },
                Feature::Conditional { index: 0, scale: 1.0, centre },
            ] {
                let bad = FeatureMap::new(1, 1, vec![bad]);
                assert!(matches!(bad, Err(FeatureError::Centre { feature: 0, .. })), "{centre}");
            }
        }
    }
}
