//! What the program says where: results on standard output, everything else on standard error.

use std::fs;
use std::process::Stdio;

use lnn_train::config::ExperimentConfig;

use crate::small_run::{Workplace, assert_same_results, config, snapshot};

const RUN: &str = "experiment dblpend --config small.ron --out run";

#[test]
fn the_table_goes_to_standard_output_and_progress_to_standard_error() {
    let workplace = Workplace::new(&config(60));
    let ended = workplace.succeed(RUN);
    for words in ["model", "LNN", "Baseline", "0.073", "Lower is better", "dblpend · preset small · seed 0"] {
        assert!(ended.stdout.contains(words), "{words}:\n{}", ended.stdout);
    }
    assert!(ended.stdout.trim_end().ends_with("Report: run/report.html"), "{}", ended.stdout);
    for words in ["Run folder: run", "lnn        training: ", "60 steps", "lnn        step 1/60", "rolling out"] {
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

/// A step is shared by as many threads as it has partial gradients, and a batch of 96 has rows for six.
#[test]
fn threads_that_the_recipe_leaves_idle_are_mentioned() {
    let mut config = config(20);
    config.models.retain(|name, _| name == "lnn");
    let mentioned = |config: &ExperimentConfig, threads: usize| {
        let ended = Workplace::new(config).succeed(&format!("{RUN} --threads {threads}"));
        let words = format!("at most 2 of the {threads} threads; models.lnn.training.gradient_parts can raise that");
        assert_eq!(ended.stderr.contains("gradient_parts"), ended.stderr.contains(&words), "{}", ended.stderr);
        ended.stderr.contains(&words)
    };
    assert!(!mentioned(&config, 4) && !mentioned(&config, 9), "no other recipe would use more than six");
    config.models.get_mut("lnn").expect("kept").training.gradient_parts = Some(2);
    assert!(!mentioned(&config, 2) && mentioned(&config, 4));
    let quiet = Workplace::new(&config).succeed(&format!("{RUN} --threads 4 --quiet"));
    assert_eq!(quiet.stderr, "");
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
    for words in
        ["Examples:", "cargo xtask experiment dblpend --preset best", "--resume", "Exit codes:", "130 interrupted"]
    {
        assert!(help.contains(words), "{words}:\n{help}");
    }
    let top = workplace.succeed("--help").stdout;
    assert!(top.contains("cargo xtask experiment dblpend") && top.contains("examples"), "{top}");
    let version = workplace.succeed("--version").stdout;
    assert_eq!(version.trim(), format!("lnn {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn nobody_reading_standard_error_changes_nothing() {
    let workplace = Workplace::new(&config(20));
    for (line, code) in [(RUN, 0), ("experiment dblpend --preset fest", 1)] {
        let mut command = workplace.command(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        drop(child.stderr.take());
        let output = child.wait_with_output().expect("it ends");
        // A panic would end with 101.
        assert_eq!(output.status.code(), Some(code), "{line}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).contains("Lower is better"), code == 0, "{line}");
    }
    assert!(workplace.path("run/summary.json").is_file());
}

#[test]
fn many_seeds_make_one_table_that_is_not_overwritten_and_damage_is_named() {
    let workplace = Workplace::new(&config(20));
    let line = "experiment dblpend --config small.ron --models baseline --seeds 3-4 --out many --quiet";
    let ended = workplace.succeed(line);
    let table = fs::read_to_string(workplace.path("many/small-seeds-3-4.md")).expect("written");
    assert!(ended.stdout.ends_with(&table) && table.contains("worst"), "{}", ended.stdout);

    let before = snapshot(&workplace.path("many"));
    let ended = workplace.run(line);
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains("many/small-seeds-3-4.md is there already"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--resume"), "{}", ended.stderr);
    assert_eq!(snapshot(&workplace.path("many")), before);
    let resumed = workplace.succeed(&format!("{line} --resume"));
    assert_eq!(resumed.stdout, table);

    workplace.write("many/small-4/summary.json", "{ \"experiment\": \"dblp");
    let ended = workplace.run(&format!("{line} --resume"));
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    for words in ["many/small-4/summary.json is damaged", "delete it and repeat the command with --resume"] {
        assert!(ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
    fs::remove_file(workplace.path("many/small-4/summary.json")).expect("present");
    workplace.succeed(&format!("{line} --resume"));
}

/// The command in the report, with the program in the place of `cargo xtask`, gives the same weights.
#[test]
fn the_command_in_the_report_repeats_the_run() {
    let workplace = Workplace::new(&config(20));
    workplace.succeed("experiment dblpend --config small.ron --models lnn --seed 5 --out run --quiet");
    // The file has been edited since.
    workplace.write("small.ron", &config(30).to_ron().expect("plain data"));
    let page = fs::read_to_string(workplace.path("run/report.html")).expect("written");
    let command = "cargo xtask experiment dblpend --config run/config.ron --out run-again";
    assert!(page.contains(&format!("<code>{command}</code>")), "{command}");
    workplace.succeed(command.strip_prefix("cargo xtask ").expect("as above"));
    assert_same_results(&workplace.path("run"), &workplace.path("run-again"));
}

/// On a terminal the table has colours, unless `NO_COLOR` is set, and training has a progress bar.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_has_colours_unless_told_not_to_and_a_progress_bar() {
    use std::process::Command;

    let workplace = Workplace::new(&config(400));
    // `script` gives a command a terminal of its own; it is part of every Debian and Ubuntu.
    let on_terminal = |line: &str, no_colour: Option<&str>| {
        let line = format!("{} {line}", env!("CARGO_BIN_EXE_lnn"));
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).current_dir(workplace.path("")).stdin(Stdio::null());
        script.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        if let Some(value) = no_colour {
            script.env("NO_COLOR", value);
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
    assert!(on_terminal(&quiet("coloured"), None).contains(bold));
    assert!(on_terminal(&quiet("unset"), Some("")).contains(bold), "an empty NO_COLOR is none");
    assert!(!on_terminal(&quiet("plain"), Some("1")).contains('\u{1b}'));
    let said = on_terminal("experiment dblpend --config small.ron --out bar", None);
    assert!(said.contains("/400") && said.contains('━'), "a progress bar: {said:?}");
}
