//! Chain pendulums in the plane: Cartesian states, and random ones on the rods.

use lnn_physics::sampling::{Distribution, Normal, StateSampler};

use super::TrajectoryError;

/// Root mean square of the constraints, in m² and m²/s, at which a projection is done (arXiv:2010.13581).
const TOLERANCE: f64 = 1e-5;
/// Newton steps that a projection may take; those of the protocol need about ten.
const MOST_STEPS: usize = 200;
/// Standard deviation of what is added to the positions, in m.
const POSITION_NOISE: f64 = 0.2;
/// Share of the true velocities, deviation of what is added to them, and the factor of both.
const VELOCITY: [f64; 3] = [0.5, 0.4, 3.0];

/// Cartesian state `[4n]` of a chain of n rods of `lengths` from its angles and their rates `[2n]`: x and y of each bob
/// from the pivot on, y upwards, then their velocities. Angles are from the downward vertical, all absolute; m and m/s.
///
/// # Panics
/// If a length does not fit.
pub fn cartesian_into(lengths: &[f64], state: &[f64], out: &mut [f64]) {
    let n = lengths.len();
    assert_eq!(state.len(), 2 * n, "state: angles and rates of {n} rods");
    assert_eq!(out.len(), 4 * n, "out: positions and velocities of {n} bobs");
    let (x, v) = out.split_at_mut(2 * n);
    let mut at = [0.0; 4];
    for (rod, &length) in lengths.iter().enumerate() {
        let (sin, cos) = state[rod].sin_cos();
        let rate = state[n + rod];
        for (sum, part) in at.iter_mut().zip([sin, -cos, rate * cos, rate * sin]) {
            *sum += length * part;
        }
        x[2 * rod..2 * rod + 2].copy_from_slice(&at[..2]);
        v[2 * rod..2 * rod + 2].copy_from_slice(&at[2..]);
    }
}

/// Angles and rates `[2n]` of a Cartesian state `[4n]`, as [`cartesian_into`] has them; angles in (−π, π].
///
/// # Panics
/// If a length does not fit.
pub fn angles_into(cartesian: &[f64], out: &mut [f64]) {
    let n = out.len() / 2;
    assert_eq!(cartesian.len(), 4 * n, "cartesian: positions and velocities of {n} bobs");
    for rod in 0..n {
        let [dx, dy, dvx, dvy] = rod_of(cartesian, n, rod);
        out[rod] = dx.atan2(-dy);
        out[n + rod] = (dx * dvy - dy * dvx) / (dx * dx + dy * dy);
    }
}

/// Position and velocity of a rod's lower end from its upper one.
fn rod_of(cartesian: &[f64], bobs: usize, rod: usize) -> [f64; 4] {
    let (x, v) = cartesian.split_at(2 * bobs);
    let difference = |of: &[f64], axis: usize| {
        let above = rod.checked_sub(1).map_or(0.0, |above| of[2 * above + axis]);
        of[2 * rod + axis] - above
    };
    [difference(x, 0), difference(x, 1), difference(v, 0), difference(v, 1)]
}

/// Random starts of a chain, angles and rates `[count, 2n]`, as constrained Hamiltonian neural networks were trained on
/// (Finzi, Wang, Wilson, arXiv:2010.13581).
///
/// Angles and rates are standard normal; then each Cartesian component of the positions gets 0.2 N, velocities become
/// 3 (v/2 + 0.4 N), and all states together are projected on the rods. Draw k is stream k of the sampler, but for the
/// limit of a Newton step, which is half the root mean square of all states.
///
/// # Errors
/// [`TrajectoryError::Projection`] if the rods are not reached.
///
/// # Panics
/// If there is no rod.
pub fn chain_pendulum_starts(
    lengths: &[f64],
    sampler: StateSampler,
    count: usize,
) -> Result<Vec<f64>, TrajectoryError> {
    let n = lengths.len();
    assert!(n > 0, "a chain has at least one rod");
    // Angles, rates, and what is added to positions and velocities.
    let normal = vec![Distribution::Normal(Normal::constant(0.0, 1.0)); 6 * n];
    let mut draw = vec![0.0; 6 * n];
    let mut cartesian = vec![0.0; count * 4 * n];
    for (stream, state) in cartesian.chunks_exact_mut(4 * n).enumerate() {
        sampler.fill(stream as u64, &normal, &mut draw);
        let (angles, noise) = draw.split_at(2 * n);
        cartesian_into(lengths, angles, state);
        let (x, v) = state.split_at_mut(2 * n);
        let (of_positions, of_velocities) = noise.split_at(2 * n);
        for (x, noise) in x.iter_mut().zip(of_positions) {
            *x += POSITION_NOISE * noise;
        }
        let [share, deviation, factor] = VELOCITY;
        for (v, noise) in v.iter_mut().zip(of_velocities) {
            *v = factor * (share * *v + deviation * noise);
        }
    }
    project(lengths, &mut cartesian)?;
    let mut starts = vec![0.0; count * 2 * n];
    for (state, start) in cartesian.chunks_exact(4 * n).zip(starts.chunks_exact_mut(2 * n)) {
        angles_into(state, start);
    }
    Ok(starts)
}

