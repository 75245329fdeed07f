//! What the program offers to shells and scripts: help, completions, manual pages, JSON lines, exit codes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::small_run::{Workplace, config};

/// The verbs that the program's own help lists.
fn verbs(workplace: &Workplace) -> Vec<String> {
    let help = workplace.succeed("--help").stdout;
    let listed = help.split("Commands:").nth(1).and_then(|text| text.split("Options:").next()).expect("two headings");
    let word = |line: &str| {
        line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?.split(' ').next().map(str::to_owned)
    };
    listed.lines().filter_map(word).filter(|verb| verb != "help").collect()
}

#[test]
fn every_verb_has_examples_and_exit_codes_in_its_help_and_a_place_in_the_document() {
    let workplace = Workplace::new(&config(20));
    let verbs = verbs(&workplace);
    for verb in ["train", "eval", "rollout", "plot", "info", "experiment", "completions", "man"] {
        assert!(verbs.iter().any(|listed| listed == verb), "{verb} in {verbs:?}");
    }
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/command-line.md");
    let document = fs::read_to_string(document).expect("in the repository");
    for verb in &verbs {
        let help = workplace.succeed(&format!("{verb} --help")).stdout;
        for words in ["Examples:", "Exit codes: 0 done, 1 failed", "3 done in part", "130 interrupted"] {
            assert!(help.contains(words), "{verb}: {words}\n{help}");
        }
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{verb}\n{help}");
        assert!(document.contains(&format!("| `lnn {verb}")), "{verb} in docs/command-line.md");
    }
    for code in ["| 0 |", "| 1 |", "| 2 |", "| 3 |", "| 130 |"] {
        assert!(document.contains(code), "{code} in docs/command-line.md");
    }
}

#[test]
fn every_shell_has_completions_for_every_verb() {
    let workplace = Workplace::new(&config(20));
    let verbs = verbs(&workplace);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = workplace.succeed(&format!("completions {shell}")).stdout;
        for verb in &verbs {
            assert!(script.contains(verb.as_str()), "{shell}: {verb}");
        }
        assert!(script.contains("t-end"), "{shell}: the options too");
    }
    assert_eq!(workplace.run("completions tcsh").code, Some(2));
    // The shell itself says whether it can read its script.
    workplace.write("lnn.bash", &workplace.succeed("completions bash").stdout);
    let mut bash = Command::new("bash");
    bash.args(["-c", ". ./lnn.bash && complete -p lnn"]).current_dir(workplace.path("")).stdin(Stdio::null());
    let output = bash.output().expect("bash");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("_lnn"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_verb_has_a_manual_page() {
    let workplace = Workplace::new(&config(20));
    let page = workplace.succeed("man").stdout;
    assert!(page.contains(".TH lnn 1") && page.contains("lnn\\-rollout(1)"), "{page}");
    workplace.succeed("man --out pages");
    let verbs = verbs(&workplace);
    assert_eq!(fs::read_dir(workplace.path("pages")).expect("made").count(), verbs.len() + 1);
    for verb in verbs {
        let page = fs::read_to_string(workplace.path(&format!("pages/lnn-{verb}.1"))).expect("written");
        for words in [&format!(".TH lnn-{verb} 1"), ".SH SYNOPSIS", "Examples:", "Exit codes:"] {
            assert!(page.contains(words), "{verb}: {words}\n{page}");
        }
    }
}

#[test]
fn a_run_speaks_json_to_programs_and_nothing_else() {
    let workplace = Workplace::new(&config(50));
    let ended = workplace.succeed("experiment dblpend --config small.ron --out run --json");
    assert_eq!(ended.stderr, "");
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().expect("a name")).collect();
    assert_eq!((events[0], events[events.len() - 1]), ("started", "finished"));
    for event in ["training", "progress", "trained", "judging", "reporting"] {
        assert!(events.contains(&event), "{event} in {events:?}");
    }
    assert_eq!((&lines[0]["folder"], &lines[0]["state"]), (&"run".into(), &"new".into()));
    let progress = lines.iter().find(|line| line["event"] == "progress").expect("above");
    // Models go by name, and the first is the baseline's or the Lagrangian network's.
    assert!(progress["model"].is_string() && progress["loss"].as_f64().is_some_and(f64::is_finite), "{progress}");
    let finished = &lines[lines.len() - 1];
    assert_eq!(
        (&finished["summary"]["experiment"], &finished["report"]),
        (&"dblpend".into(), &"run/report.html".into())
    );
    let ended = workplace.run("experiment dblpend --config small.ron --out other --json --quiet");
    assert_eq!(ended.code, Some(2), "one or the other: {}", ended.stderr);
}
