//! `--ensemble`: every member is the run of its seed, and the run says how they spread.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lnn_train::config::ExperimentConfig;
use lnn_train::record::{ModelSummary, Summary};
use lnn_train::store::{Checkpoint, CheckpointRecord, load_checkpoint, member_name, save_checkpoint};

use crate::interruption::Session;
use crate::small_run::{Workplace, assert_same_results, config};

const RUN: &str = "experiment dblpend --config small.ron --seed 7 --ensemble 3 --out run --threads 2";
const SEEDS: [u64; 3] = [7, 8, 9];
const MODELS: [&str; 2] = ["lnn", "baseline"];

fn summary(folder: &Path) -> Summary {
    serde_json::from_slice(&fs::read(folder.join("summary.json")).expect("a finished run")).expect("JSON")
}

/// Without what a clock has a part in.
fn timeless(figures: &ModelSummary) -> ModelSummary {
    ModelSummary { train_seconds: 0.0, ..figures.clone() }
}

/// The lines of `metrics.jsonl` of one member, without its seed.
fn lines(folder: &Path, seed: u64) -> Vec<String> {
    let text = fs::read_to_string(folder.join("metrics.jsonl")).expect("written");
    let seed = format!("\"seed\":{seed},");
    text.lines().filter(|line| line.contains(&seed)).map(|line| line.replace(&seed, "")).collect()
}

#[test]
fn a_member_has_the_files_and_figures_of_a_run_of_its_seed() {
    let workplace = Workplace::new(&config(60));
    let said = workplace.succeed(RUN);
    let run = workplace.path("run");
    let Summary { seed, models, ensemble, .. } = summary(&run);
    let ensemble = ensemble.expect("an ensemble");
    assert_eq!((seed, ensemble.members, ensemble.shown_seed), (7, 3, 7));
    for (number, seed) in SEEDS.into_iter().enumerate() {
        let alone = format!("alone-{seed}");
        workplace.succeed(&format!("experiment dblpend --config small.ron --seed {seed} --out {alone} --threads 1"));
        let alone = workplace.path(&alone);
        for model in MODELS {
            let member = fs::read(run.join(format!("model-{}.safetensors", member_name(model, Some(seed)))));
            let own = fs::read(alone.join(format!("model-{model}.safetensors")));
            assert!(member.expect("written") == own.expect("written"), "{model} of seed {seed}");
            let figures = &ensemble.models[model].members[number];
            assert_eq!((figures.seed, &figures.lost), (seed, &None));
            let figures = figures.figures.as_ref().expect("not lost");
            assert_eq!(timeless(figures), timeless(&summary(&alone).models[model]), "{model} of seed {seed}");
        }
        let own = fs::read_to_string(alone.join("metrics.jsonl")).expect("written");
        assert_eq!(lines(&run, seed), own.lines().collect::<Vec<_>>(), "seed {seed}");
        if seed == 7 {
            let trajectories = |folder: &Path| fs::read(folder.join("trajectories.csv")).expect("written");
            assert!(trajectories(&run) == trajectories(&alone), "rollouts of the seed that is shown");
        }
    }
    for model in MODELS {
        let spread = ensemble.models[model].spread.acceleration_l1;
        let mut values: Vec<f64> = ensemble.models[model]
            .members
            .iter()
            .map(|member| member.figures.as_ref().expect("not lost").acceleration_l1)
            .collect();
        values.sort_by(f64::total_cmp);
        assert_eq!([spread.min, spread.median, spread.max], values[..]);
        assert_eq!(models[model], *ensemble.models[model].members[0].figures.as_ref().expect("not lost"));
        let seconds: f64 =
            ensemble.models[model].members.iter().map(|m| m.figures.as_ref().expect("not lost").train_seconds).sum();
        assert_eq!(ensemble.models[model].train_seconds, seconds);
    }
    report_has_the_spread(&run, &said.stdout, &ensemble.models["lnn"].spread.acceleration_l1);

    // Judged again, nothing but the time of judging changes, and that of the training is kept.
    let before = summary(&run);
    workplace.succeed(&format!("{RUN} --resume"));
    assert_eq!(summary(&run), before);
    let refused = workplace.run(&RUN.replace("--ensemble 3", "--ensemble 4 --resume"));
    assert!(refused.stderr.contains("ensemble  in the folder: 3, requested: 4"), "{}", refused.stderr);
}

