//! The search for an initialisation as a whole: what it writes, what it refuses, how it goes on.

use std::fs;

use lnn_train::initialisation_search::{SearchConfig, SearchSettings, SearchSummary};
use lnn_train::store::FolderConfiguration;

use crate::bad_input::refused;
use crate::small_run::{Workplace, config, results};

const RUN: &str = "experiment initialisation --config search.ron --out run";

/// Two widths, two depths, few networks and evaluations.
fn tiny() -> SearchConfig {
    SearchConfig {
        preset: "tiny".to_owned(),
        widths: vec![4, 8],
        hidden_layers: vec![1, 2],
        networks: 24,
        states: 2,
        search: SearchSettings { scan: 4, descents: 1, evaluations: 20, ..SearchSettings::default() },
        ..SearchConfig::default()
    }
}

/// A folder with the tiny search in `search.ron`.
fn workplace() -> Workplace {
    let workplace = Workplace::new(&config(40));
    workplace.write("search.ron", &tiny().to_text().expect("plain data"));
    workplace
}

fn summary(workplace: &Workplace, folder: &str) -> SearchSummary {
    let bytes = fs::read(workplace.path(folder).join("summary.json")).expect("a finished search");
    serde_json::from_slice(&bytes).expect("a summary")
}

#[test]
fn a_search_writes_its_cells_laws_and_report() {
    let workplace = workplace();
    let ended = workplace.succeed(RUN);
    for words in ["width", "J of Eq. 16", "2.20 · n^−0.50", "initialisation · preset tiny · seed 0"] {
        assert!(ended.stdout.contains(words), "{words}:\n{}", ended.stdout);
    }
    assert!(ended.stdout.trim_end().ends_with("Report: run/report.html"), "{}", ended.stdout);
    for words in ["Run folder: run", "Searching 4 cells", "1/4  4 × 1", "4/4  8 × 2", "writing the report"] {
        assert!(ended.stderr.contains(words), "{words}:\n{}", ended.stderr);
    }
    let written = results(&workplace.path("run"));
    for name in ["config.ron", "cells.jsonl", "figures/initialisation.svg", "figures/initialisation.png"] {
        assert!(written.contains_key(name), "{name}");
    }
    let summary = summary(&workplace, "run");
    let shapes: Vec<_> = summary.cells.iter().map(|cell| (cell.width, cell.hidden_layers)).collect();
    assert_eq!(shapes, [(4, 1), (4, 2), (8, 1), (8, 2)]);
    for cell in &summary.cells {
        assert_eq!(cell.deviations.len(), cell.hidden_layers + 1);
        assert!(cell.deviations.iter().all(|&deviation| deviation > 0.0 && deviation.is_finite()), "{cell:?}");
        // The scan, the budget, and the first simplex or last move that may exceed it.
        assert!((4..=4 + 20 + 4).contains(&cell.evaluations), "{cell:?}");
    }
    assert_eq!(summary.laws.len(), 3);

    let page = fs::read_to_string(workplace.path("run/report.html")).expect("written");
    let again = "experiment initialisation --config run/config.ron --out run-again";
    assert!(page.contains(&format!("<code>cargo xtask {again}</code>")), "{again}");
    let ended = workplace.succeed(&format!("{again} --quiet --threads 1"));
    assert_eq!(ended.stderr, "");
    assert_eq!(results(&workplace.path("run-again")), written);
}

