//! `lnn experiment`.

mod arguments;
mod field;
mod initialisation;
mod properties;

pub(super) use arguments::ExperimentArguments;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use lnn_physics::systems::kind;
use lnn_train::backend::cache::CacheFolder;
use lnn_train::backend::{Asked, Backend as ChosenBackend, Choice, choose};
use lnn_train::config::presets::experiments;
use lnn_train::config::{ConfigError, ExperimentConfig, Validated, preset_with};
use lnn_train::experiment::{Outcome, RunOptions, run as run_experiment};
use lnn_train::initialisation_search;
use lnn_train::properties::EXPERIMENT as PROPERTIES;
use lnn_train::record::Summary;
use lnn_train::report::{ensemble_table, seeds_table, terminal_table};
use lnn_train::store::{RunFolder, RunState, write_atomically};
use serde_json::json;

use super::display::Display;
use super::ending::{finished, interrupted};
use super::error::CommandError;
use super::exit::INTERRUPTED;
use super::interrupt::stop_on_signal;
use super::output::print_json;
use arguments::GridKind;

/// Where runs go unless `--out` says otherwise.
pub(super) const RUNS: &str = "runs";
/// The parameter that `--links` gives.
const LINKS: &str = "links";

pub(in crate::cli) fn run(arguments: &ExperimentArguments) -> Result<ExitCode, Box<dyn Error>> {
    if arguments.write_docs.is_some() && arguments.name != PROPERTIES {
        return Err(CommandError::NoDocument.into());
    }
    require_kernels(arguments)?;
    require_ensembles(arguments)?;
    if field::EXPERIMENTS.contains(&arguments.name.as_str()) {
        return field::run(arguments, &*stop_on_signal()?);
    }
    if let Some(option) = known_name(&arguments.name).then(|| arguments.of_fields().next()).flatten() {
        return Err(CommandError::OptionOfWave { option, experiment: arguments.name.clone() }.into());
    }
    if arguments.name == initialisation_search::EXPERIMENT {
        return initialisation::run(arguments, &*stop_on_signal()?);
    }
    if arguments.name == PROPERTIES {
        return properties::run(arguments, &*stop_on_signal()?);
    }
    let config = configuration(arguments)?;
    let backend = choose(arguments.backend.asked(), arguments.adapter.as_ref(), CacheFolder::of_user(), &config)?;
    let stop = stop_on_signal()?;
    match &arguments.seeds {
        Some(seeds) => run_seeds(arguments, config, seeds.clone(), &backend, &stop),
        None => {
            let folder = match &arguments.out {
                Some(folder) => folder.clone(),
                None => RunFolder::default_path(Path::new(RUNS), &config),
            };
            Ok(match run_one(arguments, config, &folder, &backend, &stop)? {
                Some(_) => ExitCode::SUCCESS,
                None => ExitCode::from(INTERRUPTED),
            })
        }
    }
}

/// Runs one seed and prints its table; `None` if it was interrupted.
fn run_one(
    arguments: &ExperimentArguments,
    config: Validated,
    folder: &Path,
    choice: &Choice,
    stop: &AtomicBool,
) -> Result<Option<Summary>, Box<dyn Error>> {
    let options = RunOptions {
        command: repeat_command(arguments, config.seed, &choice.backend, folder),
        config,
        folder: folder.to_owned(),
        resume: arguments.resume,
        threads: arguments.threads.map_or(0, usize::from),
        computes: choice.clone(),
    };
    let mut display = Display::new(arguments.output);
    let outcome = run_experiment(&options, stop, &mut |event| display.show(event));
    display.finish();
    match outcome? {
        Outcome::Finished { summary, report } => {
            finished(arguments.output, folder, &*summary, &report, |colour| match ensemble_table(&summary, colour) {
                Some(table) => table,
                None => terminal_table(&summary, colour),
            })?;
            Ok(Some(*summary))
        }
        Outcome::Interrupted => {
            interrupted(arguments.output, folder, "A checkpoint is");
            Ok(None)
        }
    }
}