fn report_has_the_spread(run: &Path, said: &str, spread: &lnn_train::spread::Spread) {
    let page = fs::read_to_string(run.join("report.html")).expect("written");
    for words in [
        ">Ensemble</h2>",
        "3 networks of every model, seeds 7 to 9",
        "What follows this section is of seed 7",
        "std. dev.",
        "id=\"ensemble_learning\"",
        "id=\"ensemble_errors\"",
        "· seeds 7 to 9",
        "--ensemble 3",
    ] {
        // The command of a run from a file names the folder's own configuration, which has the members in it.
        let words = if words == "--ensemble 3" { "ensemble: 3" } else { words };
        assert!(page.contains(words), "{words}");
    }
    for figure in ["ensemble_learning", "ensemble_errors", "loss", "energy_error"] {
        for ending in ["svg", "png"] {
            assert!(run.join("figures").join(format!("{figure}.{ending}")).is_file(), "{figure}.{ending}");
        }
    }
    let median = format!("{:.1}", spread.median);
    let row = said.lines().find(|line| line.starts_with("LNN")).expect("a line of the table");
    assert!(row.contains(&median) && said.contains("seeds 7 to 9"), "{median}:\n{said}");
}

#[test]
fn one_member_is_no_ensemble() {
    let workplace = Workplace::new(&config(20));
    workplace.succeed("experiment dblpend --config small.ron --out plain");
    workplace.succeed("experiment dblpend --config small.ron --ensemble 1 --out one");
    assert_same_results(&workplace.path("plain"), &workplace.path("one"));
    let text = fs::read_to_string(workplace.path("one/summary.json")).expect("written");
    assert!(!text.contains("ensemble"), "{text}");
}

#[test]
fn an_interrupted_ensemble_goes_on_where_it_was() {
    let long = ExperimentConfig { checkpoint_every_seconds: 0.02, ensemble: 2, ..config(1000) };
    let workplace = Workplace::new(&long);
    workplace.succeed("experiment dblpend --config small.ron --out whole --threads 1");
    let resume = "experiment dblpend --config small.ron --out run --resume --threads 2";
    for (words, kill) in
        [("lnn.seed0  training", true), ("lnn.seed1  training", false), ("baseline.seed1 training", true)]
    {
        let mut session = Session::of(&workplace, resume);
        session.wait_for(words);
        std::thread::sleep(std::time::Duration::from_millis(40));
        if kill {
            session.kill();
        } else {
            session.interrupt();
        }
        let (status, said) = session.end();
        assert!(!status.success(), "{said}");
    }
    workplace.succeed(resume);
    let (whole, run) = (workplace.path("whole"), workplace.path("run"));
    for file in ["model-lnn.seed0", "model-lnn.seed1", "model-baseline.seed0", "model-baseline.seed1"] {
        let bytes = |folder: &Path| fs::read(folder.join(format!("{file}.safetensors"))).expect("written");
        assert!(bytes(&whole) == bytes(&run), "{file}");
    }
    for file in ["metrics.jsonl", "trajectories.csv", "config.ron"] {
        let bytes = |folder: &Path| fs::read(folder.join(file)).expect("written");
        assert!(bytes(&whole) == bytes(&run), "{file}");
    }
    let figures = |folder: &Path| -> BTreeMap<String, Vec<ModelSummary>> {
        let ensemble = summary(folder).ensemble.expect("an ensemble");
        let of_model = |members: Vec<lnn_train::record::MemberSummary>| {
            members.iter().map(|member| timeless(member.figures.as_ref().expect("not lost"))).collect()
        };
        ensemble.models.into_iter().map(|(name, model)| (name, of_model(model.members))).collect()
    };
    assert_eq!(figures(&whole), figures(&run));
}