#[test]
fn a_search_that_lost_its_end_goes_on_to_the_same_files() {
    let workplace = workplace();
    workplace.succeed(&format!("{RUN} --threads 1"));
    let whole = results(&workplace.path("run"));
    // What a process killed in the third cell leaves behind.
    let cells = String::from_utf8(whole["cells.jsonl"].clone()).expect("text");
    let part: String = cells.split_inclusive('\n').take(2).collect();
    workplace.write("run/cells.jsonl", &part);
    fs::remove_file(workplace.path("run/summary.json")).expect("present");
    fs::remove_dir_all(workplace.path("run/figures")).expect("present");

    let message = refused(&workplace, RUN);
    assert!(message.contains("unfinished run") && message.contains("--resume"), "{message}");
    let ended = workplace.succeed(&format!("{RUN} --resume --threads 2"));
    assert!(ended.stderr.contains("Going on with 2 of 4 cells found."), "{}", ended.stderr);
    assert!(!ended.stderr.contains("2/4") && ended.stderr.contains("3/4"), "{}", ended.stderr);
    assert_eq!(results(&workplace.path("run")), whole);

    let message = refused(&workplace, RUN);
    assert!(message.contains("finished run") && message.contains("--resume"), "{message}");
    let ended = workplace.succeed(&format!("{RUN} --resume"));
    assert!(ended.stderr.contains("writing its report again"), "{}", ended.stderr);
    assert_eq!(results(&workplace.path("run")), whole);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_finished_cells() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};

    let workplace = workplace();
    // The second cell alone would take hours: the search stops within it or not at all.
    let search = SearchSettings { evaluations: 1_000_000, tolerance: 0.0, ..tiny().search };
    let long = SearchConfig { widths: vec![4], networks: 256, search, ..tiny() };
    let quick = SearchConfig { search: tiny().search, ..long.clone() };
    workplace.write("search.ron", &quick.to_text().expect("plain data"));
    workplace.succeed(RUN);
    let first = String::from_utf8(results(&workplace.path("run"))["cells.jsonl"].clone()).expect("text");
    let first = first.lines().next().expect("a cell");
    // The first cell of the long search as if found before, with its own fingerprint.
    let fingerprints = [quick, long.clone()].map(|config| config.fingerprint().expect("plain data"));
    let line = first.replace(&fingerprints[0], &fingerprints[1]);
    fs::remove_dir_all(workplace.path("run")).expect("present");
    fs::create_dir(workplace.path("run")).expect("writable");
    workplace.write("run/config.ron", &long.to_text().expect("plain data"));
    workplace.write("run/cells.jsonl", &format!("{line}\n"));
    workplace.write("search.ron", &long.to_text().expect("plain data"));

    let mut command = workplace.command(&format!("{RUN} --resume"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut said = String::new();
    while !said.contains("evaluations, J") {
        let read = stderr.read_line(&mut said).expect("text");
        assert!(read > 0, "{said}");
    }
    let script = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &script]).status().expect("a shell").success());
    stderr.read_to_string(&mut said).expect("text");
    let status = child.wait().expect("a child");
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("Going on with 1 of 2 cells found.") && said.contains("Interrupted."), "{said}");
    let kept = fs::read_to_string(workplace.path("run/cells.jsonl")).expect("kept");
    assert_eq!(kept, format!("{line}\n"));
    assert!(!workplace.path("run/summary.json").exists());
}

#[test]
fn mistakes_are_refused_before_anything_is_written() {
    let workplace = workplace();
    for (line, words) in [
        ("experiment initialization", "there is no experiment named `initialization`; did you mean `initialisation`?"),
        ("experiment initialisation --preset paper", "there is no preset named `paper`"),
        ("experiment initialisation --models lnn", "--models is for experiments that train models"),
        ("experiment initialisation --seeds 0-3", "--seeds is for experiments that train models"),
        ("experiment initialisation --config none.ron", "none.ron cannot be read"),
        ("experiment initialisation --config small.ron --out run", "small.ron, line "),
    ] {
        let message = refused(&workplace, line);
        assert!(message.contains(words), "{line}\n{message}");
    }
    let bad = SearchConfig { widths: vec![3], bins: 25, ..tiny() };
    workplace.write("bad.ron", &bad.to_text().expect("plain data"));
    let message = refused(&workplace, "experiment initialisation --config bad.ron --out run");
    for words in ["bad.ron has 2 values", "widths is [3]; expected one or more different numbers from 4", "bins is 25"]
    {
        assert!(message.contains(words), "{words}\n{message}");
    }

    workplace.succeed(&format!("{RUN} --quiet"));
    let other = SearchConfig { networks: 25, ..tiny() };
    workplace.write("other.ron", &other.to_text().expect("plain data"));
    let message = refused(&workplace, "experiment initialisation --config other.ron --out run --resume");
    assert!(message.contains("networks  in the folder: 24, requested: 25"), "{message}");
    fs::remove_file(workplace.path("run/summary.json")).expect("present");
    let cells = fs::read_to_string(workplace.path("run/cells.jsonl")).expect("written");
    let fingerprint = tiny().fingerprint().expect("plain data");
    for (spoilt, words) in [
        (cells.replacen("\"width\":8", "\"wide\":8", 1), "line 3 of run/cells.jsonl is not a cell"),
        (cells.replacen(&fingerprint, "00000000", 2), "line 1 of run/cells.jsonl"),
        (cells.replacen("\"hidden_layers\":2", "\"hidden_layers\":4", 1), "3 standard deviations, not 5"),
    ] {
        workplace.write("run/cells.jsonl", &spoilt);
        let message = refused(&workplace, &format!("{RUN} --resume"));
        assert!(message.contains(words), "{words}\n{message}");
    }
}
