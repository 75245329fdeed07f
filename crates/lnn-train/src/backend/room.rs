//! Whether the members of an ensemble find room on a graphics card side by side.

use lnn_gpu::device::DeviceError;

use super::card::Card;
use super::choice::BackendError;
use super::recipe::trained_side_by_side;
use crate::config::ExperimentConfig;
use crate::experiment::{ExperimentError, build_model_for, build_system};

/// Makes the training of each model whose members are trained side by side, and gives it up again: before a run begins and
/// not after hours of it.
///
/// # Errors
/// [`BackendError::NoRoom`], with what is needed, for the first model whose members do not fit; the device's own fault where it
/// is another, or where not one of them fits.
pub(super) fn require_room(card: &Card, config: &ExperimentConfig) -> Result<(), BackendError> {
    if config.ensemble < 2 {
        return Ok(());
    }
    // What cannot be built is refused with its own words when the run begins.
    let Ok(system) = build_system(&config.system) else { return Ok(()) };
    for (name, model_config) in &config.models {
        let Ok(model) = build_model_for(model_config, &*system) else { continue };
        if !trained_side_by_side(&model) {
            continue;
        }
        let seeds: Vec<u64> = config.seeds().collect();
        let device = card.device();
        let take = |seeds: &[u64]| {
            let before = device.allocated();
            let made = card.training(config, name, &system, seeds);
            made.map(|_| device.allocated() - before)
        };
        if let Err(ExperimentError::Backend(BackendError::Device(source))) = take(&seeds) {
            if !matches!(source, DeviceError::Limit { .. } | DeviceError::OutOfMemory { .. }) {
                return Err(source.into());
            }
            // One for which there is no room either is refused as in a run of one seed.
            let of_one = match take(&seeds[..1]) {
                Ok(bytes) => bytes,
                Err(ExperimentError::Backend(error)) => return Err(error),
                Err(_) => return Err(source.into()),
            };
            let (name, members) = (name.clone(), seeds.len());
            let megabytes = (members as u64 * of_one).div_ceil(1 << 20);
            return Err(BackendError::NoRoom { name, members, megabytes, source: Box::new(source) });
        }
    }
    Ok(())
}
