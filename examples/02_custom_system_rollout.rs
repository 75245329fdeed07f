//! A system of one's own: from its Lagrangian to a long rollout, with the energy as judge.
//!
//! A bead slides on a rotating hoop. Above a critical speed of rotation the lowest point is no
//! longer stable and the bead swings about a new equilibrium. The mass matrix is constant, so the
//! implicit midpoint rule is symplectic here and its energy error stays bounded; compare it with
//! RK4 at the same step.
//!
//!     cargo run --release --example 02_custom_system_rollout

#![allow(clippy::print_stdout)] // An example talks to its reader.

use lnn::physics::integrators::{DormandPrinceOptions, Method, frame_times, solve_at};
use lnn::physics::invariants::energy_drift;
use lnn::physics::{EulerLagrange, Lagrangian, Scalar};

/// q = (θ), from the lowest point; unit mass.
#[derive(Clone, Copy)]
struct BeadOnHoop {
    radius: f64,
    rotation: f64,
    gravity: f64,
}

impl Lagrangian for BeadOnHoop {
    fn degrees_of_freedom(&self) -> usize {
        1
    }

    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let around = q[0].sin() * (self.radius * self.rotation);
        let along = q_dot[0] * self.radius;
        (along.square() + around.square()) * 0.5 + q[0].cos() * (self.gravity * self.radius)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bead = BeadOnHoop { radius: 1.0, rotation: 5.0, gravity: 9.8 };
    let start = [0.1, 0.0];
    let times = frame_times(1000.0, 10.0)?;
    let reference = bead.gravity * bead.radius;

    let methods = [
        ("RK4, dt 0.05", Method::Rk4 { dt: 0.05 }),
        ("implicit midpoint, dt 0.05", Method::ImplicitMidpoint { dt: 0.05 }),
        ("Dormand–Prince, 1e-9", Method::DormandPrince(DormandPrinceOptions::default())),
    ];
    let mut worst = Vec::new();
    println!("{:<28} {:>9} {:>16} {:>16}", "method", "steps", "last error / %", "max error / %");
    for (name, method) in methods {
        let mut motion = EulerLagrange::new(bead)?;
        let trajectory =
            solve_at(&method, |_t, state, state_dot| motion.state_derivative_into(state, state_dot), &start, &times)?;
        let mut energies = Vec::with_capacity(trajectory.len());
        for (_t, state) in trajectory.rows() {
            energies.push(motion.evaluate(&state[..1], &state[1..])?.energy);
        }
        let drift = energy_drift(&energies, energies[0], reference)?;
        println!(
            "{name:<28} {:>9} {:>16.3e} {:>16.3e}",
            trajectory.statistics.steps, drift.last_percent, drift.max_percent
        );
        worst.push(drift.max_percent);
    }
    assert!(
        worst[1] < worst[0] && worst[2] < 1e-3,
        "at the same step the symplectic rule keeps the energy better: {worst:?} %"
    );
    Ok(())
}
