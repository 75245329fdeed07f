//! How models of a field are judged, as written in files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lattice::{BoundaryConfig, LatticeConfig};

/// The lattice, states and motions that models are judged on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldEvaluationConfig {
    /// The lattice.
    pub lattice: LatticeConfig,
    /// Held-out states, of the training distribution.
    pub held_out: usize,
    /// Motions by name.
    pub motions: BTreeMap<String, MotionConfig>,
    /// Time of the motions, in times that a wave takes across the lattice; a kink travels its own way.
    pub crossings: f64,
    /// Time step of the classical Runge–Kutta method, by which learned motions are integrated.
    pub dt: f64,
    /// Frames of a motion, besides the first.
    pub frames: usize,
    /// A lattice far larger, on which energies alone are judged; absent, none.
    pub large: Option<LargeConfig>,
}

impl Default for FieldEvaluationConfig {
    /// A bump and a smooth state on a ring of 100 sites, for ten crossings.
    fn default() -> Self {
        Self {
            lattice: LatticeConfig::Line { sites: 100, boundary: BoundaryConfig::Periodic },
            held_out: 100,
            motions: BTreeMap::from([
                ("bump".to_owned(), MotionConfig::Bump { sigma: 5.0, amplitude: 1.0 }),
                ("smooth".to_owned(), MotionConfig::Smooth { modes: 5, amplitude: 0.5, rate_amplitude: 0.05 }),
            ]),
            crossings: 10.0,
            dt: 0.2,
            frames: 400,
            large: None,
        }
    }
}

/// A state that a motion starts from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum MotionConfig {
    /// A Gaussian bump at rest in the middle.
    Bump {
        /// Its σ, in sites.
        sigma: f64,
        /// Its height.
        amplitude: f64,
    },
    /// Random standing waves, drawn by the seed.
    Smooth {
        /// Highest wave.
        modes: usize,
        /// Root mean square of φ.
        amplitude: f64,
        /// Root mean square of φ̇.
        rate_amplitude: f64,
    },
    /// A travelling kink of a sine-Gordon field on a line with free ends, half its way on either side of the middle.
    Kink {
        /// Velocity, as a fraction of the speed of waves.
        velocity: f64,
        /// Its way, in widths of the moving kink.
        widths: f64,
    },
}

/// A lattice of many sites.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LargeConfig {
    /// Sites of a line with the ends of the lattice that models are judged on; the bump is repeated along it.
    pub sites: usize,
    /// Time of the motion.
    pub t_end: f64,
}