/// Runs seed after seed and compares them; with `--resume` finished seeds are taken as they are.
fn run_seeds(
    arguments: &ExperimentArguments,
    config: Validated,
    seeds: RangeInclusive<u64>,
    choice: &Choice,
    stop: &AtomicBool,
) -> Result<ExitCode, Box<dyn Error>> {
    let mut summaries = Vec::new();
    let root = match &arguments.out {
        Some(root) => root.clone(),
        None => Path::new(RUNS).join(&config.experiment),
    };
    let name = config.run_stem();
    let path = root.join(format!("{name}-seeds-{}-{}.md", seeds.start(), seeds.end()));
    // Before the first run, not after hours of them.
    if !arguments.resume && path.exists() {
        return Err(CommandError::TableExists { path }.into());
    }
    let template = config.into_inner();
    for seed in seeds {
        let config = ExperimentConfig { seed, ..template.clone() };
        let folder = root.join(config.run_name());
        let config =
            config.validate().map_err(|problems| ConfigError::Invalid { origin: format!("seed {seed}"), problems })?;
        let finished = if arguments.resume { finished_summary(&folder, &config)? } else { None };
        let summary = match finished {
            Some(summary) => Some(summary),
            None => run_one(arguments, config, &folder, choice, stop)?,
        };
        match summary {
            Some(summary) => summaries.push(summary),
            None => return Ok(ExitCode::from(INTERRUPTED)),
        }
    }
    let table = seeds_table(&summaries);
    write_atomically(&path, format!("{table}\n").as_bytes())?;
    if arguments.output.json {
        print_json(&json!({ "event": "compared", "table": path }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{table}")?;
    if arguments.output.talks() {
        writeln!(out, "Table: {}", path.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The summary of a finished run of exactly this configuration.
fn finished_summary(folder: &Path, config: &ExperimentConfig) -> Result<Option<Summary>, Box<dyn Error>> {
    if !folder.join("summary.json").exists() {
        return Ok(None);
    }
    // Opening judges the folder: another configuration is refused as in a single run.
    let (folder, state) = RunFolder::open(folder, config, true)?;
    if state != RunState::Finished {
        return Ok(None);
    }
    let path = folder.summary_path();
    let bytes = std::fs::read(&path).map_err(|source| CommandError::SummaryRead { path: path.clone(), source })?;
    let summary = serde_json::from_slice(&bytes).map_err(|source| CommandError::SummaryDamaged { path, source })?;
    Ok(Some(summary))
}

/// Refuses an ensemble of an experiment that is not one training of every model.
fn require_ensembles(arguments: &ExperimentArguments) -> Result<(), CommandError> {
    let mut others = field::EXPERIMENTS.into_iter().chain([initialisation_search::EXPERIMENT, PROPERTIES]);
    if arguments.ensemble.is_some() && others.any(|name| name == arguments.name) {
        return Err(CommandError::NoEnsemble { experiment: arguments.name.clone() });
    }
    Ok(())
}

/// Refuses a graphics card for an experiment that none has kernels for.
fn require_kernels(arguments: &ExperimentArguments) -> Result<(), CommandError> {
    let others = field::EXPERIMENTS.into_iter().chain([initialisation_search::EXPERIMENT, PROPERTIES]);
    let option = match (arguments.backend.asked(), &arguments.adapter) {
        (Asked::Gpu, _) => "--backend gpu",
        (Asked::Auto | Asked::Cpu, Some(_)) => "--adapter",
        (Asked::Auto | Asked::Cpu, None) => return Ok(()),
    };
    if others.into_iter().any(|name| name == arguments.name) {
        return Err(CommandError::NoKernels { option, experiment: arguments.name.clone() });
    }
    Ok(())
}

/// Names of all experiments.
fn names() -> impl Iterator<Item = &'static str> + Clone {
    experiments().chain(field::EXPERIMENTS).chain([initialisation_search::EXPERIMENT, PROPERTIES])
}

fn known_name(name: &str) -> bool {
    names().any(|known| known == name)
}

/// The preset or file, with the command line's seed and models, judged.
fn configuration(arguments: &ExperimentArguments) -> Result<Validated, Box<dyn Error>> {
    // The name is judged first, so that a misspelt experiment is not reported as something else.
    if !known_name(&arguments.name) {
        return Err(ConfigError::unknown_name("experiment", &arguments.name, names()).into());
    }
    if let Some(protocol) = arguments.protocol().filter(|protocol| protocol.system() != arguments.name) {
        return Err(CommandError::OtherProtocol { protocol, experiment: arguments.name.clone() }.into());
    }
    let preset_config = preset_with(&arguments.name, arguments.preset(), &parameters(arguments)?)?;
    let (mut config, origin) = match &arguments.config {
        Some(path) => (ExperimentConfig::read(path)?.into_inner(), path.display().to_string()),
        None => (preset_config, format!("preset `{}`", arguments.preset())),
    };
    if let Some(path) = &arguments.config {
        same_experiment(path, &config.experiment, &arguments.name)?;
    }
    if let Some(seed) = arguments.seed {
        config.seed = seed;
    }
    if let Some(members) = arguments.ensemble {
        config.ensemble = members;
    }
    if arguments.seeds.is_some() && config.ensemble > 1 {
        return Err(CommandError::SeedsOfEnsemble { members: config.ensemble }.into());
    }
    if let Some(train_on) = arguments.train_on {
        for model in config.models.values_mut() {
            model.training.train_on(train_on.data());
        }
    }
    config.models = chosen_models(arguments, config.models)?;
    if arguments.trial {
        config = config.trial();
    }
    Ok(config.validate().map_err(|problems| ConfigError::Invalid { origin, problems })?)
}

/// The models that the command line names, or all.
pub(super) fn chosen_models<M: Clone>(
    arguments: &ExperimentArguments,
    models: BTreeMap<String, M>,
) -> Result<BTreeMap<String, M>, ConfigError> {
    let Some(names) = &arguments.models else { return Ok(models) };
    let mut chosen = BTreeMap::new();
    for name in names {
        let Some(model) = models.get(name) else {
            return Err(ConfigError::unknown_name("model", name, models.keys().map(String::as_str)));
        };
        chosen.insert(name.clone(), model.clone());
    }
    Ok(chosen)
}

/// The parameters of the system that the command line gives.
fn parameters(arguments: &ExperimentArguments) -> Result<BTreeMap<String, f64>, CommandError> {
    let links = arguments.links.map(|links| (LINKS.to_owned(), f64::from(links)));
    let has_links = kind(&arguments.name).is_some_and(|kind| kind.parameters.iter().any(|p| p.name == LINKS));
    if links.is_some() && !has_links {
        return Err(CommandError::NoLinks { experiment: arguments.name.clone() });
    }
    let mut parameters = BTreeMap::new();
    for (name, value) in arguments.system.iter().cloned().chain(links) {
        if parameters.insert(name.clone(), value).is_some() {
            return Err(CommandError::GivenTwice { name });
        }
    }
    Ok(parameters)
}

/// Refuses a configuration file of another experiment, `found`, than the command's.
pub(super) fn same_experiment(path: &Path, found: &str, asked: &str) -> Result<(), CommandError> {
    if found == asked {
        return Ok(());
    }
    let (path, found, asked) = (path.to_owned(), found.to_owned(), asked.to_owned());
    Err(CommandError::OtherExperiment { path, found, asked })
}

/// A command that repeats the run in `folder`, in another folder beside it.
///
/// A run from a file is repeated from the folder's own `config.ron`: the file may have been edited since.
pub(super) fn repeat_command(
    arguments: &ExperimentArguments,
    seed: u64,
    backend: &ChosenBackend,
    folder: &Path,
) -> String {
    let mut command = format!("cargo xtask experiment {}", arguments.name);
    if arguments.config.is_some() {
        command += &format!(" --config {}", quoted(&folder.join("config.ron")));
    } else {
        command += &match (arguments.protocol(), arguments.grid, &arguments.speed) {
            (Some(protocol), ..) => format!(" --protocol {}", protocol.name()),
            (None, Some(GridKind::Square), _) => " --grid 2d".to_owned(),
            (None, None, Some(profile)) => format!(" --speed {profile}"),
            (None, None, None) => format!(" --preset {}", arguments.preset),
        };
        if let Some(sites) = arguments.sites {
            command += &format!(" --sites {sites}");
        }
        command += &format!(" --seed {seed}");
        if let Some(members) = arguments.ensemble.filter(|&members| members != 1) {
            command += &format!(" --ensemble {members}");
        }
        for (parameter, value) in &arguments.system {
            command += &format!(" --system {parameter}={value}");
        }
        if let Some(links) = arguments.links {
            command += &format!(" --links {links}");
        }
        if let Some(models) = &arguments.models {
            command += &format!(" --models {}", models.join(","));
        }
        if let Some(train_on) = arguments.train_on {
            command += &format!(" --train-on {}", train_on.name());
        }
        if arguments.trial {
            command += " --trial";
        }
    }
    // Results of another backend agree within rounding only.
    if let ChosenBackend::Gpu { .. } = backend {
        command += " --backend gpu";
        if let Some(adapter) = &arguments.adapter {
            command += &format!(" --adapter {}", quoted(Path::new(&adapter.to_string())));
        }
    }
    command + &format!(" --out {}", quoted(&beside(folder)))
}

/// `<folder>-again`: a folder that is not the run's own, which would be refused.
pub(in crate::cli) fn beside(folder: &Path) -> PathBuf {
    match folder.file_name() {
        Some(name) => {
            let mut name = name.to_owned();
            name.push("-again");
            folder.with_file_name(name)
        }
        None => PathBuf::from("again"),
    }
}

/// A path as one word of a POSIX shell.
pub(in crate::cli) fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.chars().all(|c| c.is_alphanumeric() || "/._-+=:,@%".contains(c)) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_experiment_is_refused() {
        let config = ExperimentConfig::default();
        let path = Path::new("small.ron");
        same_experiment(path, &config.experiment, "dblpend").expect("the default's experiment");
        let message = same_experiment(path, &config.experiment, "wave").expect_err("another").to_string();
        for words in ["small.ron", "for the experiment `dblpend`", "asks for `wave`"] {
            assert!(message.contains(words), "{words}: {message}");
        }
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (path, word) in [
            ("runs/dblpend/fast-0", "runs/dblpend/fast-0"),
            ("my runs/a", "'my runs/a'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }

    #[test]
    fn a_repeated_run_goes_beside_the_first() {
        for (folder, other) in [("runs/a-0", "runs/a-0-again"), ("runs/a-0/", "runs/a-0-again"), ("..", "again")] {
            assert_eq!(beside(Path::new(folder)), Path::new(other));
        }
    }
}
