//! Random states of a field: smooth, rough, and mixtures of both.

use lnn_physics::sampling::{Distribution, Interval, Normal, StateSampler};

use super::error::{FieldError, non_negative};
use super::modes::{AxisModes, axes, highest};
use crate::topology::Topology;

const OF: &str = "random states";
const UNIT: Distribution = Distribution::Uniform(Interval::constant(0.0, 1.0));
const NORMAL: Distribution = Distribution::Normal(Normal::constant(0.0, 1.0));

/// Normal numbers drawn at a time.
const CHUNK: usize = 16;

/// What random states are made of.
///
/// - A *smooth* state is a sum of the lowest standing waves of the lattice (sines and cosines that fit
///   its ends), with independent normal coefficients of equal variance, for φ and φ̇ apart. The constant is
///   left out.
/// - A *rough* state is white noise: independent normal numbers at every site.
/// - A *mixture* is √w · smooth + √(1 − w) · rough with w uniform in [0, 1).
///
/// All three have the same amplitudes.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomStates {
    /// Probability of a smooth state.
    pub smooth_share: f64,
    /// Probability of a rough state; what remains to 1 are mixtures.
    pub rough_share: f64,
    /// Highest standing wave of a smooth state in each direction: `modes` wavelengths on a periodic line,
    /// half wavelengths between open ends. In a shorter direction, as many as it has. Without a meaning
    /// when all states are rough.
    pub modes: usize,
    /// Root of the mean square of φ, over states and sites.
    pub field_amplitude: f64,
    /// Root of the mean square of φ̇, over states and sites.
    pub rate_amplitude: f64,
    /// What one number, the same for all sites, is drawn from and added to φ of each state, for each
    /// component apart.
    pub offset: Option<Distribution>,
}

impl RandomStates {
    /// Smooth states only, without offset.
    #[must_use]
    pub fn smooth(modes: usize, field_amplitude: f64, rate_amplitude: f64) -> Self {
        Self { smooth_share: 1.0, rough_share: 0.0, modes, field_amplitude, rate_amplitude, offset: None }
    }

    /// Rough states only, without offset.
    #[must_use]
    pub fn rough(field_amplitude: f64, rate_amplitude: f64) -> Self {
        Self { smooth_share: 0.0, rough_share: 1.0, modes: 0, field_amplitude, rate_amplitude, offset: None }
    }
}

/// Random states of a field on one topology: state i is a function of seed, stream and i alone.
///
/// State i owns the numbers i·W … (i + 1)·W − 1 of the sampler's stream
/// ([`numbers_per_state`](Self::numbers_per_state)): the kind, w, an offset for each of c components,
/// 2·c·K coefficients of K standing waves, 2·n·c numbers for the sites; it uses those that its kind
/// needs.
///
/// ```
/// use lnn_graph::fields::{FieldDistribution, RandomStates};
/// use lnn_graph::topology::{Boundary, Topology};
/// use lnn_physics::sampling::StateSampler;
///
/// let ring = Topology::line(10, Boundary::Periodic)?;
/// let states = RandomStates {
///     smooth_share: 0.4,
///     rough_share: 0.4,
///     modes: 3,
///     field_amplitude: 1.0,
///     rate_amplitude: 0.5,
///     offset: None,
/// };
/// let distribution = FieldDistribution::new(&ring, 1, states)?;
/// let sampler = StateSampler::new(7, 0);
/// let mut batch = [0.0; 3 * 20];
/// distribution.fill(&sampler, 42, 0, &mut batch);
/// // The third state alone, as another thread would draw it.
/// let mut third = [0.0; 20];
/// distribution.fill(&sampler, 42, 2, &mut third);
/// assert_eq!(batch[40..], third);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDistribution {
    sites: usize,
    components: usize,
    states: RandomStates,
    /// Standing waves of rows and columns, unless all states are rough.
    waves: Option<[AxisModes; 2]>,
    /// Number K of products of them, the constant left out.
    wave_count: usize,
}

