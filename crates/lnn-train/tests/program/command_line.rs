//! What the program says where: results on standard output, everything else on standard error.

use crate::small_run::{Workplace, config};

const RUN: &str = "experiment dblpend --config small.ron --out run";

#[test]
fn the_table_goes_to_standard_output_and_progress_to_standard_error() {
    let workplace = Workplace::new(&config(60));
    let ended = workplace.succeed(RUN);
    for words in ["model", "LNN", "Baseline", "0.073", "Lower is better", "dblpend · preset small · seed 0"] {
        assert!(ended.stdout.contains(words), "{words}:\n{}", ended.stdout);
    }
    assert!(ended.stdout.trim_end().ends_with("Report: run/report.html"), "{}", ended.stdout);
    for words in ["Run folder: run", "lnn        training: ", "60 steps", "lnn        step 25/60", "rolling out"] {
        assert!(ended.stderr.contains(words), "{words}:\n{}", ended.stderr);
        assert!(!ended.stdout.contains(words), "{words}:\n{}", ended.stdout);
    }
    // Neither stream is a terminal here.
    assert!(!ended.stdout.contains('\u{1b}') && !ended.stderr.contains('\u{1b}'));
}

#[test]
fn quiet_prints_the_table_only() {
    let workplace = Workplace::new(&config(20));
    let ended = workplace.succeed(&format!("{RUN} --quiet --models baseline"));
    assert_eq!(ended.stderr, "");
    assert!(ended.stdout.contains("Baseline") && ended.stdout.contains("Lower is better"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("LNN") && !ended.stdout.contains("Report:"), "{}", ended.stdout);
}

#[test]
fn the_default_folder_is_named_after_preset_and_seed() {
    let workplace = Workplace::new(&config(20));
    workplace.succeed("experiment dblpend --config small.ron --seed 7");
    let folder = workplace.path("runs/dblpend/small-7");
    for name in ["config.ron", "metrics.jsonl", "model-lnn.safetensors", "model-baseline.safetensors"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    for name in ["trajectories.csv", "summary.json", "report.html", "figures/loss.svg", "figures/loss.png"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
}

#[test]
fn help_teaches_by_examples() {
    let workplace = Workplace::new(&config(20));
    let help = workplace.succeed("experiment --help").stdout;
    for words in ["Examples:", "lnn experiment dblpend --preset best", "--resume", "Exit codes:", "130 interrupted"] {
        assert!(help.contains(words), "{words}:\n{help}");
    }
    let top = workplace.succeed("--help").stdout;
    assert!(top.contains("lnn experiment dblpend") && top.contains("examples"), "{top}");
    let version = workplace.succeed("--version").stdout;
    assert_eq!(version.trim(), format!("lnn {}", env!("CARGO_PKG_VERSION")));
}

/// On a terminal the table has colours, unless `NO_COLOR` is set, and training has a progress bar.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_has_colours_unless_told_not_to_and_a_progress_bar() {
    use std::process::{Command, Stdio};

    let workplace = Workplace::new(&config(400));
    // `script` gives a command a terminal of its own; it is part of every Debian and Ubuntu.
    let on_terminal = |line: &str, no_colour: bool| {
        let line = format!("{} {line}", env!("CARGO_BIN_EXE_lnn"));
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(workplace.path("")).stdin(Stdio::null());
        script.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        if no_colour {
            script.env("NO_COLOR", "1");
        }
        let output = script.output().expect("`script` of util-linux");
        let said = String::from_utf8(output.stdout).expect("text");
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("Lower is better") && !said.contains("panicked"), "{said}");
        said
    };
    let quiet = |folder: &str| format!("experiment dblpend --config small.ron --out {folder} --quiet");
    // Bold, as the head of the table has it.
    let bold = "\u{1b}[1m";
    assert!(on_terminal(&quiet("coloured"), false).contains(bold));
    assert!(!on_terminal(&quiet("plain"), true).contains('\u{1b}'));
    let said = on_terminal("experiment dblpend --config small.ron --out bar", false);
    assert!(said.contains("/400") && said.contains('━'), "a progress bar: {said:?}");
}
