//! `lnn experiment wave` and `sine-gordon`: fields on lattices.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use lnn_train::backend::Backend;
pub(super) use lnn_train::field::config::EXPERIMENTS;
use lnn_train::field::config::{FieldConfig, FieldKind, LargeConfig, SpeedProfile, WAVE, field_preset};
use lnn_train::field::{FieldOutcome, FieldRunOptions, run_field};
use lnn_train::report::field_table;

use super::arguments::ExperimentArguments;
use super::{RUNS, chosen_models, repeat_command, same_experiment};
use crate::cli::display::Display;
use crate::cli::ending::{finished, interrupted};
use crate::cli::error::CommandError;

/// Time of the motion on the lattice that `--sites` asks for, as in preset `large`.
const LARGE_T_END: f64 = 20.0;

pub(super) fn run(arguments: &ExperimentArguments, stop: &AtomicBool) -> Result<ExitCode, Box<dyn Error>> {
    let config = configuration(arguments)?;
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => Path::new(RUNS).join(&config.experiment).join(config.run_name()),
    };
    let options = FieldRunOptions {
        command: repeat_command(arguments, config.seed, &Backend::Cpu, &folder),
        config,
        folder: folder.clone(),
        resume: arguments.resume,
        threads: arguments.threads.map_or(0, usize::from),
    };
    let mut display = Display::new(arguments.output);
    let outcome = run_field(&options, stop, &mut |event| display.show(event));
    display.finish();
    match outcome? {
        FieldOutcome::Finished { summary, report } => {
            finished(arguments.output, &folder, &*summary, &report, |_| field_table(&summary))?;
            Ok(ExitCode::SUCCESS)
        }
        FieldOutcome::Interrupted => Ok(interrupted(arguments.output, &folder, "A checkpoint is")),
    }
}

/// The preset or file, with the command line's seed, models, profile and sites, judged.
fn configuration(arguments: &ExperimentArguments) -> Result<FieldConfig, Box<dyn Error>> {
    let of_systems = [
        (arguments.seeds.is_some(), "--seeds"),
        (!arguments.system.is_empty(), "--system"),
        (arguments.links.is_some(), "--links"),
        (arguments.protocol.is_some(), "--protocol"),
        (arguments.train_on.is_some(), "--train-on"),
    ];
    if let Some((_, option)) = of_systems.into_iter().find(|(given, _)| *given) {
        return Err(CommandError::NotOfFields { option }.into());
    }
    if let Some(option) = arguments.of_fields().next().filter(|_| arguments.name != WAVE) {
        return Err(CommandError::OptionOfWave { option, experiment: arguments.name.clone() }.into());
    }
    let (mut config, origin) = match &arguments.config {
        Some(path) => {
            let config = FieldConfig::read(path)?;
            same_experiment(path, &config.experiment, &arguments.name)?;
            (config, path.display().to_string())
        }
        None => {
            let preset = match (arguments.grid, &arguments.speed) {
                (Some(_), _) => "grid",
                (None, Some(_)) => "medium",
                (None, None) => &arguments.preset,
            };
            (field_preset(&arguments.name, preset)?, format!("preset `{preset}`"))
        }
    };
    if let (Some(name), FieldKind::Medium { profile, .. }) = (&arguments.speed, &mut config.field)
        && let Some((_, named)) = SpeedProfile::NAMED.into_iter().find(|(known, _)| known == name)
    {
        *profile = named;
    }
    if let Some(sites) = arguments.sites {
        config.evaluation.large = Some(LargeConfig { sites, t_end: LARGE_T_END });
    }
    if let Some(seed) = arguments.seed {
        config.seed = seed;
    }
    config.models = chosen_models(arguments, config.models)?;
    if arguments.trial {
        config = config.trial();
    }
    config.require_usable(&origin)?;
    Ok(config)
}
