//! Directions in state space as the features see them, and cotangents on the way back.

use super::{Feature, FeatureMap};
use crate::Real;

impl FeatureMap {
    /// # Panics
    /// If the lengths of arrays `[rows, features]` and `[rows, d]` are not those of one number of rows.
    fn require_rows(&self, features: [usize; 2], coordinates: [usize; 2]) {
        let (d, n) = (self.degrees_of_freedom, self.features.len());
        let rows = features[0] / n;
        assert_eq!(features, [rows * n; 2], "slopes and what goes with them are rows × features, {n} a row");
        assert_eq!(coordinates, [rows * d; 2], "directions and cotangents are rows × d, d = {d}");
    }

    /// The tangent of the features along (v, 0): `out[r, k] = ∂x_k/∂q · v`, from the slopes of
    /// [`evaluate`](Self::evaluate); `v` is `[rows, d]`.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn position_tangent<T: Real>(&self, slope: &[T], v: &[T], out: &mut [T]) {
        self.require_rows([slope.len(), out.len()], [v.len(); 2]);
        self.tangent_of(slope, out, |row, feature| {
            feature.coordinate().map(|index| v[row * self.degrees_of_freedom + index])
        });
    }

    /// The tangent of the features along (v, w), `out[r, k] = ∂x_k/∂q · v + ∂x_k/∂q̇ · w`; `v`, `w` are `[rows, d]`.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn tangent<T: Real>(&self, slope: &[T], v: &[T], w: &[T], out: &mut [T]) {
        self.require_rows([slope.len(), out.len()], [v.len(), w.len()]);
        let d = self.degrees_of_freedom;
        self.tangent_of(slope, out, |row, feature| match (feature.coordinate(), feature) {
            (Some(index), _) => Some(v[row * d + index]),
            (None, Feature::Velocity { index, .. }) => Some(w[row * d + index]),
            (None, _) => None,
        });
    }

    /// Slopes times what `along` gives for a row's feature, which is nothing where the feature stays as it is.
    fn tangent_of<T: Real>(&self, slope: &[T], out: &mut [T], along: impl Fn(usize, &Feature) -> Option<T>) {
        let n = self.features.len();
        for (row, (out, slope)) in out.chunks_exact_mut(n).zip(slope.chunks_exact(n)).enumerate() {
            for (k, feature) in self.features.iter().enumerate() {
                out[k] = along(row, feature).map_or(T::ZERO, |along| slope[k] * along);
            }
        }
    }

    /// Pulls a cotangent of the features back to coordinates and velocities:
    /// `q_bar = (∂x/∂q)ᵀ x̄`, `q_dot_bar = (∂x/∂q̇)ᵀ x̄`, both `[rows, d]`.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn pull_back<T: Real>(&self, slope: &[T], x_bar: &[T], q_bar: &mut [T], q_dot_bar: &mut [T]) {
        q_bar.fill(T::ZERO);
        q_dot_bar.fill(T::ZERO);
        self.add_pull_back(slope, x_bar, q_bar, q_dot_bar);
    }

    /// As [`pull_back`](Self::pull_back), added to what is there.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn add_pull_back<T: Real>(&self, slope: &[T], x_bar: &[T], q_bar: &mut [T], q_dot_bar: &mut [T]) {
        self.require_rows([slope.len(), x_bar.len()], [q_bar.len(), q_dot_bar.len()]);
        let (d, n) = (self.degrees_of_freedom, self.features.len());
        for (row, (slope, x_bar)) in slope.chunks_exact(n).zip(x_bar.chunks_exact(n)).enumerate() {
            for (k, feature) in self.features.iter().enumerate() {
                let term = slope[k] * x_bar[k];
                match (feature.coordinate(), feature) {
                    (Some(index), _) => q_bar[row * d + index] += term,
                    (None, Feature::Velocity { index, .. }) => q_dot_bar[row * d + index] += term,
                    _ => {}
                }
            }
        }
    }

    /// Adds to `q_bar` what a cotangent of a [`position_tangent`](Self::position_tangent) along v has to say about the
    /// place where it was taken: `q_bar[r, i] += Σ_k t̄_k (∂²x_k/∂q_i²) v_i`, from the features `x` of
    /// [`evaluate`](Self::evaluate). All `[rows, features]` or `[rows, d]`.
    ///
    /// Only sines and cosines are curved.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn add_curvature_pull_back<T: Real>(&self, x: &[T], tangent_bar: &[T], v: &[T], q_bar: &mut [T]) {
        self.require_rows([x.len(), tangent_bar.len()], [v.len(), q_bar.len()]);
        let (d, n) = (self.degrees_of_freedom, self.features.len());
        for (row, (x, bar)) in x.chunks_exact(n).zip(tangent_bar.chunks_exact(n)).enumerate() {
            for (k, feature) in self.features.iter().enumerate() {
                match *feature {
                    Feature::Sine { index } | Feature::Cosine { index } => {
                        q_bar[row * d + index] -= bar[k] * x[k] * v[row * d + index];
                    }
                    Feature::Position { .. }
                    | Feature::WrappedAngle { .. }
                    | Feature::Velocity { .. }
                    | Feature::Conditional { .. } => {}
                }
            }
        }
    }

    /// Adds the cotangent of the v of a [`position_tangent`](Self::position_tangent): `v_bar += (∂x/∂q)ᵀ t̄`.
    ///
    /// # Panics
    /// If a length does not fit.
    pub fn add_position_pull_back<T: Real>(&self, slope: &[T], tangent_bar: &[T], v_bar: &mut [T]) {
        self.require_rows([slope.len(), tangent_bar.len()], [v_bar.len(); 2]);
        let (d, n) = (self.degrees_of_freedom, self.features.len());
        for (row, (slope, bar)) in slope.chunks_exact(n).zip(tangent_bar.chunks_exact(n)).enumerate() {
            for (k, feature) in self.features.iter().enumerate() {
                if let Some(index) = feature.coordinate() {
                    v_bar[row * d + index] += slope[k] * bar[k];
                }
            }
        }
    }
}
