//! Lattices, the fields on them and what the fields' states are made of, as written in files.

use std::f64::consts::TAU;
use std::sync::Arc;

use lnn_graph::fields::{Field, FieldDistribution, FieldError, RandomStates, SineGordon, Wave};
use lnn_graph::topology::{Boundary, Topology, TopologyError};
use lnn_physics::sampling::{Distribution, Interval as Range, StateSampler};
use serde::{Deserialize, Serialize};

use crate::config::Interval;

/// Sites and what lies beyond their ends; spacing 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum LatticeConfig {
    /// Sites in a row.
    Line {
        /// Their number.
        sites: usize,
        /// What lies beyond both ends.
        boundary: BoundaryConfig,
    },
    /// A square grid.
    Grid {
        /// Number of rows.
        rows: usize,
        /// Number of columns.
        columns: usize,
        /// What lies beyond all four sides.
        boundary: BoundaryConfig,
    },
}

/// What lies beyond the ends; see [`Boundary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BoundaryConfig {
    /// The last site is a neighbour of the first.
    Periodic,
    /// Field and rate are 0 outside.
    Fixed,
    /// Field and rate outside are those of the end.
    Free,
}

impl From<BoundaryConfig> for Boundary {
    fn from(boundary: BoundaryConfig) -> Self {
        match boundary {
            BoundaryConfig::Periodic => Self::Periodic,
            BoundaryConfig::Fixed => Self::Fixed,
            BoundaryConfig::Free => Self::Free,
        }
    }
}

impl LatticeConfig {
    /// The lattice.
    ///
    /// # Errors
    /// No site, fewer than 3 in a periodic direction, more than 32 bits can number.
    pub fn topology(&self) -> Result<Topology, TopologyError> {
        match *self {
            Self::Line { sites, boundary } => Topology::line(sites, boundary.into()),
            Self::Grid { rows, columns, boundary } => Topology::grid([rows, columns], [boundary.into(); 2]),
        }
    }

    /// Rows and columns; one row for a line.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        match *self {
            Self::Line { sites, .. } => [1, sites],
            Self::Grid { rows, columns, .. } => [rows, columns],
        }
    }

    /// Sites; saturates where they cannot be numbered.
    #[must_use]
    pub fn sites(&self) -> usize {
        let [rows, columns] = self.shape();
        rows.saturating_mul(columns)
    }

    /// Whether it is a grid.
    #[must_use]
    pub fn is_grid(&self) -> bool {
        matches!(self, Self::Grid { .. })
    }
}

/// The field that is learned, in lattice units: spacing 1, speeds in sites a unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FieldKind {
    /// Waves of one speed: φ̈_i = c² Σ_neighbours (φ_j − φ_i).
    Wave {
        /// Speed c.
        speed: f64,
    },
    /// Waves in a medium, whose speed at a site is a known attribute of it.
    ///
    /// Models are trained on speeds that cover the range from `slowest` to `fastest` evenly, in an order drawn by the
    /// seed, and judged on a profile within the same range.
    Medium {
        /// Profile that models are judged on.
        profile: SpeedProfile,
        /// Smallest speed.
        slowest: f64,
        /// Largest speed.
        fastest: f64,
    },
    /// The sine-Gordon equation φ_tt = φ_xx − sin φ on points of a spacing h, in units of h for length and time:
    /// φ̈_i = Σ_neighbours (φ_j − φ_i) − h² sin φ_i.
    SineGordon {
        /// Spacing h, in units of the width of a kink at rest.
        spacing: f64,
    },
}

/// How the speed depends on the place, between `slowest` and `fastest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpeedProfile {
    /// The mean of both everywhere.
    Constant,
    /// `slowest` in the middle half of the columns, `fastest` in the others.
    Step,
    /// One wave from side to side: the mean, `fastest` at a quarter, `slowest` at three quarters.
    Sine,
    /// Evenly from `slowest` to `fastest`.
    Ramp,
}

impl SpeedProfile {
    /// All of them, as the command line names them.
    pub const NAMED: [(&'static str, Self); 4] =
        [("constant", Self::Constant), ("step", Self::Step), ("sine", Self::Sine), ("ramp", Self::Ramp)];

    /// Name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Step => "step",
            Self::Sine => "sine",
            Self::Ramp => "ramp",
        }
    }

    /// Share of the way from `slowest` to `fastest` at `column` of `columns`.
    fn share(self, column: usize, columns: usize) -> f64 {
        let place = column as f64 / columns as f64;
        match self {
            Self::Constant => 0.5,
            Self::Step => f64::from(u8::from(!(0.25..0.75).contains(&place))),
            Self::Sine => 0.5 + 0.5 * (TAU * place).sin(),
            Self::Ramp => column as f64 / (columns - 1).max(1) as f64,
        }
    }
}

/// A field of known truth on its lattice.
#[derive(Clone, Debug, PartialEq)]
pub enum KnownField {
    /// Waves of one speed or in a medium.
    Wave(Wave),
    /// The sine-Gordon equation.
    SineGordon(SineGordon),
}

impl KnownField {
    /// The field's equation, energy and attributes.
    #[must_use]
    pub fn field(&self) -> &dyn Field {
        match self {
            Self::Wave(wave) => wave,
            Self::SineGordon(field) => field,
        }
    }
}

