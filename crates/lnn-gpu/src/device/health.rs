//! What the driver reported outside any call: a lost device, an error that no call returned.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::DeviceError;

/// The first fault of a device, which every later call returns.
#[derive(Clone, Debug)]
pub(super) struct Health {
    adapter: String,
    fault: Arc<Mutex<Option<DeviceError>>>,
}

impl Health {
    /// Watches `device` from now on.
    pub(super) fn watch(device: &wgpu::Device, adapter: &str) -> Self {
        let health = Self { adapter: adapter.to_owned(), fault: Arc::default() };
        let lost = health.clone();
        device.set_device_lost_callback(move |reason, message| {
            // `destroy` is our own doing.
            if reason != wgpu::DeviceLostReason::Destroyed {
                let reason = if message.is_empty() { "the driver gave no reason".to_owned() } else { message };
                lost.report(DeviceError::Lost { adapter: lost.adapter.clone(), reason });
            }
        });
        let uncaptured = health.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            let error = uncaptured.translate(error, "an allocation of the driver's own", 0);
            uncaptured.report(error);
        }));
        health
    }

    /// Nothing, or the first fault.
    pub(super) fn check(&self) -> Result<(), DeviceError> {
        self.fault().as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }

    pub(super) fn report(&self, error: DeviceError) {
        self.fault().get_or_insert(error);
    }

    /// Our error for one of wgpu's.
    pub(super) fn translate(&self, error: wgpu::Error, what: &str, bytes: u64) -> DeviceError {
        let adapter = self.adapter.clone();
        match error {
            wgpu::Error::OutOfMemory { .. } => DeviceError::OutOfMemory { adapter, what: what.to_owned(), bytes },
            wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
                DeviceError::Refusal { adapter, message: description }
            }
        }
    }

    fn fault(&self) -> MutexGuard<'_, Option<DeviceError>> {
        // A panic elsewhere does not make the record wrong.
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
