//! The same seed gives the same bits: for any number of threads, from a run's own configuration, and when a
//! finished run is judged again.

use std::collections::BTreeMap;
use std::fs;

use lnn_train::config::presets::BASELINE;
use lnn_train::store::load_model;

use crate::small_run::{Workplace, assert_same_results, config, results, snapshot, timeless_summary};

#[test]
fn the_number_of_threads_changes_no_bit() {
    let mut config = config(300);
    // Wide enough that the sum over partial gradients is shared among threads as well.
    let baseline = config.models.get_mut(BASELINE).expect("in the small run");
    baseline.hidden = vec![128, 128];
    let workplace = Workplace::new(&config);
    for threads in [1, 2, 4] {
        let line = format!("experiment dblpend --config small.ron --out with-{threads} --threads {threads}");
        let said = workplace.succeed(&line).stderr;
        assert!(said.contains(&format!(", {threads} thread(s)")), "{said}");
    }
    let wide = load_model(&workplace.path("with-1/model-baseline.safetensors")).expect("written");
    assert!(wide.parameters.len() > 1 << 14, "the sum is not shared among threads");
    assert_same_results(&workplace.path("with-1"), &workplace.path("with-2"));
    assert_same_results(&workplace.path("with-1"), &workplace.path("with-4"));
}

#[test]
fn a_run_on_observed_motions_repeats_for_any_number_of_threads_and_from_its_own_configuration() {
    let workplace = Workplace::new(&config(60));
    let line = "experiment dblpend --config small.ron --train-on trajectories --quiet";
    workplace.succeed(&format!("{line} --out first --threads 1"));
    workplace.succeed(&format!("{line} --out second --threads 2"));
    workplace.succeed("experiment dblpend --config first/config.ron --out third --quiet");
    for other in ["second", "third"] {
        assert_same_results(&workplace.path("first"), &workplace.path(other));
    }
    let kept = fs::read_to_string(workplace.path("first/config.ron")).expect("written");
    assert_eq!(kept.matches("data: Trajectories(").count(), 2, "{kept}");
    workplace.succeed("experiment dblpend --config first/config.ron --train-on states --out fourth --quiet");
    let kept = fs::read_to_string(workplace.path("fourth/config.ron")).expect("written");
    assert_eq!(kept.matches("data: States").count(), 2, "{kept}");
}

#[test]
fn another_seed_gives_other_results() {
    let workplace = Workplace::new(&config(40));
    workplace.succeed("experiment dblpend --config small.ron --out a");
    workplace.succeed("experiment dblpend --config small.ron --out b --seed 1");
    let (a, b) = (results(&workplace.path("a")), results(&workplace.path("b")));
    for name in ["model-lnn.safetensors", "model-baseline.safetensors", "metrics.jsonl", "trajectories.csv"] {
        assert!(a[name] != b[name], "{name} does not depend on the seed");
    }
    assert_ne!(timeless_summary(&workplace.path("a")), timeless_summary(&workplace.path("b")));
}

/// One altered byte in one file of a run that was otherwise the same.
#[test]
#[should_panic(expected = "model-lnn.safetensors differs")]
fn the_comparison_sees_a_single_byte() {
    let workplace = Workplace::new(&config(10));
    for folder in ["a", "b"] {
        workplace.succeed(&format!("experiment dblpend --config small.ron --out {folder} --quiet"));
    }
    let path = workplace.path("b/model-lnn.safetensors");
    let mut bytes = fs::read(&path).expect("written");
    *bytes.last_mut().expect("not empty") ^= 1;
    fs::write(&path, bytes).expect("writable");
    assert_same_results(&workplace.path("a"), &workplace.path("b"));
}

/// A configuration as a person writes it: what is left out takes its default.
const BY_HAND: &str = r#"(
    preset: "by-hand",
    seed: 3,
    models: {
        "lnn": (
            hidden: [12, 8],
            activation: tanh,
            training: (steps: 60, batch: 40, loss: L1, optimiser: Adam(), schedule: Constant(rate: 1e-3)),
        ),
    },
    evaluation: (held_out: 100, rollouts: 2, t_end: 0.5),
    log_every: 7,
)"#;

#[test]
fn the_configuration_kept_in_a_run_repeats_it() {
    let workplace = Workplace::new(&config(1));
    workplace.write("by-hand.ron", BY_HAND);
    workplace.succeed("experiment dblpend --config by-hand.ron --out first");
    workplace.succeed("experiment dblpend --config first/config.ron --out second");
    assert_same_results(&workplace.path("first"), &workplace.path("second"));
    let kept = fs::read_to_string(workplace.path("first/config.ron")).expect("written");
    assert!(kept.contains("by-hand") && kept.contains("residual_mass"), "every field is written out:\n{kept}");
}

#[test]
fn judging_a_finished_run_again_rewrites_the_same_figures() {
    let workplace = Workplace::new(&config(60));
    let folder = workplace.path("run");
    workplace.succeed("experiment dblpend --config small.ron --out run");
    let (before, summary) = (snapshot(&folder), timeless_summary(&folder));
    let said = workplace.succeed("experiment dblpend --config small.ron --out run --resume --threads 1").stderr;
    assert!(said.contains("judging its models again"), "{said}");
    let after = snapshot(&folder);
    // The time and the threads of this session appear in these two.
    let timed = ["summary.json", "report.html"].map(|name| folder.join(name));
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let changed: BTreeMap<_, _> = before.iter().filter(|&(path, bytes)| after[path] != *bytes).collect();
    assert!(changed.keys().all(|path| timed.contains(path)), "changed: {:?}", changed.keys());
    assert_eq!(timeless_summary(&folder), summary);
}
