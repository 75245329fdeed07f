//! A graphics card: found, opened, its buffers, its kernels, and the recording of their dispatches.
//!
//! Everything is planned once: [`Buffer`]s and [`Kernel`]s are made, kernels are [bound](Kernel::bind) to buffers, and
//! a [`Recorder`] then writes any number of dispatches into one submission. Nothing is read back but by
//! [`Device::download`].
//!
//! A fault that the driver reports outside a call, such as a lost device, is returned by the next call and by every
//! one after it. No call waits longer than the time limit of [`DeviceOptions`].

mod activity;
mod adapter;
mod buffer;
mod constant_memory;
mod error;
mod health;
mod kernel;
mod pipeline_cache;
mod recorder;
mod timestamps;
mod transfer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use activity::Activity;
use activity::Counters;
pub use adapter::{AdapterChoice, AdapterKind, AdapterSummary, adapters};
pub(crate) use buffer::PART_BYTES;
pub use buffer::{Argument, Buffer, Uniforms};
pub use constant_memory::ConstantMemory;
pub use error::DeviceError;
use health::Health;
pub use kernel::{BoundKernel, Kernel};
pub use pipeline_cache::PipelineCacheData;
pub use recorder::Recorder;
pub use timestamps::Timestamps;

/// Whether kernels check their own indices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShaderChecks {
    /// No checks but the hardware's: for kernels that the tests have run with checks.
    #[default]
    Off,
    /// Every index is held within its buffer, every loop is bounded.
    On,
}

/// How a device is opened.
#[derive(Clone, Debug)]
pub struct DeviceOptions {
    /// Which adapter.
    pub adapter: AdapterChoice,
    /// Whether kernels check their indices.
    pub checks: ShaderChecks,
    /// How long a call waits for the device at most.
    pub time_limit: Duration,
    /// Where kernels' constants are; nothing for what suits the driver.
    pub constants: Option<ConstantMemory>,
    /// Kernels as the driver compiled them in an earlier run; those of another driver are ignored.
    pub pipeline_cache: Option<PipelineCacheData>,
}

impl Default for DeviceOptions {
    /// The best adapter, without checks, with 60 s of patience.
    fn default() -> Self {
        let (adapter, checks) = (AdapterChoice::Best, ShaderChecks::Off);
        Self { adapter, checks, time_limit: Duration::from_secs(60), constants: None, pipeline_cache: None }
    }
}

impl DeviceOptions {
    /// As the default, with checks in the kernels: slower, for tests.
    pub fn checked() -> Self {
        Self { checks: ShaderChecks::On, ..Self::default() }
    }
}

/// An open device. Copies refer to the same one.
#[derive(Clone, Debug)]
pub struct Device {
    raw: wgpu::Device,
    queue: wgpu::Queue,
    adapter: Arc<AdapterSummary>,
    limits: Arc<wgpu::Limits>,
    health: Health,
    counters: Arc<Counters>,
    checks: ShaderChecks,
    constants: ConstantMemory,
    time_limit: Duration,
    pipelines: Option<wgpu::PipelineCache>,
    kernels: Arc<Mutex<HashMap<kernel::KernelKey, Kernel>>>,
    /// Bytes of the buffers that were made.
    allocated: Arc<AtomicU64>,
    /// Where downloads are copied to before they are read.
    staging: Arc<Mutex<Option<wgpu::Buffer>>>,
}

/// What is used where it is there, and not asked for elsewhere.
const OPTIONAL_FEATURES: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::TIMESTAMP_QUERY_INSIDE_ENCODERS)
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::SHADER_F64)
    .union(wgpu::Features::PIPELINE_CACHE);

impl Device {
    /// Opens an adapter with all that it offers.
    ///
    /// # Errors
    /// There is no adapter, or none that fits the choice, or the driver refuses.
    pub fn open(options: &DeviceOptions) -> Result<Self, DeviceError> {
        Self::open_with_cache(options, |_| options.pipeline_cache.clone())
    }