impl FieldDistribution {
    /// The distribution for fields of `components` components on `topology`.
    ///
    /// # Errors
    /// [`FieldError`]: no component, shares that are no probabilities, an amplitude that is negative or
    /// not finite; unless all states are rough, a graph (which has no standing waves of its own here), or
    /// modes that the lattice does not have.
    pub fn new(topology: &Topology, components: usize, states: RandomStates) -> Result<Self, FieldError> {
        if components == 0 {
            let expected = "at least 1";
            return Err(FieldError::InvalidParameter { of: OF, parameter: "components", given: 0.0, expected });
        }
        let (smooth, rough) = (states.smooth_share, states.rough_share);
        if !(smooth >= 0.0 && rough >= 0.0 && smooth + rough <= 1.0) {
            return Err(FieldError::InvalidShares { smooth, rough });
        }
        non_negative(OF, "field_amplitude", states.field_amplitude)?;
        non_negative(OF, "rate_amplitude", states.rate_amplitude)?;
        let waves = if rough < 1.0 { Some(standing_waves(topology, states.modes)?) } else { None };
        let wave_count = waves.as_ref().map_or(0, |[rows, columns]| products(rows, columns).count());
        Ok(Self { sites: topology.sites(), components, states, waves, wave_count })
    }

    /// What the states are made of.
    #[must_use]
    pub fn states(&self) -> &RandomStates {
        &self.states
    }

    /// Length 2·n·c of a state.
    #[must_use]
    pub fn state_length(&self) -> usize {
        2 * self.sites * self.components
    }

    /// Numbers W of the sampler's stream that belong to one state.
    #[must_use]
    pub fn numbers_per_state(&self) -> u64 {
        self.first_rough_number() + self.state_length() as u64
    }

    /// Fills `out` `[states, 2·n·c]`, each `[φ, φ̇]`, with the states `first`, `first + 1`, … of `stream`.
    /// Allocates nothing.
    ///
    /// # Panics
    /// When `out` does not hold a whole number of states, or the stream has no such states (a stream has
    /// 2⁶⁴ numbers).
    pub fn fill(&self, sampler: &StateSampler, stream: u64, first: u64, out: &mut [f64]) {
        let length = self.state_length();
        let given = out.len();
        assert!(given.is_multiple_of(length), "{given} numbers do not hold whole states of {length}");
        let last = u128::from(first) + (given / length) as u128;
        let end = last * u128::from(self.numbers_per_state());
        assert!(end <= u128::from(u64::MAX), "state {last} lies beyond the 2⁶⁴ numbers of a stream");
        for (index, state) in out.chunks_exact_mut(length).enumerate() {
            let numbers = Numbers { sampler, stream, first: (first + index as u64) * self.numbers_per_state() };
            self.fill_one(&numbers, state);
        }
    }

    fn fill_one(&self, numbers: &Numbers<'_>, state: &mut [f64]) {
        let mut choice = [0.0; 2];
        numbers.read(0, UNIT, &mut choice);
        let [kind, weight] = choice;
        let smooth_weight = if kind < self.states.smooth_share {
            1.0
        } else if kind < self.states.smooth_share + self.states.rough_share {
            0.0
        } else {
            weight
        };
        let amplitudes = [self.states.field_amplitude, self.states.rate_amplitude];
        let unknowns = self.sites * self.components;
        if smooth_weight < 1.0 {
            numbers.read(self.first_rough_number(), NORMAL, state);
            for (half, amplitude) in state.chunks_exact_mut(unknowns).zip(amplitudes) {
                let scale = amplitude * (1.0 - smooth_weight).sqrt();
                half.iter_mut().for_each(|value| *value *= scale);
            }
        } else {
            state.fill(0.0);
        }
        if let Some(waves) = self.waves.as_ref().filter(|_| smooth_weight > 0.0) {
            let scale = (smooth_weight / self.wave_count as f64).sqrt();
            for (part, (half, amplitude)) in state.chunks_exact_mut(unknowns).zip(amplitudes).enumerate() {
                for component in 0..self.components {
                    let first =
                        self.first_wave_number() + ((part * self.components + component) * self.wave_count) as u64;
                    let mut coefficients = numbers.normals(first, self.wave_count);
                    self.add_waves(waves, component, half, || scale * amplitude * coefficients.next());
                }
            }
        }
        if let Some(offset) = self.states.offset {
            for component in 0..self.components {
                let mut shift = [0.0];
                numbers.read(2 + component as u64, offset, &mut shift);
                state[..unknowns].iter_mut().skip(component).step_by(self.components).for_each(|phi| *phi += shift[0]);
            }
        }
    }

