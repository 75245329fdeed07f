//! A Lagrangian in a few lines of Rust, and its equation of motion in one call.
//!
//!     cargo run --release --example 01_lagrangian_to_acceleration

#![allow(clippy::print_stdout)] // An example talks to its reader.

use lnn::physics::{EulerLagrange, Lagrangian, Scalar, acceleration};

/// A bob on a spring that swings in a vertical plane; q = (r, θ), θ from the downward vertical.
struct SpringPendulum {
    mass: f64,
    stiffness: f64,
    rest_length: f64,
    gravity: f64,
}

impl Lagrangian for SpringPendulum {
    fn degrees_of_freedom(&self) -> usize {
        2
    }

    fn lagrangian<S: Scalar>(&self, q: &[S], q_dot: &[S]) -> S {
        let (r, theta) = (q[0], q[1]);
        let kinetic = (q_dot[0].square() + (r * q_dot[1]).square()) * (0.5 * self.mass);
        let spring = (r - self.rest_length).square() * (0.5 * self.stiffness);
        let weight = -(r * theta.cos()) * (self.mass * self.gravity);
        kinetic - spring - weight
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let system = SpringPendulum { mass: 0.5, stiffness: 40.0, rest_length: 1.0, gravity: 9.8 };
    let (q, q_dot) = ([1.2, 0.4], [0.3, -1.5]);

    let q_ddot = acceleration(&system, &q, &q_dot)?;
    println!("q̈ = {q_ddot:?}");

    // The same by hand, which the library never asks for.
    let r_ddot = q[0] * q_dot[1].powi(2) - 80.0 * (q[0] - 1.0) + 9.8 * q[1].cos();
    let theta_ddot = -(2.0 * q_dot[0] * q_dot[1] + 9.8 * q[1].sin()) / q[0];
    println!("by hand [{r_ddot}, {theta_ddot}]");
    assert!((q_ddot[0] - r_ddot).abs() < 1e-13 && (q_ddot[1] - theta_ddot).abs() < 1e-13);

    // Everything else that the Lagrangian knows at this state.
    let mut motion = EulerLagrange::new(system)?;
    let dynamics = motion.evaluate(&q, &q_dot)?;
    println!("mass matrix {:?}, rank {}", dynamics.mass_matrix, dynamics.rank);
    println!("momentum    {:?}", dynamics.momentum);
    println!("energy      {} J", dynamics.energy);
    Ok(())
}
