//! Published protocols of observed motions, as written in files.

use std::collections::BTreeMap;

use lnn_physics::systems::{MAX_LINKS, SystemError};
use serde::{Deserialize, Serialize};

use super::system::SystemConfig;

/// A published protocol that says where observed motions start and how rollouts are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// Chain pendulums of constrained Hamiltonian neural networks (Finzi, Wang, Wilson, arXiv:2010.13581): motions
    /// start from perturbed states that are projected on the rods; rollouts start from the first state of a random
    /// chunk of other motions, and are judged by the geometric mean over time of the relative error in Cartesian
    /// positions and velocities.
    Chnn,
}

impl Protocol {
    /// Name on the command line, and of the preset.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chnn => "chnn",
        }
    }

    /// The only system that the protocol is for.
    pub fn system(self) -> &'static str {
        match self {
            Self::Chnn => "pendulum",
        }
    }
}

/// Links that the published table compares.
pub const CHNN_LINKS: usize = 2;

/// Time between two observations, in s.
pub const CHNN_DT: f64 = 0.03;

/// Observations of a motion.
pub const CHNN_ROWS: usize = 100;

/// Observations of the one chunk that is kept of a motion.
pub const CHNN_CHUNK: usize = 5;

/// Gravitational acceleration of the protocol, in m/s².
const GRAVITY: f64 = 9.81;

/// The first numbers in [0, 1) that NumPy's `RandomState(0).random_sample()` gives: a Mersenne Twister, seed 0. The
/// authors' program draws its chains from them (arXiv:2010.13581).
const UNITS: [f64; 2 * MAX_LINKS] = [
    0.5488135039273248,
    0.7151893663724195,
    0.6027633760716439,
    0.5448831829968969,
    0.4236547993389047,
    0.6458941130666561,
    0.4375872112626925,
    0.8917730007820798,
    0.9636627605010293,
    0.3834415188257777,
    0.7917250380826646,
    0.5288949197529045,
];

/// The chain of `links` links under [`Protocol::Chnn`]: masses in kg, then lengths in m, are 0.6 + 0.8 u of successive
/// numbers u, each list given out from its end, so that the last one drawn belongs to the link at the pivot; g is
/// 9.81 m/s².
///
/// # Errors
/// A number of links that the system refuses.
pub fn chnn_chain(links: f64) -> Result<SystemConfig, SystemError> {
    let chain = SystemConfig::new(Protocol::Chnn.system()).with("links", links);
    // Judged by the system itself before it becomes a length.
    chain.build()?;
    let links = links as usize;
    let values = UNITS.map(|unit| 0.6 + 0.8 * unit);
    let (masses, lengths) = (&values[..links], &values[links..2 * links]);
    let mut parameters = BTreeMap::from([("links".to_owned(), links as f64), ("g".to_owned(), GRAVITY)]);
    for (letter, list) in [('m', masses), ('l', lengths)] {
        parameters.extend(list.iter().rev().enumerate().map(|(bob, &value)| (format!("{letter}{}", bob + 1), value)));
    }
    Ok(SystemConfig { parameters, ..chain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_chain_of_two_links() {
        let chain = chnn_chain(2.0).expect("two links");
        let published = [
            ("g", 9.81),
            ("l1", 1.0359065463975174),
            ("l2", 1.0822107008573152),
            ("links", 2.0),
            ("m1", 1.1721514930979355),
            ("m2", 1.0390508031418597),
        ];
        assert_eq!(chain.parameters.len(), published.len());
        for (name, value) in published {
            let found = chain.parameters[name];
            // One product and one sum, each rounded.
            assert!((found - value).abs() <= 2.0 * f64::EPSILON, "{name}: {found}");
        }
    }

    #[test]
    fn every_chain_is_a_complete_system_and_others_are_refused() {
        for links in 1..=MAX_LINKS {
            let chain = chnn_chain(links as f64).expect("allowed");
            assert_eq!(chain.complete().expect("allowed"), chain, "nothing is left at a default");
            let values = chain.parameters.iter().filter(|(name, _)| name.starts_with('m') || name.len() == 2);
            assert!(values.filter(|(name, _)| *name != "g").all(|(_, &value)| (0.6..1.4).contains(&value)));
        }
        for links in [0.0, 7.0, 1.5] {
            let message = chnn_chain(links).expect_err("no such chain").to_string();
            assert!(message.contains("a whole number from 1 to 6"), "{message}");
        }
    }
}
