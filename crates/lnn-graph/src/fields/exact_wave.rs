//! The motion of the wave equation from any state, by its standing waves.

use super::error::FieldError;
use super::modes::{AxisModes, axes, highest};
use super::wave::Wave;
use super::{Field, assert_length};

const OF: &str = "exact wave";

/// Most sites in one direction: the table of standing waves holds their square.
const MOST_SITES: usize = 4096;

/// The exact motion of a [`Wave`] of one speed c on a line or a grid, from a given state.
///
/// Each standing wave of wave numbers (k_r, k_c) swings on its own with
/// ω = 2c √(sin²(k_r/2) + sin²(k_c/2)): a(t) = a₀ cos ωt + ȧ₀ sin(ωt)/ω; the constant one moves with
/// a₀ + ȧ₀ t. Exact up to rounding for any time, with the lattice's own dispersion. Work and memory are
/// n·(rows + columns): for tests and reports.
///
/// ```
/// use std::sync::Arc;
/// use lnn_graph::fields::{ExactWave, Wave};
/// use lnn_graph::topology::{Boundary, Topology};
///
/// let wave = Wave::new(Arc::new(Topology::line(4, Boundary::Periodic)?), 1.0)?;
/// // The shortest wave, of frequency 2c: after half a period it has changed its sign.
/// let mut exact = ExactWave::new(&wave, &[1.0, -1.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0])?;
/// let mut state = [0.0; 8];
/// exact.state_into(std::f64::consts::FRAC_PI_2, &mut state);
/// for (value, expected) in state.iter().zip([-1.0, 1.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0]) {
///     assert!((value - expected).abs() < 1e-14);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExactWave {
    speed: f64,
    rows: AxisModes,
    columns: AxisModes,
    /// Coefficients of φ at time 0, `[row modes, column modes]`.
    field: Vec<f64>,
    /// Coefficients of φ̇ at time 0, likewise.
    rate: Vec<f64>,
    /// Coefficients at the time asked for.
    at_time: [Vec<f64>; 2],
    /// Half-transformed, `[rows, column modes]`.
    half: Vec<f64>,
}

impl ExactWave {
    /// The motion of `wave` from the state `[φ, φ̇]` at time 0.
    ///
    /// # Errors
    /// [`FieldError`]: a graph, a speed that differs from site to site, more than 4096 sites in one
    /// direction, or a state of another length.
    pub fn new(wave: &Wave, state: &[f64]) -> Result<Self, FieldError> {
        let topology = wave.topology();
        let kind = topology.kind();
        let axes = axes(topology).ok_or(FieldError::WrongTopology {
            of: OF,
            expected: "a line or a grid",
            given: kind.describe(),
        })?;
        let speed = wave.speed().ok_or(FieldError::Inhomogeneous { of: OF })?;
        let sites = axes[0].0.max(axes[1].0);
        if sites > MOST_SITES {
            return Err(FieldError::TooManySites { of: OF, sites, most: MOST_SITES });
        }
        let n = topology.sites();
        if state.len() != 2 * n {
            return Err(FieldError::StateLength { given: state.len(), sites: n, components: 1, expected: 2 * n });
        }
        let [rows, columns] = axes.map(|(sites, boundary)| AxisModes::new(sites, boundary, highest(sites, boundary)));
        let mut half = vec![0.0; n];
        let field = coefficients(&rows, &columns, &state[..n], &mut half);
        let rate = coefficients(&rows, &columns, &state[n..], &mut half);
        Ok(Self { speed, rows, columns, field, rate, at_time: [vec![0.0; n], vec![0.0; n]], half })
    }

    /// The state `[φ, φ̇]` at time `t`, of either sign. Allocates nothing.
    ///
    /// # Panics
    /// When `state` has another length than the first one.
    pub fn state_into(&mut self, t: f64, state: &mut [f64]) {
        let n = self.field.len();
        assert_length("a state [φ, φ̇]", state, 2 * n);
        for row in 0..self.rows.count() {
            let across = (0.5 * self.rows.wave_number(row)).sin();
            for column in 0..self.columns.count() {
                let along = (0.5 * self.columns.wave_number(column)).sin();
                let omega = 2.0 * self.speed * across.hypot(along);
                let index = row * self.columns.count() + column;
                let (sin, cos) = (omega * t).sin_cos();
                let drift = if omega == 0.0 { t } else { sin / omega };
                self.at_time[0][index] = self.field[index] * cos + self.rate[index] * drift;
                self.at_time[1][index] = self.rate[index] * cos - self.field[index] * omega * sin;
            }
        }
        let (phi, phi_dot) = state.split_at_mut(n);
        synthesise(&self.rows, &self.columns, &self.at_time[0], &mut self.half, phi);
        synthesise(&self.rows, &self.columns, &self.at_time[1], &mut self.half, phi_dot);
    }
}

/// Coefficients `[row modes, column modes]` of `values` `[rows, columns]`: means of products with the
/// modes. `half` is `[rows, column modes]`.
fn coefficients(rows: &AxisModes, columns: &AxisModes, values: &[f64], half: &mut [f64]) -> Vec<f64> {
    let width = columns.sites();
    for (values, half) in values.chunks_exact(width).zip(half.chunks_exact_mut(width)) {
        for (mode, half) in half.iter_mut().enumerate() {
            *half = values.iter().zip(columns.function(mode)).map(|(v, f)| v * f).sum::<f64>() / width as f64;
        }
    }
    let mut out = vec![0.0; half.len()];
    for (mode, out) in out.chunks_exact_mut(width).enumerate() {
        for (half, f) in half.chunks_exact(width).zip(rows.function(mode)) {
            for (out, half) in out.iter_mut().zip(half) {
                *out += f * half / rows.sites() as f64;
            }
        }
    }
    out
}

/// The inverse of [`coefficients`]: the sum of the modes.
fn synthesise(rows: &AxisModes, columns: &AxisModes, coefficients: &[f64], half: &mut [f64], values: &mut [f64]) {
    let width = columns.sites();
    half.fill(0.0);
    for (mode, coefficients) in coefficients.chunks_exact(width).enumerate() {
        for (half, f) in half.chunks_exact_mut(width).zip(rows.function(mode)) {
            for (half, coefficient) in half.iter_mut().zip(coefficients) {
                *half += f * coefficient;
            }
        }
    }
    values.fill(0.0);
    for (values, half) in values.chunks_exact_mut(width).zip(half.chunks_exact(width)) {
        for (mode, coefficient) in half.iter().enumerate() {
            for (value, f) in values.iter_mut().zip(columns.function(mode)) {
                *value += coefficient * f;
            }
        }
    }
}