/// Moves Cartesian states `[count, 4n]` on the rods: Newton steps of least norm, −Jᵀ(J Jᵀ)⁻¹ Φ over positions and
/// velocities together, for Φ = (|Δx|² − l², 2 Δx·Δv) of each rod; each component of a step is at most half the root
/// mean square of all states.
fn project(lengths: &[f64], cartesian: &mut [f64]) -> Result<(), TrajectoryError> {
    let width = 4 * lengths.len();
    let mut newton = NewtonStep::new(lengths);
    let mut error = f64::INFINITY;
    for steps in 0..=MOST_STEPS {
        let sum: f64 = cartesian.chunks_exact(width).map(|state| newton.constraints(state)).sum();
        error = (sum / (cartesian.len() / 2).max(1) as f64).sqrt();
        if error <= TOLERANCE {
            return Ok(());
        }
        // A rod of no length has no direction, and its step is no number.
        if !error.is_finite() {
            return Err(TrajectoryError::Projection { error, steps });
        }
        let square: f64 = cartesian.iter().map(|z| z * z).sum();
        let limit = 0.5 * (square / cartesian.len() as f64).sqrt();
        for state in cartesian.chunks_exact_mut(width) {
            newton.apply(state, limit);
        }
    }
    Err(TrajectoryError::Projection { error, steps: MOST_STEPS })
}

/// Buffers of a step for one state.
struct NewtonStep<'a> {
    lengths: &'a [f64],
    /// Φ `[2n]`: of the lengths, then of their rates.
    phi: Vec<f64>,
    /// J `[2n, 4n]`.
    jacobian: Vec<f64>,
    /// J Jᵀ `[2n, 2n]`, then its Cholesky factor.
    normal: Vec<f64>,
}

impl<'a> NewtonStep<'a> {
    fn new(lengths: &'a [f64]) -> Self {
        let m = 2 * lengths.len();
        Self { lengths, phi: vec![0.0; m], jacobian: vec![0.0; m * 2 * m], normal: vec![0.0; m * m] }
    }

    /// Evaluates Φ; the sum of its squares.
    fn constraints(&mut self, state: &[f64]) -> f64 {
        let n = self.lengths.len();
        for (rod, &length) in self.lengths.iter().enumerate() {
            let [dx, dy, dvx, dvy] = rod_of(state, n, rod);
            self.phi[rod] = dx * dx + dy * dy - length * length;
            self.phi[n + rod] = 2.0 * (dx * dvx + dy * dvy);
        }
        self.phi.iter().map(|phi| phi * phi).sum()
    }

    /// ∂Φ/∂z: 2 Δx for the lengths; for the rates 2 Δv by the positions and 2 Δx by the velocities.
    fn differentiate(&mut self, state: &[f64]) {
        let n = self.lengths.len();
        self.jacobian.fill(0.0);
        for rod in 0..n {
            let [dx, dy, dvx, dvy] = rod_of(state, n, rod);
            let ends = [Some((rod, 2.0)), rod.checked_sub(1).map(|above| (above, -2.0))];
            for (bob, factor) in ends.into_iter().flatten() {
                for (axis, (x, v)) in [(dx, dvx), (dy, dvy)].into_iter().enumerate() {
                    let (position, velocity) = (2 * bob + axis, 2 * (n + bob) + axis);
                    self.jacobian[rod * 4 * n + position] = factor * x;
                    self.jacobian[(n + rod) * 4 * n + position] = factor * v;
                    self.jacobian[(n + rod) * 4 * n + velocity] = factor * x;
                }
            }
        }
    }

    /// One step of one state, each component at most `limit`.
    fn apply(&mut self, state: &mut [f64], limit: f64) {
        self.constraints(state);
        self.differentiate(state);
        let m = self.phi.len();
        let row = |i: usize| &self.jacobian[i * 2 * m..(i + 1) * 2 * m];
        for i in 0..m {
            for j in 0..=i {
                self.normal[i * m + j] = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
            }
        }
        solve_in_place(&mut self.normal, &mut self.phi);
        for (column, z) in state.iter_mut().enumerate() {
            let step: f64 = (0..m).map(|i| self.jacobian[i * 2 * m + column] * self.phi[i]).sum();
            *z -= step.clamp(-limit, limit);
        }
    }
}

