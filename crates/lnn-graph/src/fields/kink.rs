//! The travelling kink of the sine-Gordon equation.

use std::f64::consts::PI;

use super::error::FieldError;
use super::{Field, SineGordon, assert_length};
use crate::topology::{Boundary, TopologyKind};

const OF: &str = "sine-Gordon kink";

/// Which way a kink turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// φ rises from 0 on the left to 2π on the right.
    Kink,
    /// φ falls from 2π on the left to 0 on the right.
    Antikink,
}

/// A kink of a [`SineGordon`] field on a free line, at all times:
/// φ = 4 arctan exp(±ξ), ξ = (i − x(t))/w, x(t) = x₀ + V t.
///
/// It travels at V = v√κ, a fraction v of the speed of waves, and is w = √(κ (1 − v²))/m sites wide; its
/// energy is 8 m √κ / √(1 − v²). With κ = 1/h² and m = 1 these are the positions x/h of
/// φ = 4 arctan exp(±(x − x₀ − v t)/√(1 − v²)).
///
/// Exact in the limit of a wide kink. On the lattice, with its differences of neighbours, the energy of
/// this state is lower by a share of 1/(72 w²), and the kink falls behind by a share of about 1/(24 w²)
/// of its way (measured over ten widths, w from 3 to 10): 0.2 % for v = ½ and h = 0.2.
///
/// Source: T. Dauxois and M. Peyrard, *Physics of Solitons*, Cambridge 2006, chapter 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kink {
    sites: usize,
    centre: f64,
    velocity: f64,
    width: f64,
    energy: f64,
    sign: f64,
}

impl SineGordon {
    /// The kink whose middle, φ = π, is at `centre` (in sites) at time 0, and that travels at the
    /// fraction `velocity` of the speed of waves, to the right if positive.
    ///
    /// # Errors
    /// [`FieldError`]: the topology is no free line, `centre` is not finite, or `velocity` not between
    /// −1 and 1.
    pub fn kink(&self, centre: f64, velocity: f64, orientation: Orientation) -> Result<Kink, FieldError> {
        let expected = "a line with free ends, where both ends can be at rest";
        let kind = self.topology().kind();
        if kind != (TopologyKind::Line { boundary: Boundary::Free }) {
            return Err(FieldError::WrongTopology { of: OF, expected, given: kind.describe() });
        }
        super::error::finite(OF, "centre", centre)?;
        if velocity.is_nan() || velocity.abs() >= 1.0 {
            let expected = "a number between −1 and 1, in units of the speed of waves";
            return Err(FieldError::InvalidParameter { of: OF, parameter: "velocity", given: velocity, expected });
        }
        let speed = self.coupling().sqrt();
        let contraction = ((1.0 - velocity) * (1.0 + velocity)).sqrt();
        Ok(Kink {
            sites: self.topology().sites(),
            centre,
            velocity: velocity * speed,
            width: speed * contraction / self.mass(),
            energy: 8.0 * self.mass() * speed / contraction,
            sign: match orientation {
                Orientation::Kink => 1.0,
                Orientation::Antikink => -1.0,
            },
        })
    }
}

impl Kink {
    /// V in sites a unit of time.
    #[must_use]
    pub fn velocity(&self) -> f64 {
        self.velocity
    }

    /// w in sites: φ changes by 2π over a few w.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Where φ = π at time `t`, in sites.
    #[must_use]
    pub fn position(&self, t: f64) -> f64 {
        self.centre + self.velocity * t
    }

    /// Energy of a wide kink, 8 m √κ / √(1 − v²); that of the lattice is lower by a share of 1/(72 w²).
    #[must_use]
    pub fn energy(&self) -> f64 {
        self.energy
    }

    /// The state `[φ, φ̇]` at time `t`, 2·sites numbers.
    ///
    /// # Panics
    /// When `state` has another length.
    pub fn state_into(&self, t: f64, state: &mut [f64]) {
        assert_length("a state [φ, φ̇]", state, 2 * self.sites);
        let (phi, phi_dot) = state.split_at_mut(self.sites);
        let position = self.position(t);
        for (site, (phi, phi_dot)) in phi.iter_mut().zip(phi_dot).enumerate() {
            let xi = self.sign * (site as f64 - position) / self.width;
            *phi = 4.0 * xi.exp().atan();
            *phi_dot = -2.0 * self.sign * self.velocity / (self.width * xi.cosh());
        }
    }
}

/// Where a field on a line crosses π, in sites: the position of a kink.
///
/// The first crossing from the left, by linear interpolation between the two sites around it; for a
/// kink of width w that is off by at most 0.017/w² sites. `None` when φ does not cross π, or is NaN
/// before it does.
///
/// ```
/// use lnn_graph::fields::kink_position;
/// use std::f64::consts::PI;
/// assert_eq!(kink_position(&[0.0, 0.5 * PI, 1.5 * PI, 2.0 * PI]), Some(1.5));
/// assert_eq!(kink_position(&[0.0, 1.0, 2.0, 3.0]), None);
/// ```
#[must_use]
pub fn kink_position(phi: &[f64]) -> Option<f64> {
    for (site, pair) in phi.windows(2).enumerate() {
        let (left, right) = (pair[0] - PI, pair[1] - PI);
        if left.is_nan() || right.is_nan() {
            return None;
        }
        if left == 0.0 {
            return Some(site as f64);
        }
        if (left < 0.0) != (right < 0.0) {
            return Some(site as f64 + left / (left - right));
        }
    }
    None
}