impl FieldKind {
    /// The field on the lattice that models are judged on.
    ///
    /// # Errors
    /// A parameter that describes no field.
    pub fn on(&self, lattice: &LatticeConfig, topology: Arc<Topology>) -> Result<KnownField, FieldError> {
        let Self::Medium { profile, slowest, fastest } = *self else { return self.uniform(topology) };
        let columns = lattice.shape()[1];
        let speed = |site: usize| slowest + (fastest - slowest) * profile.share(site % columns, columns);
        let speeds = (0..topology.sites()).map(speed).collect();
        Ok(KnownField::Wave(Wave::inhomogeneous(topology, speeds)?))
    }

    /// The field on the lattice that models are trained on; `order` draws the places of a medium's speeds.
    ///
    /// # Errors
    /// A parameter that describes no field.
    pub fn for_training(&self, topology: Arc<Topology>, order: &StateSampler) -> Result<KnownField, FieldError> {
        let Self::Medium { slowest, fastest, .. } = *self else { return self.uniform(topology) };
        let sites = topology.sites();
        let mut keys = vec![0.0; sites];
        order.fill(0, &[Distribution::Uniform(Range::constant(0.0, 1.0))], &mut keys);
        let mut places: Vec<usize> = (0..sites).collect();
        places.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
        let mut speeds = vec![0.0; sites];
        for (rank, place) in places.into_iter().enumerate() {
            speeds[place] = slowest + (fastest - slowest) * rank as f64 / (sites - 1).max(1) as f64;
        }
        Ok(KnownField::Wave(Wave::inhomogeneous(topology, speeds)?))
    }

    fn uniform(&self, topology: Arc<Topology>) -> Result<KnownField, FieldError> {
        match *self {
            Self::Wave { speed } => Ok(KnownField::Wave(Wave::new(topology, speed)?)),
            Self::SineGordon { spacing } => Ok(KnownField::SineGordon(SineGordon::new(topology, 1.0, spacing)?)),
            Self::Medium { .. } => unreachable!("a medium has speeds of its own at every site"),
        }
    }

    /// Attributes of a site that models see.
    #[must_use]
    pub fn site_attributes(&self) -> usize {
        usize::from(matches!(self, Self::Medium { .. }))
    }

    /// Time that a wave takes along one row of the lattice that is judged.
    #[must_use]
    pub fn crossing_time(&self, lattice: &LatticeConfig) -> f64 {
        let columns = lattice.shape()[1];
        match *self {
            Self::Wave { speed } => columns as f64 / speed,
            Self::Medium { profile, slowest, fastest } => (0..columns)
                .map(|column| (slowest + (fastest - slowest) * profile.share(column, columns)).recip())
                .sum(),
            Self::SineGordon { .. } => columns as f64,
        }
    }

    /// The field in words.
    #[must_use]
    pub fn describe(&self) -> String {
        match *self {
            Self::Wave { speed } => format!("the wave equation, speed {speed}"),
            Self::Medium { profile, slowest, fastest } => {
                let profile = profile.name();
                format!("the wave equation in a medium of speeds {slowest} to {fastest}, profile {profile}")
            }
            Self::SineGordon { spacing } => format!("the sine-Gordon equation on points of spacing {spacing}"),
        }
    }
}

/// Random states of training and of the held-out set; see [`RandomStates`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatesConfig {
    /// Probability of a smooth state.
    pub smooth_share: f64,
    /// Probability of a rough state; the rest are mixtures.
    pub rough_share: f64,
    /// Highest standing wave of smooth states on the training lattice; on another, as many as keep the shortest
    /// wavelength.
    pub modes: usize,
    /// Root mean square of φ.
    pub field_amplitude: f64,
    /// Root mean square of φ̇.
    pub rate_amplitude: f64,
    /// Range of a number, the same for all sites, that is added to φ.
    pub offset: Option<Interval>,
}

impl Default for StatesConfig {
    /// Two fifths smooth of up to 4 waves, one fifth rough, the rest mixtures; amplitudes ½.
    fn default() -> Self {
        Self { smooth_share: 0.4, rough_share: 0.2, modes: 4, field_amplitude: 0.5, rate_amplitude: 0.5, offset: None }
    }
}

impl StatesConfig {
    /// The distribution on the training lattice.
    ///
    /// # Errors
    /// Shares, amplitudes or modes that make no states there.
    pub fn distribution(&self, topology: &Topology, components: usize) -> Result<FieldDistribution, FieldError> {
        FieldDistribution::new(topology, components, self.states(self.modes)?)
    }

    /// The distribution on `lattice`, of the same shortest wavelength as on the lattice `trained` on.
    ///
    /// # Errors
    /// As [`distribution`](Self::distribution).
    pub fn distribution_on(
        &self,
        (lattice, topology): (&LatticeConfig, &Topology),
        trained: &LatticeConfig,
        components: usize,
    ) -> Result<FieldDistribution, FieldError> {
        let longest = |lattice: &LatticeConfig| lattice.shape().into_iter().max().unwrap_or(1);
        let modes = self.modes.saturating_mul(longest(lattice)).div_ceil(longest(trained).max(1));
        FieldDistribution::new(topology, components, self.states(modes)?)
    }

    fn states(&self, modes: usize) -> Result<RandomStates, FieldError> {
        let Self { smooth_share, rough_share, field_amplitude, rate_amplitude, offset, .. } = *self;
        let offset = offset.map(|Interval { low, high }| {
            Distribution::uniform(low, high).map_err(|_| FieldError::InvalidParameter {
                of: "random states",
                parameter: "offset.low",
                given: low,
                expected: "a finite number below a finite `high`",
            })
        });
        let offset = offset.transpose()?;
        Ok(RandomStates { smooth_share, rough_share, modes, field_amplitude, rate_amplitude, offset })
    }
}
