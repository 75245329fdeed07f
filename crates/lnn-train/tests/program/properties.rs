//! The table of properties as a whole: what it writes, how it goes on, what it refuses.

use std::fs;

use lnn_train::config::IntegratorConfig;
use lnn_train::optimiser::Schedule;
use lnn_train::properties::{PropertiesConfig, PropertiesSummary};
use lnn_train::store::FolderConfiguration;

use crate::bad_input::refused;
use crate::small_run::{Workplace, config, results, snapshot};

const RUN: &str = "experiment properties --config properties.ron --out run";

/// Every run and model, with a few steps of tiny networks.
fn workplace() -> Workplace {
    let mut properties = PropertiesConfig::preset("fast").expect("a preset");
    for run in properties.runs.values_mut() {
        for model in run.models.values_mut() {
            model.hidden = vec![8];
            let training = &mut model.training;
            (training.steps, training.batch) = (4, 32);
            if let Schedule::WarmupCosine { total_steps, .. } = &mut training.schedule {
                *total_steps = 4;
            }
        }
        let evaluation = &mut run.evaluation;
        (evaluation.held_out, evaluation.rollouts) = (40, 2);
        (evaluation.t_end, evaluation.frames_per_second) = (0.2, 20.0);
        evaluation.integrator = IntegratorConfig::Rk4 { dt: 0.01 };
    }
    let workplace = Workplace::new(&config(4));
    workplace.write("properties.ron", &properties.to_text().expect("plain data"));
    workplace
}

fn summary(workplace: &Workplace) -> PropertiesSummary {
    let bytes = fs::read(workplace.path("run/summary.json")).expect("a finished table");
    serde_json::from_slice(&bytes).expect("a summary")
}

#[test]
fn a_table_is_written_resumed_and_put_into_a_document() {
    let workplace = workplace();
    workplace.write("doc.md", "before\n<!-- properties: begin -->\n<!-- properties: end -->\nafter\n");
    let ended = workplace.succeed(&format!("{RUN} --write-docs doc.md"));
    for words in ["neural net", "DeLaN", "arbitrary Lagrangians", "no energy", "of 25 verdicts are the paper"] {
        assert!(ended.stdout.contains(words), "{words}:\n{}", ended.stdout);
    }
    for words in ["1/3  dblpend", "2/3  charge", "3/3  relativistic", "next-state measuring", "writing the table"] {
        assert!(ended.stderr.contains(words), "{words}:\n{}", ended.stderr);
    }
    let first = summary(&workplace);
    assert_eq!((first.cells.len(), first.measured["dblpend"].len()), (25, 6));
    let step_errors = first.measured["dblpend"].iter().filter(|(_, measured)| measured.step_error.is_some());
    assert_eq!(step_errors.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["next-state"]);
    let markdown = fs::read_to_string(workplace.path("run/properties.md")).expect("written");
    let document = fs::read_to_string(workplace.path("doc.md")).expect("there");
    assert!(document.starts_with("before\n") && document.ends_with("\nafter\n") && document.contains(markdown.trim()));

    // As after Ctrl-C in the second run: the first is kept, the others are trained, and nothing else comes out.
    let kept = results(&workplace.path("run"));
    for name in ["run/summary.json", "run/charge/summary.json", "run/charge/checkpoint-lnn.safetensors"] {
        fs::remove_file(workplace.path(name)).expect("there");
    }
    fs::remove_dir_all(workplace.path("run/relativistic")).expect("there");
    let message = refused(&workplace, RUN);
    assert!(message.contains("--resume"), "{message}");
    let ended = workplace.succeed(&format!("{RUN} --resume"));
    assert_eq!(ended.stderr.matches("trained by an earlier session").count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("1/3  dblpend, trained by an earlier session"), "{}", ended.stderr);
    let second = summary(&workplace);
    assert_eq!((&second.cells, &second.measured), (&first.cells, &first.measured));
    // Clocks have a part in these.
    let timed = ["properties.md", "summary.json", "report.html"];
    for (name, bytes) in results(&workplace.path("run")) {
        let file = name.rsplit('/').next().unwrap_or(&name);
        if !timed.contains(&file) && !file.starts_with("checkpoint-") {
            assert!(kept[&name] == bytes, "{name}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_trained() {
    let workplace = workplace();
    workplace.write("doc.md", "no place for a table\n");
    for (line, words) in [
        (format!("{RUN} --models lnn"), "--models"),
        (format!("{RUN} --train-on trajectories"), "--train-on"),
        (format!("{RUN} --write-docs doc.md"), "<!-- properties: begin -->"),
        (format!("{RUN} --write-docs none.md"), "none.md"),
        ("experiment properties --preset models".to_owned(), "`fast`, `best`"),
        ("experiment dblpend --write-docs doc.md".to_owned(), "--write-docs"),
        ("experiment propertes".to_owned(), "`properties`"),
    ] {
        let message = refused(&workplace, &line);
        assert!(message.contains(words), "{line}: {message}");
    }
    assert!(snapshot(&workplace.path("run")).is_empty());
}
