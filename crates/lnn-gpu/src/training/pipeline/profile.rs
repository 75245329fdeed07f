//! What the kernels of a step take.

use super::Training;
use crate::device::DeviceError;
use crate::kernels::KernelSource;
use crate::step::Terms;

impl Training {
    /// Makes step number `step` with this learning rate, and gives back its kernels in their order, each with the seconds
    /// that it took by the device's clock.
    ///
    /// Dispatches that could overlap are kept apart, so that the sum is above the time of a step in [`run`](Self::run).
    ///
    /// # Errors
    /// The adapter has no clock for kernels; the device is lost or does not answer in time.
    ///
    /// # Panics
    /// If SOAP has no bases yet, which it has after the first step that [`run`](Self::run) made.
    pub fn profile(&mut self, step: u64, rate: f64) -> Result<Vec<(&'static KernelSource, f64)>, DeviceError> {
        assert!(self.optimiser.is_prepared(), "a profile before the bases are there");
        let device = self.device.clone();
        self.source.set_streams(&device, step, 1)?;
        loop {
            self.synchronise()?;
            self.control.set_rates(&device, 0, &[rate], self.terms)?;
            // Recorded once to be counted, and never submitted.
            let mut counted = device.recorder("count");
            self.record_step(&mut counted, 0, step, self.terms);
            let times = device.timestamps(counted.dispatches())?;
            drop(counted);
            let mut recorder = device.recorder("profile");
            recorder.clear(&self.tally);
            recorder.time_each_dispatch(&times);
            self.record_step(&mut recorder, 0, step, self.terms);
            let kernels = recorder.timed_kernels().to_vec();
            recorder.keep_times(&times);
            recorder.submit()?;
            if self.taken(&self.control.download_states(&device)?) == 1 {
                let seconds = times.seconds(&device)?;
                return Ok(kernels.into_iter().zip(seconds).collect());
            }
            self.terms = Terms::All;
        }
    }

    /// Partial sums that a gradient is made of.
    pub fn gradient_parts(&self) -> usize {
        self.network.gradient_parts()
    }
}