/// Solves A x = b in place by Cholesky's factors of A, positive definite, its lower triangle `[m, m]` given. NaN where
/// it is singular.
fn solve_in_place(matrix: &mut [f64], b: &mut [f64]) {
    let m = b.len();
    for i in 0..m {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| matrix[i * m + k] * matrix[j * m + k]).sum();
            let rest = matrix[i * m + j] - known;
            matrix[i * m + j] = if i == j { rest.sqrt() } else { rest / matrix[j * m + j] };
        }
        let known: f64 = (0..i).map(|k| matrix[i * m + k] * b[k]).sum();
        b[i] = (b[i] - known) / matrix[i * m + i];
    }
    for i in (0..m).rev() {
        let known: f64 = (i + 1..m).map(|k| matrix[k * m + i] * b[k]).sum();
        b[i] = (b[i] - known) / matrix[i * m + i];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTHS: [f64; 3] = [1.1, 0.7, 0.9];

    #[test]
    fn angles_and_rates_come_back_from_cartesian_states() {
        let state = [0.3, -2.9, 1.7, -4.0, 2.5, 0.1];
        let (mut cartesian, mut back) = ([0.0; 12], [0.0; 6]);
        cartesian_into(&LENGTHS, &state, &mut cartesian);
        // The uppermost bob by hand.
        let (sin, cos) = 0.3_f64.sin_cos();
        for (found, want) in [(0, 1.1 * sin), (1, -1.1 * cos), (6, -4.4 * cos), (7, -4.4 * sin)] {
            assert!((cartesian[found] - want).abs() < 8.0 * f64::EPSILON, "{found}");
        }
        angles_into(&cartesian, &mut back);
        for (back, state) in back.iter().zip(state) {
            // Differences of sums of three terms of a few units, divided by lengths below 1.
            assert!((back - state).abs() < 100.0 * f64::EPSILON, "{back} {state}");
        }
    }

    #[test]
    fn a_projection_reaches_the_rods_by_the_shortest_way() {
        // One rod: the nearest point of a circle is along the radius, and with v = 0 nothing else changes.
        let mut state = [0.9, -1.2, 0.0, 0.0];
        project(&[1.0], &mut state).expect("near");
        let error =
            [0.6, -0.8, 0.0, 0.0].iter().zip(state).map(|(a, b): (&f64, f64)| (a - b).abs()).fold(0.0, f64::max);
        assert!(error < TOLERANCE && state[2..] == [0.0, 0.0], "{state:?}");
        let mut lost = [0.0, 0.0, 1.0, 1.0];
        let message = project(&[1.0], &mut lost).expect_err("no direction").to_string();
        assert!(message.contains("the rods"), "{message}");
    }

    #[test]
    fn starts_are_on_the_rods_and_spread_as_the_protocol_says() {
        const COUNT: usize = 2000;
        let starts = chain_pendulum_starts(&LENGTHS, StateSampler::new(5, 1), COUNT).expect("projected");
        assert_eq!(starts, chain_pendulum_starts(&LENGTHS, StateSampler::new(5, 1), COUNT).expect("projected"));
        assert_ne!(starts, chain_pendulum_starts(&LENGTHS, StateSampler::new(6, 1), COUNT).expect("projected"));
        let column = |j: usize| starts.iter().skip(j).step_by(6);
        let deviation = |j: usize| (column(j).map(|x| x * x).sum::<f64>() / COUNT as f64).sqrt();
        for rod in 0..3 {
            let mean = column(rod).sum::<f64>() / COUNT as f64;
            // Normal angles of deviation 1, turned by noise of 0.2/l at each end.
            assert!(mean.abs() < 5.0 * 1.3 / (COUNT as f64).sqrt(), "{mean}");
            assert!((0.95..1.35).contains(&deviation(rod)), "{}", deviation(rod));
            // 1.5 N(0, 1) and 1.2/l at one or both ends, at least the first and at most all in a square sum.
            let rate = deviation(3 + rod);
            assert!((1.5..3.5).contains(&rate), "{rate}");
        }
    }

    #[test]
    fn the_projected_batch_keeps_the_constraints_to_the_tolerance() {
        let mut cartesian: Vec<f64> = (0..12 * 50).map(|i| (i as f64 * 1.37).sin() * 2.0).collect();
        project(&LENGTHS, &mut cartesian).expect("projected");
        let mut sum = 0.0;
        for state in cartesian.chunks_exact(12) {
            for (rod, length) in LENGTHS.iter().enumerate() {
                let above = |from: usize| if rod == 0 { 0.0 } else { state[from + 2 * rod - 2] };
                let [dx, dy] = [0, 1].map(|axis| state[2 * rod + axis] - above(axis));
                let [dvx, dvy] = [0, 1].map(|axis| state[6 + 2 * rod + axis] - above(6 + axis));
                sum += (dx * dx + dy * dy - length * length).powi(2) + (2.0 * (dx * dvx + dy * dvy)).powi(2);
            }
        }
        let error = (sum / (6.0 * 50.0)).sqrt();
        assert!(error <= TOLERANCE, "{error:e}");
    }
}