    /// As [`open`](Self::open), with the pipeline cache that `cache` has for the adapter that was chosen, in place of that of
    /// the options.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with_cache(
        options: &DeviceOptions,
        cache: impl FnOnce(&AdapterSummary) -> Option<PipelineCacheData>,
    ) -> Result<Self, DeviceError> {
        let (adapter, summary) = adapter::choose(&options.adapter)?;
        let limits = adapter.limits();
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("lnn"),
            required_features: adapter.features() & OPTIONAL_FEATURES,
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        };
        let (raw, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|error| DeviceError::Refused { adapter: summary.name.clone(), message: error.to_string() })?;
        let health = Health::watch(&raw, &summary.name);
        let pipelines = pipeline_cache::make(&raw, cache(&summary).as_ref());
        Ok(Self {
            raw,
            queue,
            constants: options.constants.unwrap_or_else(|| ConstantMemory::suited_to(&summary)),
            adapter: Arc::new(summary),
            limits: Arc::new(limits),
            health,
            counters: Arc::default(),
            checks: options.checks,
            time_limit: options.time_limit,
            pipelines,
            kernels: Arc::default(),
            allocated: Arc::default(),
            staging: Arc::default(),
        })
    }

    /// The adapter that was opened.
    pub fn adapter(&self) -> &AdapterSummary {
        &self.adapter
    }

    /// How long a call waits for the device at most.
    pub fn time_limit(&self) -> Duration {
        self.time_limit
    }

    /// Bytes of all buffers that were made so far, those that are gone included: what a part of a program takes is the
    /// difference over it.
    pub fn allocated(&self) -> u64 {
        self.allocated.load(Ordering::Relaxed)
    }

    /// Nothing, or the fault that ended the use of this device.
    ///
    /// # Errors
    /// The device was lost, ran out of memory, or refused a command.
    pub fn check(&self) -> Result<(), DeviceError> {
        self.health.check()
    }

    /// Waits until all that was submitted is done.
    ///
    /// # Errors
    /// It takes longer than the time limit, or the device is lost.
    pub fn wait(&self, what: &str) -> Result<(), DeviceError> {
        self.wait_for(what, None)
    }

    /// What was made on this device and moved to and from it since it was opened.
    pub fn activity(&self) -> Activity {
        self.counters.read()
    }

    /// What the driver has compiled so far, for a later run; nothing if the adapter has no such cache.
    pub fn pipeline_cache(&self) -> Option<PipelineCacheData> {
        self.pipelines.as_ref().and_then(wgpu::PipelineCache::get_data).map(PipelineCacheData::new)
    }

    fn wait_for(&self, what: &str, submission: Option<wgpu::SubmissionIndex>) -> Result<(), DeviceError> {
        let wait = wgpu::PollType::Wait { submission_index: submission, timeout: Some(self.time_limit) };
        let adapter = || self.adapter.name.clone();
        let result = self.raw.poll(wait);
        // A lost device ends the wait early, and its own message says more.
        self.health.check()?;
        match result {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => {
                let (what, seconds) = (what.to_owned(), self.time_limit.as_secs_f64());
                Err(DeviceError::TimedOut { what, seconds, adapter: adapter() })
            }
            Err(error) => Err(DeviceError::Refusal { adapter: adapter(), message: error.to_string() }),
        }
    }

    /// Runs `make`; what goes wrong in it becomes an error.
    fn guarded<R>(&self, what: &str, bytes: u64, make: impl FnOnce() -> R) -> Result<R, DeviceError> {
        self.health.check()?;
        let scopes = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::Internal]
            .map(|filter| self.raw.push_error_scope(filter));
        let made = make();
        let mut first = None;
        for scope in scopes.into_iter().rev() {
            first = first.or(pollster::block_on(scope.pop()));
        }
        match first {
            Some(error) => Err(self.health.translate(error, what, bytes)),
            None => Ok(made),
        }
    }

    fn require(&self, what: &str, limit: &'static str, needed: u64, offered: u64) -> Result<(), DeviceError> {
        if needed <= offered {
            return Ok(());
        }
        let (what, adapter) = (what.to_owned(), self.adapter.name.clone());
        Err(DeviceError::Limit { what, limit, needed, offered, adapter })
    }
}
