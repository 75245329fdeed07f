//! The choice between the processor and a graphics card.

use lnn_gpu::device::{AdapterChoice, AdapterKind, DeviceError};

use super::cache::CacheFolder;
use super::card::Card;
use super::kernels::{KERNELS, MissingKernel, missing_kernels};
use super::room::require_room;
use crate::config::ExperimentConfig;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asked {
    /// A graphics card if there is one that can do all of the run, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A graphics card, or none of the run.
    Gpu,
}

/// What computes the trainings of a run.
#[derive(Clone, Debug, Default)]
pub enum Backend {
    /// The processor.
    #[default]
    Cpu,
    /// A graphics card, or its likeness in software.
    Gpu {
        /// The card.
        card: Box<Card>,
        /// Whether the processor goes on if the card fails.
        falls_back: bool,
    },
}

impl Backend {
    /// Its name on the command line and in files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu { .. } => "gpu",
        }
    }

    /// Processor, or adapter with its kind, interface and driver, in words.
    pub fn device(&self) -> String {
        match self {
            Self::Cpu => crate::experiment::device(),
            Self::Gpu { card, .. } => card.device().adapter().to_string(),
        }
    }
}

/// A backend, and why it was chosen.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The backend.
    pub backend: Backend,
    /// In words, where the choice was left to the program.
    pub reason: Option<String>,
}

/// Why no backend fits.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// An ensemble that is too large for the adapter.
    #[error(
        "{members} members of `{name}` side by side need about {megabytes} MiB on the graphics card, and it does not have room for all \
         of that: {source}; choose a smaller --ensemble, or compute with --backend cpu"
    )]
    NoRoom {
        /// The model.
        name: String,
        /// Its members.
        members: usize,
        /// What they need in all, in 2²⁰ bytes.
        megabytes: u64,
        /// The buffer that found no room, with what it needs and what there is.
        source: Box<DeviceError>,
    },
    /// Models that no kernels were written for.
    #[error(
        "there are no kernels for all of this run: {}; graphics cards have kernels for {KERNELS}; choose models by --models, \
         or compute with --backend cpu",
        list(missing)
    )]
    NoKernels {
        /// What they are missing for.
        missing: Vec<MissingKernel>,
    },
    /// An adapter for a run on the processor.
    #[error("--adapter names a graphics card, but --backend cpu computes on the processor; leave one of them out")]
    AdapterOfCpu,
}

fn list(missing: &[MissingKernel]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What computes the run that `config` describes.
///
/// Where it is left to the program, software adapters are passed over unless `adapter` asks for one. A card is opened with
/// what `cache` has for it.
///
/// # Errors
/// A graphics card was asked for and there is none, it does not open, something of the run has no kernels, or an ensemble
/// does not fit.
pub fn choose(
    asked: Asked,
    adapter: Option<&AdapterChoice>,
    cache: Option<CacheFolder>,
    config: &ExperimentConfig,
) -> Result<Choice, BackendError> {
    let open = || Card::open(&adapter.cloned().unwrap_or_default(), cache);
    let missing = missing_kernels(config);
    match asked {
        Asked::Cpu if adapter.is_some() => Err(BackendError::AdapterOfCpu),
        Asked::Cpu => Ok(Choice { backend: Backend::Cpu, reason: None }),
        Asked::Gpu if !missing.is_empty() => Err(BackendError::NoKernels { missing }),
        Asked::Gpu => {
            let card = open()?;
            require_room(&card, config)?;
            Ok(Choice { backend: Backend::Gpu { card: Box::new(card), falls_back: false }, reason: None })
        }
        Asked::Auto => {
            let processor = |reason: String| Choice { backend: Backend::Cpu, reason: Some(reason) };
            if !missing.is_empty() {
                return Ok(processor(format!(
                    "graphics cards have no kernels for all of this run: {}",
                    list(&missing)
                )));
            }
            match open() {
                // A name that fits nothing is a fault of the command line.
                Err(error @ DeviceError::NoSuchAdapter { .. }) => Err(error.into()),
                Err(DeviceError::NoAdapter { .. }) => Ok(processor("there is no graphics card".to_owned())),
                Err(error) => Ok(processor(error.to_string())),
                Ok(card) if adapter.is_none() && !is_hardware(card.device().adapter().kind) => {
                    let name = &card.device().adapter().name;
                    Ok(processor(format!("there is no graphics card but {name}, which is software")))
                }
                Ok(card) => {
                    if let Err(error) = require_room(&card, config) {
                        return Ok(processor(error.to_string()));
                    }
                    let reason = "it is the best graphics card, and has kernels for all of this run".to_owned();
                    Ok(Choice {
                        backend: Backend::Gpu { card: Box::new(card), falls_back: true },
                        reason: Some(reason),
                    })
                }
            }
        }
    }
}

fn is_hardware(kind: AdapterKind) -> bool {
    matches!(kind, AdapterKind::Discrete | AdapterKind::Integrated | AdapterKind::Virtual)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::presets;

    #[test]
    fn what_has_no_kernels_is_refused_or_computed_on_the_processor() {
        let config = presets::models();
        let error = choose(Asked::Gpu, None, None, &config).expect_err("Hamiltonian networks").to_string();
        for words in ["`delan` is a deep Lagrangian network", "Lagrangian networks (Lnn)", "--models", "--backend cpu"]
        {
            assert!(error.contains(words), "{words}: {error}");
        }
        let choice = choose(Asked::Auto, None, None, &config).expect("the processor");
        assert_eq!(choice.backend.name(), "cpu");
        assert!(choice.reason.is_some_and(|reason| reason.contains("`delan`")));
    }

    #[test]
    fn an_adapter_is_no_choice_for_the_processor() {
        let any = AdapterChoice::Best;
        let error = choose(Asked::Cpu, Some(&any), None, &presets::fast()).expect_err("both");
        assert!(error.to_string().contains("--adapter"), "{error}");
        let choice = choose(Asked::Cpu, None, None, &presets::fast()).expect("always there");
        assert_eq!((choice.backend.name(), choice.reason), ("cpu", None));
    }
}