/// A member that an earlier session has lost is counted, said by its seed, and missing from every figure but the count.
#[test]
fn a_lost_member_is_counted_and_the_others_go_on() {
    let workplace = Workplace::new(&config(40));
    workplace.succeed(RUN);
    let run = workplace.path("run");
    let untouched = summary(&run).ensemble.expect("an ensemble");
    let name = member_name("lnn", Some(7));
    let found = load_checkpoint(&run, &name).expect("readable").expect("saved");
    let lost = CheckpointRecord {
        lost: Some("training of `lnn.seed7` learns nothing".to_owned()),
        step: 17,
        counters: BTreeMap::from([("skipped".to_owned(), 16)]),
        sums: BTreeMap::new(),
        ..found.checkpoint.record
    };
    save_checkpoint(&run, &Checkpoint { record: lost, tensors: BTreeMap::new() }).expect("writable");
    fs::remove_file(run.join("summary.json")).expect("there");
    let said = workplace.succeed(&format!("{RUN} --resume"));
    assert!(said.stderr.contains("lnn of seed 7 was lost before"), "{}", said.stderr);
    assert!(said.stdout.contains("1 lost"), "{}", said.stdout);
    let Summary { models, ensemble, .. } = summary(&run);
    let ensemble = ensemble.expect("an ensemble");
    assert_eq!((ensemble.models["lnn"].lost, ensemble.models["baseline"].lost), (1, 0));
    // The first seed with both models is shown.
    assert_eq!((ensemble.shown_seed, models.len()), (8, 2));
    let members = &ensemble.models["lnn"].members;
    let lost = members[0].lost.as_ref().expect("lost");
    assert_eq!((members[0].figures.is_none(), lost.step, lost.skipped_steps), (true, 17, 16));
    for (now, before) in members.iter().zip(&untouched.models["lnn"].members).skip(1) {
        let of = |member: &lnn_train::record::MemberSummary| timeless(member.figures.as_ref().expect("not lost"));
        assert_eq!(of(now), of(before));
    }
    let page = fs::read_to_string(run.join("report.html")).expect("written");
    assert!(page.contains("LNN, seed 7, at step 17: training of `lnn.seed7` learns nothing"), "in the report");
}

#[test]
fn an_ensemble_that_loses_every_member_ends_in_an_error() {
    let mut config = config(30);
    let lnn = config.models.get_mut("lnn").expect("there");
    // Infinite in single precision: every update overflows.
    lnn.training.schedule = lnn_train::optimiser::Schedule::Constant { rate: 1e39 };
    lnn.training.optimiser = lnn_train::optimiser::AdamSettings::default().into();
    config.ensemble = 2;
    let workplace = Workplace::new(&config);
    let ended = workplace.run("experiment dblpend --config small.ron --out run");
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("note: lnn of seed 0 is lost: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("error: all 2 members of the ensemble of `lnn` are lost"), "{}", ended.stderr);
    assert!(ended.stderr.contains("learns nothing") && !ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[test]
fn what_is_no_ensemble_is_refused() {
    let workplace = Workplace::new(&ExperimentConfig { ensemble: 4, ..config(10) });
    for (line, words) in [
        ("experiment dblpend --ensemble 0", "ensemble is 0; expected a whole number of members from 1 to 1024"),
        ("experiment dblpend --ensemble 1025", "ensemble is 1025; expected"),
        ("experiment dblpend --ensemble many", "invalid value 'many'"),
        ("experiment dblpend --ensemble 2 --seed 18446744073709551615", "seed is 18446744073709551615; expected"),
        ("experiment dblpend --ensemble 2 --seeds 0-3", "cannot be used with"),
        ("experiment dblpend --config small.ron --seeds 0-3", "the configuration is an ensemble of 4"),
        ("experiment wave --ensemble 2", "--ensemble is for experiments with one system, not for `wave`"),
        ("experiment properties --ensemble 2", "not for `properties`"),
        ("experiment initialisation --ensemble 1", "not for `initialisation`"),
    ] {
        let ended = workplace.run(line);
        assert!(ended.code != Some(0) && ended.stderr.contains(words), "{line}\n{}", ended.stderr);
        assert!(!workplace.path("runs").exists(), "{line}");
    }
}
