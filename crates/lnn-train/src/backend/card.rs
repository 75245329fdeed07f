//! A graphics card with what earlier runs have kept for it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lnn_gpu::device::{AdapterChoice, Device, DeviceError, DeviceOptions, PipelineCacheData};
use lnn_physics::System;

use super::cache::{CacheFolder, CacheProblem, TunedTiles, load_pipelines, save_pipelines};
use super::choice::BackendError;
use super::training::DeviceTraining;
use crate::config::ExperimentConfig;
use crate::experiment::ExperimentError;

/// An open device, its tuned tiles, and the folder where they and its compiled kernels are kept.
#[derive(Clone, Debug)]
pub struct Card {
    device: Device,
    tiles: TunedTiles,
    folder: Option<CacheFolder>,
    /// Compiled kernels as they are in the folder.
    kept: Arc<Mutex<Option<PipelineCacheData>>>,
    notices: Vec<String>,
}

impl Card {
    /// Opens an adapter with what `folder` has for it; what it has and cannot be used is among the
    /// [notices](Self::notices).
    ///
    /// # Errors
    /// There is no adapter, or none that fits the choice, or the driver refuses.
    pub fn open(adapter: &AdapterChoice, folder: Option<CacheFolder>) -> Result<Self, DeviceError> {
        let options = DeviceOptions { adapter: adapter.clone(), ..DeviceOptions::default() };
        let mut notices = Vec::new();
        let mut kept = None;
        let device = Device::open_with_cache(&options, |adapter| {
            kept = folder.as_ref().and_then(|folder| {
                load_pipelines(folder, adapter).unwrap_or_else(|problem| {
                    notices.push(problem.to_string());
                    None
                })
            });
            kept.clone()
        })?;
        let (tiles, problems) = match &folder {
            Some(folder) => TunedTiles::load(folder, device.adapter()),
            None => Default::default(),
        };
        notices.extend(problems.iter().map(ToString::to_string));
        Ok(Self { device, tiles, folder, kept: Arc::new(Mutex::new(kept)), notices })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What was tuned for this adapter.
    pub fn tiles(&self) -> &TunedTiles {
        &self.tiles
    }

    /// What was kept and cannot be used, a sentence each.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The training of model `name` for `seeds` with the tuned tiles; with the default ones where those do not fit, which may
    /// need more memory in a deeper network than the one they were tuned for. Then also a sentence that says so.
    ///
    /// # Errors
    /// As [`DeviceTraining::of_seeds`].
    ///
    /// # Panics
    /// As `of_seeds`.
    pub fn training(
        &self,
        config: &ExperimentConfig,
        name: &str,
        system: &Arc<dyn System>,
        seeds: &[u64],
    ) -> Result<(DeviceTraining, Option<String>), ExperimentError> {
        let with = |tiles: &TunedTiles| {
            DeviceTraining::with_tiles(&self.device, config, name, Arc::clone(system), seeds, tiles)
        };
        let fault = match with(&self.tiles) {
            Ok(training) => return Ok((training, None)),
            Err(fault @ ExperimentError::Backend(BackendError::Device(_))) if self.tiles != TunedTiles::default() => {
                fault
            }
            Err(other) => return Err(other),
        };
        match with(&TunedTiles::default()) {
            Ok(training) => {
                let notice = format!("{name}: the tuned tiles are left aside, and the default ones taken: {fault}");
                Ok((training, Some(notice)))
            }
            Err(_) => Err(fault),
        }
    }

    /// Keeps the kernels that the driver has compiled so far for later runs, if there is anything new; says whether there was.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_kernels(&self) -> Result<bool, CacheProblem> {
        let Some((folder, data)) = self.folder.as_ref().zip(self.device.pipeline_cache()) else { return Ok(false) };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref() == Some(&data) {
            return Ok(false);
        }
        save_pipelines(folder, self.device.adapter(), &data)?;
        *kept = Some(data);
        Ok(true)
    }

    /// Keeps tuned tiles in the folder, if there is one; says where.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_tiles(&mut self, tiles: TunedTiles) -> Result<Option<PathBuf>, CacheProblem> {
        self.tiles = tiles;
        self.folder.as_ref().map(|folder| self.tiles.store(folder, self.device.adapter())).transpose()
    }
}
