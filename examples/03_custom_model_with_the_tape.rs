//! A model of one's own: known physics with unknown numbers and an unknown potential, fitted by the tape.
//!
//! A cart with a pendulum rolls over a hidden magnet. The form of the kinetic energy is known, the masses are not, nor is
//! the magnet's potential. Everything is learned at once from accelerations, without a derivative by hand: the Lagrangian
//! is written once over any scalar, and the gradient of the loss is that of one directional derivative of it
//! (docs/derivations/2-adjoint.md).
//!
//! `cargo run --release --example 03_custom_model_with_the_tape`

#![allow(clippy::print_stdout)] // An example talks to its reader.

use lnn::autodiff::{Dual, Scalar, gradient};
use lnn::physics::sampling::{Distribution, StateSampler};
use lnn::physics::{EulerLagrange, Lagrangian, dynamics};
use lnn::train::optimiser::{Adam, AdamSettings, Optimiser, Schedule};

/// Centres of the bumps that the potential is made of, in m, and their width.
const CENTRES: [f64; 7] = [-1.2, -0.8, -0.4, 0.0, 0.4, 0.8, 1.2];
const WIDTH: f64 = 0.35;
/// The pendulum's length in m, and g in m/s²: what was measured with a ruler.
const LENGTH: f64 = 0.5;
const GRAVITY: f64 = 9.81;

/// q = (x, θ); θ from the downward vertical. The potential of the magnet comes from `potential`.
fn lagrangian<S: Scalar>([cart, bob]: [S; 2], potential: impl Fn(S) -> S, q: &[S], q_dot: &[S]) -> S {
    let (v, w) = (q_dot[0], q_dot[1] * LENGTH);
    let kinetic = (cart + bob) * v.square() * 0.5 + bob * v * w * q[1].cos() + bob * w.square() * 0.5;
    kinetic + bob * q[1].cos() * (GRAVITY * LENGTH) - potential(q[0])
}

/// The parameters: the ratio of the masses, then the height of each bump. All forces and masses may be multiplied by one
/// number without another motion, so the cart's mass is taken as 1.
#[derive(Clone)]
struct Model(Vec<f64>);

fn learned<S: Scalar>(parameters: &[S], q: &[S], q_dot: &[S]) -> S {
    let potential = |x: S| {
        let bump = |centre: f64| (((x - centre) / WIDTH).square() * -0.5).exp();
        let heights = parameters[1..].iter().zip(CENTRES);
        heights.fold(S::zero(), |sum, (&height, centre)| sum + height * bump(centre))
    };
    lagrangian([S::one(), parameters[0]], potential, q, q_dot)
}

impl Lagrangian for Model {
    fn degrees_of_freedom(&self) -> usize {
        2
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let parameters: Vec<S> = self.0.iter().map(|&parameter| S::constant(parameter)).collect();
        learned(&parameters, q, q_dot)
    }
}

/// What nature does.
struct Truth;

impl Lagrangian for Truth {
    fn degrees_of_freedom(&self) -> usize {
        2
    }
    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let magnet = |x: S| ((x - 0.3).square() + 0.25).recip() * -0.5;
        lagrangian([S::one(), S::constant(0.4)], magnet, q, q_dot)
    }
}

/// The loss Σⱼ (q̈ⱼ − q̈*ⱼ)² at one state, and its gradient: with λ = ∂loss/∂q̈ and v = H⁻¹ λ that of
/// D_a L − D_u D_w L along a = (v, 0), u = (0, v), w = (q̇, q̈).
fn loss(
    model: &Model,
    q: [f64; 2],
    q_dot: [f64; 2],
    q_ddot: &[f64],
) -> Result<(f64, Vec<f64>), Box<dyn std::error::Error>> {
    let found = dynamics(model, &q, &q_dot)?;
    let error = [0, 1].map(|j| found.acceleration[j] - q_ddot[j]);
    // H v = λ, by Cramer's rule.
    let (h, lambda) = (&found.mass_matrix, error.map(|e| 2.0 * e));
    let determinant = h[0] * h[3] - h[1] * h[2];
    let v = [(lambda[0] * h[3] - lambda[1] * h[1]) / determinant, (lambda[1] * h[0] - lambda[0] * h[2]) / determinant];
    let (_, gradient) = gradient(
        |parameters| {
            // The coefficient of ε₁ε₂ of L at the state + u ε₁ + w ε₂ − a ε₁ε₂ is D_u D_w L − D_a L.
            let second = |value: f64, first: f64, other: f64, both: f64| {
                let [value, first, other, both] = [value, first, other, both].map(Scalar::constant);
                Dual::new(Dual::new(value, first), Dual::new(other, both))
            };
            let q = [0, 1].map(|j| second(q[j], 0.0, q_dot[j], -v[j]));
            let q_dot = [0, 1].map(|j| second(q_dot[j], v[j], found.acceleration[j], 0.0));
            let parameters: Vec<_> =
                parameters.iter().map(|&p| Dual::new(Dual::new(p, Scalar::zero()), Scalar::zero())).collect();
            -learned(&parameters, &q, &q_dot).tangent.tangent
        },
        &model.0,
    );
    Ok((error.iter().map(|e| e * e).sum(), gradient))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const STATES: usize = 64;
    const STEPS: u64 = 1000;
    let ranges = [(-1.3, 1.3), (-2.0, 2.0), (-1.0, 1.0), (-3.0, 3.0)];
    let ranges =
        ranges.map(|(low, high)| Distribution::uniform(low, high)).into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut states = vec![0.0; STATES * 4];
    StateSampler::new(0, 0).fill(0, &ranges, &mut states);
    let mut truth = EulerLagrange::new(Truth)?;
    let observed: Vec<Vec<f64>> = states
        .chunks_exact(4)
        .map(|state| truth.evaluate(&state[..2], &state[2..]).map(|found| found.acceleration.clone()))
        .collect::<Result<_, _>>()?;

    // Equal masses and no magnet, to begin with.
    let mut model = Model([&[1.0][..], &[0.0; CENTRES.len()]].concat());
    let mut optimiser = Adam::new(AdamSettings::default(), model.0.len())?;
    let schedule = Schedule::WarmupCosine { peak: 0.05, warmup_steps: 0, total_steps: STEPS, final_fraction: 0.0 };
    let (mut first, mut last) = (None, 0.0);
    for step in 0..STEPS {
        let (mut mean, mut slope) = (0.0, vec![0.0; model.0.len()]);
        for (state, q_ddot) in states.chunks_exact(4).zip(&observed) {
            let (loss, gradient) = loss(&model, [state[0], state[1]], [state[2], state[3]], q_ddot)?;
            mean += loss / STATES as f64;
            for (slope, component) in slope.iter_mut().zip(gradient) {
                *slope += component / STATES as f64;
            }
        }
        first.get_or_insert(mean);
        last = mean;
        optimiser.step(&mut model.0, &slope, schedule.learning_rate(step))?;
    }
    let first = first.unwrap_or(last);
    println!("mean squared acceleration error: {first:.3} at the start, {last:.5} after {STEPS} steps");
    println!("mass of the bob: {:.3}, truth 0.400 (cart: 1)", model.0[0]);
    assert!(last < 1e-2 * first, "the magnet is learned");
    assert!((model.0[0] - 0.4).abs() < 0.02, "the mass is learned");
    Ok(())
}