    /// Adds every standing wave with the next coefficient to one component of `half` `[n, c]`.
    fn add_waves(
        &self,
        [rows, columns]: &[AxisModes; 2],
        component: usize,
        half: &mut [f64],
        mut coefficient: impl FnMut() -> f64,
    ) {
        for (row, column) in products(rows, columns) {
            let coefficient = coefficient();
            let lines = half.chunks_exact_mut(columns.sites() * self.components);
            for (line, across) in lines.zip(rows.function(row)) {
                let factor = coefficient * across;
                for (site, along) in line.chunks_exact_mut(self.components).zip(columns.function(column)) {
                    site[component] += factor * along;
                }
            }
        }
    }

    fn first_wave_number(&self) -> u64 {
        2 + self.components as u64
    }

    fn first_rough_number(&self) -> u64 {
        self.first_wave_number() + (2 * self.components * self.wave_count) as u64
    }
}

fn standing_waves(topology: &Topology, modes: usize) -> Result<[AxisModes; 2], FieldError> {
    let axes = axes(topology).ok_or(FieldError::WrongTopology {
        of: "smooth random states",
        expected: "a line or a grid; set rough_share = 1 on a graph",
        given: topology.kind().describe(),
    })?;
    let most = axes.map(|(sites, boundary)| highest(sites, boundary));
    let longest = most[0].max(most[1]);
    if modes == 0 || modes > longest {
        return Err(FieldError::InvalidModes { given: modes, most: longest });
    }
    let [rows, columns] = [0, 1].map(|axis| AxisModes::new(axes[axis].0, axes[axis].1, modes.min(most[axis])));
    Ok([rows, columns])
}

/// Pairs of a row mode and a column mode, without that of the two constants.
fn products<'a>(rows: &'a AxisModes, columns: &'a AxisModes) -> impl Iterator<Item = (usize, usize)> + 'a {
    (0..rows.count())
        .flat_map(|row| (0..columns.count()).map(move |column| (row, column)))
        .filter(|&(row, column)| !(rows.is_constant(row) && columns.is_constant(column)))
}

/// The numbers of one state in the sampler's stream.
struct Numbers<'a> {
    sampler: &'a StateSampler,
    stream: u64,
    first: u64,
}

impl Numbers<'_> {
    /// The numbers from `from` on, mapped by `distribution`.
    fn read(&self, from: u64, distribution: Distribution, out: &mut [f64]) {
        self.sampler.fill_from(self.stream, self.first + from, &[distribution], out);
    }

    /// `count` normal numbers from `from` on, one after the other.
    fn normals(&self, from: u64, count: usize) -> Normals<'_> {
        Normals { numbers: self, from, left: count, chunk: [0.0; CHUNK], used: CHUNK }
    }
}

/// Normal numbers, drawn [`CHUNK`] at a time.
struct Normals<'a> {
    numbers: &'a Numbers<'a>,
    from: u64,
    left: usize,
    chunk: [f64; CHUNK],
    used: usize,
}

impl Normals<'_> {
    fn next(&mut self) -> f64 {
        debug_assert!(self.left > 0 || self.used < CHUNK, "no more numbers than were asked for");
        if self.used == CHUNK {
            let count = self.left.min(CHUNK);
            self.numbers.read(self.from, NORMAL, &mut self.chunk[..count]);
            self.from += count as u64;
            self.left -= count;
            self.used = 0;
        }
        self.used += 1;
        self.chunk[self.used - 1]
    }
}
