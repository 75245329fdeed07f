//! Random states drawn on the device, the same as on the processor.
//!
//! The generator is that of `lnn_physics::sampling::StateSampler`: ChaCha with 8 rounds, as a function of (seed, domain,
//! stream, index). A uniform component is computed in whole numbers and has the bits of the processor's number in double
//! precision, rounded to single, on every device. The normal ones agree to some ten units in the last place.

use bytemuck::{Pod, Zeroable};

use crate::device::{Buffer, Device, DeviceError, Recorder, Uniforms};
use crate::kernels::SAMPLE_STATES;
use crate::stage::{Stage, require};

/// What one component of a state is drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Uniform on [low, high).
    Uniform {
        /// Lower end.
        low: f64,
        /// Upper end, above the lower; both and their difference finite.
        high: f64,
    },
    /// mean + deviation · N.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation, above 0.
        deviation: f64,
    },
    /// bound · tanh(spread · N).
    BoundedNormal {
        /// Largest magnitude of a draw, above 0.
        bound: f64,
        /// Factor of N, above 0.
        spread: f64,
    },
}

/// A distribution as the kernel sees it.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct DistributionRecord {
    low: [u32; 2],
    span: [u32; 2],
    largest: u32,
    kind: u32,
    location: f32,
    scale: f32,
}

impl DistributionRecord {
    fn of(distribution: Distribution) -> Self {
        let empty = Self { low: [0; 2], span: [0; 2], largest: 0, kind: 0, location: 0.0, scale: 0.0 };
        match distribution {
            Distribution::Uniform { low, high } => {
                assert!(low < high && (high - low).is_finite(), "the interval [{low}, {high}) cannot be drawn from");
                let largest = (high.next_down() as f32).to_bits();
                Self { low: words(low.to_bits()), span: words((high - low).to_bits()), largest, ..empty }
            }
            Distribution::Normal { mean, deviation } => {
                Self { kind: 1, location: mean as f32, scale: deviation as f32, ..empty }
            }
            Distribution::BoundedNormal { bound, spread } => {
                Self { kind: 2, location: bound as f32, scale: spread as f32, ..empty }
            }
        }
    }
}

/// Low and high word.
fn words(bits: u64) -> [u32; 2] {
    [bits as u32, (bits >> 32) as u32]
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Draw {
    domain: [u32; 2],
    stream: [u32; 2],
    first_block: [u32; 2],
    first_place: u32,
    count: u32,
    width: u32,
    models: u32,
    first_distribution: u32,
    first_out: u32,
    model_stride: u32,
    padding: u32,
}

/// What is drawn, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawSettings<'a> {
    /// Seed of each model.
    pub seeds: &'a [u64],
    /// The purpose: training, held-out states or rollouts.
    pub domain: u64,
    /// Components of a state.
    pub width: usize,
    /// Number of the first state of the stream that is drawn.
    pub first_state: u64,
    /// States of a model that are drawn.
    pub rows: usize,
    /// Row of the model's states that the first one becomes.
    pub first_row: usize,
    /// Rows of a model in the buffer.
    pub model_rows: usize,
    /// How many draws one submission can hold.
    pub draws: usize,
    /// How many tables of distributions there are.
    pub tables: usize,
}

/// One draw: a stream, usually the training step's number, and the table of distributions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Number of the stream.
    pub stream: u64,
    /// Number of the table.
    pub table: usize,
}

/// Draws of states into one buffer.
#[derive(Clone, Debug)]
pub struct StateSampler {
    template: Draw,
    constants: Uniforms<Draw>,
    tables: Buffer<DistributionRecord>,
    width: usize,
    stage: Stage,
}

impl StateSampler {
    /// Plans draws into `states` `[models, model_rows, width]`.
    ///
    /// # Errors
    /// The kernel cannot be compiled, or the device has no memory left.
    ///
    /// # Panics
    /// If there is no model, component, draw or table, or `states` is too short.
    pub fn new(device: &Device, settings: DrawSettings<'_>, states: &Buffer<f32>) -> Result<Self, DeviceError> {
        let DrawSettings { seeds, domain, width, first_state, rows, first_row, model_rows, draws, tables } = settings;
        assert!(width > 0 && draws > 0 && tables > 0, "at least one component, draw and table");
        assert!(!seeds.is_empty(), "at least one model");
        assert!(first_row + rows <= model_rows, "rows {first_row} to {} of {model_rows}", first_row + rows);
        require("states", states, seeds.len() * model_rows * width);
        let seed_words: Vec<[u32; 2]> = seeds.iter().map(|&seed| words(seed)).collect();
        let seeds_buffer = device.buffer("seeds", seed_words.len())?;
        device.upload(&seeds_buffer, 0, &seed_words)?;
        let constants = device.uniforms("draws", draws)?;
        let table_buffer = device.buffer("distributions", tables * width)?;
        // Eight numbers a block; the count starts again at 2⁶⁴ blocks, as that of the twin does.
        let first_number = u128::from(first_state) * width as u128;
        let template = Draw {
            domain: words(domain),
            stream: [0; 2],
            first_block: words((first_number / 8) as u64),
            first_place: (first_number % 8) as u32,
            count: (rows * width) as u32,
            width: width as u32,
            models: seeds.len() as u32,
            first_distribution: 0,
            first_out: (first_row * width) as u32,
            model_stride: (model_rows * width) as u32,
            padding: 0,
        };
        let blocks = (template.first_place as usize + rows * width).div_ceil(8);
        let arguments = [(&constants).into(), (&seeds_buffer).into(), (&table_buffer).into(), states.into()];
        let stage = Stage::new(device, SAMPLE_STATES.only(), &arguments, seeds.len() * blocks)?;
        Ok(Self { template, constants, tables: table_buffer, width, stage })
    }

    /// Sets table number `table` to the distributions of the components, `[width]`.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If there are more or fewer distributions, there is no such table, or an interval is empty or not finite.
    pub fn set_table(&self, device: &Device, table: usize, distributions: &[Distribution]) -> Result<(), DeviceError> {
        assert_eq!(distributions.len(), self.width, "a distribution for each component");
        let records: Vec<_> = distributions.iter().map(|&distribution| DistributionRecord::of(distribution)).collect();
        device.upload(&self.tables, table * self.width, &records)
    }

    /// Sets what the draws from number `first` on are, before what is submitted next.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If there are not so many draws, or there is no such table.
    pub fn set_streams(&self, device: &Device, first: usize, streams: &[Stream]) -> Result<(), DeviceError> {
        let draw = |&Stream { stream, table }: &Stream| {
            let first_distribution = table * self.width;
            assert!(first_distribution < self.tables.len(), "table {table} of {}", self.tables.len() / self.width);
            Draw { stream: words(stream), first_distribution: first_distribution as u32, ..self.template }
        };
        let records: Vec<_> = streams.iter().map(draw).collect();
        device.upload_uniforms(&self.constants, first, &records)
    }

    /// Draw number `draw`.
    ///
    /// # Panics
    /// If there is no such draw.
    pub fn record(&self, recorder: &mut Recorder, draw: usize) {
        self.stage.record_with(recorder, draw);
    }
}
