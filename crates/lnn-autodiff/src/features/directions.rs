//! Directions in state space as the features see them, and cotangents on the way back.

use super::{Feature, FeatureMap};
use crate::Real;

impl FeatureMap {
    /// The tangent of the features along (v, 0): `out[r, k] = ∂x_k/∂q · v`, from the slopes of
    /// [`evaluate`](Self::evaluate); `v` is `[rows, d]`.
    pub fn position_tangent<T: Real>(&self, slope: &[T], v: &[T], out: &mut [T]) {
        self.tangent_of(slope, out, |row, feature| {
            feature.coordinate().map(|index| v[row * self.degrees_of_freedom + index])
        });
    }

    /// The tangent of the features along (v, w), a position and a velocity part `[rows, d]` each.
    pub fn tangent<T: Real>(&self, slope: &[T], v: &[T], w: &[T], out: &mut [T]) {
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
    pub fn pull_back<T: Real>(&self, slope: &[T], x_bar: &[T], q_bar: &mut [T], q_dot_bar: &mut [T]) {
        q_bar.fill(T::ZERO);
        q_dot_bar.fill(T::ZERO);
        self.add_pull_back(slope, x_bar, q_bar, q_dot_bar);
    }

    /// As [`pull_back`](Self::pull_back), added to what is there.
    pub fn add_pull_back<T: Real>(&self, slope: &[T], x_bar: &[T], q_bar: &mut [T], q_dot_bar: &mut [T]) {
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
    pub fn add_curvature_pull_back<T: Real>(&self, x: &[T], tangent_bar: &[T], v: &[T], q_bar: &mut [T]) {
        let (d, n) = (self.degrees_of_freedom, self.features.len());
        for (row, (x, bar)) in x.chunks_exact(n).zip(tangent_bar.chunks_exact(n)).enumerate() {
            for (k, feature) in self.features.iter().enumerate() {
                if let Feature::Sine { index } | Feature::Cosine { index } = *feature {
                    q_bar[row * d + index] -= bar[k] * x[k] * v[row * d + index];
                }
            }
        }
    }

    /// Adds the cotangent of the v of a [`position_tangent`](Self::position_tangent): `v_bar += (∂x/∂q)ᵀ t̄`.
    pub fn add_position_pull_back<T: Real>(&self, slope: &[T], tangent_bar: &[T], v_bar: &mut [T]) {
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
