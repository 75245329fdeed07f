//! The states that judged motions start from.

use lnn_graph::fields::{Field, FieldDistribution, FieldError, Orientation, RandomStates, gaussian_bump};

use super::config::{FieldKind, KnownField, LatticeConfig, MotionConfig};
use crate::experiment::{Purpose, sampler};

/// Fewest widths between a kink and the ends of its line: there φ differs from its value far away by 2 % of a turn.
const MARGIN_WIDTHS: f64 = 4.0;

/// Where a motion starts and how long it takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MotionStart {
    /// `[φ, φ̇]`, `[2 n c]`.
    pub(crate) state: Vec<f64>,
    /// Duration.
    pub(crate) t_end: f64,
    /// Whether it is a kink, whose velocity is judged too.
    pub(crate) is_kink: bool,
    /// What it is, in words.
    pub(crate) description: String,
}

impl MotionStart {
    /// The start of `motion` in `known`, a field of `kind` on `lattice`; `crossings` times across, unless it is a kink.
    ///
    /// # Errors
    /// A state that the field or lattice does not have, or a kink that comes too close to the ends.
    pub(crate) fn new(
        motion: &MotionConfig,
        (kind, known): (&FieldKind, &KnownField),
        lattice: &LatticeConfig,
        crossings: f64,
        seed: u64,
    ) -> Result<Self, FieldError> {
        let field = known.field();
        let topology = field.topology();
        let t_end = crossings * kind.crossing_time(lattice);
        match *motion {
            MotionConfig::Bump { sigma, amplitude } => {
                let [rows, columns] = lattice.shape().map(|sites| (sites / 2) as f64);
                let centre = if lattice.is_grid() { vec![rows, columns] } else { vec![columns] };
                let state = gaussian_bump(topology, &centre, sigma, &vec![amplitude; field.components()])?;
                let description = format!("a Gaussian bump of width σ = {sigma} and height {amplitude}, at rest");
                Ok(Self { state, t_end, is_kink: false, description })
            }
            MotionConfig::Smooth { modes, amplitude, rate_amplitude } => {
                let states = RandomStates::smooth(modes, amplitude, rate_amplitude);
                let distribution = FieldDistribution::new(topology, field.components(), states)?;
                let mut state = vec![0.0; distribution.state_length()];
                distribution.fill(&sampler(seed, Purpose::Rollout), 0, 0, &mut state);
                let description = format!("a random smooth state of up to {modes} waves");
                Ok(Self { state, t_end, is_kink: false, description })
            }
            MotionConfig::Kink { velocity, widths } => kink(known, velocity, widths),
        }
    }
}

fn kink(known: &KnownField, velocity: f64, widths: f64) -> Result<MotionStart, FieldError> {
    const OF: &str = "sine-Gordon kink";
    let KnownField::SineGordon(field) = known else {
        return Err(FieldError::WrongTopology {
            of: OF,
            expected: "a sine-Gordon field",
            given: "that of another field, which has no kinks",
        });
    };
    let width = field.kink(0.0, velocity, Orientation::Kink)?.width();
    let refused = |parameter, given, expected| FieldError::InvalidParameter { of: OF, parameter, given, expected };
    if velocity == 0.0 {
        return Err(refused("velocity", velocity, "another number than 0: its velocity is what is judged"));
    }
    let middle = 0.5 * (field.topology().sites() - 1) as f64;
    if !(widths > 0.0 && 0.5 * widths * width + MARGIN_WIDTHS * width <= middle) {
        return Err(refused("widths", widths, "a way that ends four widths from the ends of the line"));
    }
    let half = 0.5 * widths * width;
    let kink = field.kink(middle - half * velocity.signum(), velocity, Orientation::Kink)?;
    let mut state = vec![0.0; 2 * field.unknowns()];
    kink.state_into(0.0, &mut state);
    let t_end = widths * width / kink.velocity().abs();
    let description =
        format!("a kink of width {width:.3} sites that travels {widths} widths at {velocity} of the speed of waves");
    Ok(MotionStart { state, t_end, is_kink: true, description })
}
