//! Initial states that are the same for everyone.

use super::error::{FieldError, finite, positive};
use super::modes::axes;
use crate::topology::{Boundary, Topology, TopologyKind};

const OF: &str = "Gaussian bump";

/// The state `[φ, φ̇]` of a bump at rest: φ = A exp(−r²/2σ²) at distance r from `centre`, φ̇ = 0.
///
/// `centre` is `[site]` on a line and `[row, column]` on a grid, not necessarily a whole number; `sigma`
/// is in sites; `amplitudes` holds A for each component of the field. In a periodic direction the
/// distance is that to the nearest copy of the centre.
///
/// Source: Cranmer et al. 2020, the published notebook, where σ is a twentieth of the line.
///
/// # Errors
/// [`FieldError`]: a graph, a centre of another dimension, σ not positive, a number that is not finite,
/// or no amplitude.
///
/// ```
/// use lnn_graph::fields::gaussian_bump;
/// use lnn_graph::topology::{Boundary, Topology};
/// let line = Topology::line(4, Boundary::Periodic)?;
/// let state = gaussian_bump(&line, &[0.0], 0.5, &[2.0])?;
/// let side = 2.0 * (-2.0_f64).exp();
/// assert_eq!(state[..4], [2.0, side, 2.0 * (-8.0_f64).exp(), side]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn gaussian_bump(
    topology: &Topology,
    centre: &[f64],
    sigma: f64,
    amplitudes: &[f64],
) -> Result<Vec<f64>, FieldError> {
    let kind = topology.kind();
    let axes = axes(topology).ok_or(FieldError::WrongTopology {
        of: OF,
        expected: "a line or a grid, whose sites have positions",
        given: kind.describe(),
    })?;
    let dimension = if matches!(kind, TopologyKind::Line { .. }) { 1 } else { 2 };
    if centre.len() != dimension {
        return Err(FieldError::CentreDimension { of: OF, given: centre.len(), expected: dimension });
    }
    for &coordinate in centre {
        finite(OF, "centre", coordinate)?;
    }
    positive(OF, "sigma", sigma)?;
    for &amplitude in amplitudes {
        finite(OF, "amplitude", amplitude)?;
    }
    if amplitudes.is_empty() {
        let expected = "one amplitude for each component of the field";
        return Err(FieldError::InvalidParameter { of: OF, parameter: "amplitudes.len()", given: 0.0, expected });
    }
    let distance = |from: f64, to: f64, (sites, boundary): (usize, Boundary)| match boundary {
        Boundary::Periodic => {
            let ahead = (to - from).rem_euclid(sites as f64);
            ahead.min(sites as f64 - ahead)
        }
        Boundary::Fixed | Boundary::Free => to - from,
    };
    let columns = axes[1].0;
    let mut state = vec![0.0; 2 * topology.sites() * amplitudes.len()];
    for (site, phi) in state.chunks_exact_mut(amplitudes.len()).take(topology.sites()).enumerate() {
        let place = [(site / columns) as f64, (site % columns) as f64];
        let across = if dimension == 2 { distance(centre[0], place[0], axes[0]) } else { 0.0 };
        let along = distance(centre[dimension - 1], place[1], axes[1]);
        let height = (-(across * across + along * along) / (2.0 * sigma * sigma)).exp();
        for (value, amplitude) in phi.iter_mut().zip(amplitudes) {
            *value = amplitude * height;
        }
    }
    Ok(state)
}
