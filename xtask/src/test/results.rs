//! Counting what `cargo test` prints, package by package.

use std::collections::{BTreeMap, BTreeSet};

use super::graphics::ADAPTER;
use crate::cargo::Artifact;
use crate::summary::Part;

/// One started test program, or one package's documentation tests, while its output is read.
#[derive(Debug)]
struct Section {
    /// The summary line it counts towards.
    part: String,
    /// What to run to see it again.
    rerun: String,
    /// Whether it printed a result line.
    reported: bool,
    /// Tests that failed in it.
    failed: usize,
}

/// Counts of one `cargo test` run.
#[derive(Debug)]
pub(crate) struct Results {
    /// Package names by the file name of the test program.
    owners: BTreeMap<String, String>,
    /// Counts so far, in the order in which the packages first appeared.
    parts: Vec<Part>,
    section: Option<Section>,
    /// Graphics adapters that tests named as theirs.
    adapters: BTreeSet<String>,
}

impl Results {
    /// Starts counting; `artifacts` and `packages` say whose a test program is.
    pub(crate) fn new(artifacts: &[Artifact], packages: &BTreeMap<String, String>) -> Self {
        let owner = |artifact: &Artifact| {
            let program = artifact.executable.file_name()?.to_string_lossy().into_owned();
            Some((program, packages.get(&artifact.package_id)?.clone()))
        };
        Self {
            owners: artifacts.iter().filter_map(owner).collect(),
            parts: Vec::new(),
            section: None,
            adapters: BTreeSet::new(),
        }
    }

    /// Takes in one line of cargo's and the test programs' common output.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some((title, path)) = running(line) {
            let program = path.rsplit(['/', '\\']).next().unwrap_or(path);
            let package = self.owners.get(program).cloned().unwrap_or_else(|| title.to_owned());
            let rerun = format!("{package}: `{title}` failed");
            self.open(package, rerun);
        } else if let Some(name) = line.strip_prefix("Doc-tests ") {
            let package = name.replace('_', "-");
            let rerun = format!("`cargo test --package {package} --doc` failed");
            self.open(format!("{package} (documentation)"), rerun);
        } else if let Some(adapter) = line.strip_prefix(ADAPTER) {
            self.adapters.insert(adapter.to_owned());
        } else if let Some((passed, failed, ignored)) = result(line) {
            self.count(passed, failed, ignored);
        } else if line.starts_with("error: test failed") || line.starts_with("error: doctest failed") {
            self.fail_section(line);
        }
    }

    /// What kernels ran on, a note for each adapter.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.adapters.iter().map(|adapter| format!("kernels ran on {adapter}")).collect()
    }

    /// The parts; if cargo failed although nothing counted as failed, that itself is a failure.
    pub(crate) fn finish(mut self, success: bool) -> Vec<Part> {
        self.close();
        if !success && self.parts.iter().all(|part| part.failed == 0) {
            let remedy = vec!["`cargo test` failed without a failed test: its own messages are above".into()];
            self.parts.push(Part { name: "cargo test".into(), failed: 1, remedy, ..Part::default() });
        }
        self.parts
    }

    fn open(&mut self, part: String, rerun: String) {
        self.close();
        self.section = Some(Section { part, rerun, reported: false, failed: 0 });
    }

    /// Ends the open section. A program that says nothing and does not fail has no harness: it is one
    /// test that passed.
    fn close(&mut self) {
        if let Some(section) = &self.section
            && !section.reported
        {
            self.count(1, 0, 0);
        }
        self.section = None;
    }

    /// The open program ended badly: with failed tests that are counted already, or without a result.
    fn fail_section(&mut self, line: &str) {
        let command = line.split("pass ").nth(1).map(|rest| format!("cargo test {}", rest.trim().trim_matches('`')));
        if let Some(section) = &mut self.section {
            if let Some(command) = command {
                section.rerun = format!("run `{command}` to see it again");
            }
            let rerun = section.rerun.clone();
            if section.failed == 0 {
                self.count(0, 1, 0);
            }
            if let Some(part) = self.parts.last_mut() {
                part.remedy.push(rerun);
            }
        }
        self.section = None;
    }

    fn count(&mut self, passed: usize, failed: usize, ignored: usize) {
        let Some(section) = &mut self.section else {
            return;
        };
        section.reported = true;
        section.failed += failed;
        let name = section.part.clone();
        // The last part stays this section's, so that its remedy finds it.
        let mut part = match self.parts.iter().position(|part| part.name == name) {
            Some(index) => self.parts.remove(index),
            None => Part { name, ..Part::default() },
        };
        part.passed += passed;
        part.failed += failed;
        part.ignored += ignored;
        self.parts.push(part);
    }
}

/// `Running TITLE (PATH)`: a test program starts.
fn running(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("Running ")?.strip_suffix(')')?.rsplit_once(" (")
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; …`: passed, failed, ignored.
fn result(line: &str) -> Option<(usize, usize, usize)> {
    // A test that prints without a newline leaves its words before the result line.
    let counts = line.split_once("test result: ")?.1.split_once(". ")?.1;
    let number = |word: &str| {
        let field = counts.split("; ").find(|field| field.ends_with(word))?;
        field.split(' ').next()?.parse().ok()
    };
    Some((number(" passed")?, number(" failed")?, number(" ignored")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
     Running unittests src/lib.rs (target/debug/deps/lnn_physics-0a1b)
running 3 tests
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/golden.rs (target/debug/deps/golden-77)
test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
   Doc-tests lnn_physics
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.30s
";

    fn parts(text: &str, success: bool) -> Vec<Part> {
        let artifact = |file: &str| Artifact {
            package_id: "p".into(),
            target: "t".into(),
            kind: "test".into(),
            executable: format!("/repo/target/debug/deps/{file}").into(),
        };
        let packages = BTreeMap::from([("p".to_owned(), "lnn-physics".to_owned())]);
        let mut results = Results::new(&[artifact("lnn_physics-0a1b"), artifact("golden-77")], &packages);
        text.lines().for_each(|line| results.read(line));
        results.finish(success)
    }

    fn counts(parts: &[Part]) -> Vec<(&str, usize, usize, usize)> {
        parts.iter().map(|part| (part.name.as_str(), part.passed, part.failed, part.ignored)).collect()
    }

    #[test]
    fn programs_of_a_package_are_summed_and_documentation_is_apart() {
        assert_eq!(counts(&parts(GOOD, true)), [("lnn-physics", 7, 0, 1), ("lnn-physics (documentation)", 4, 0, 0)]);
    }

    #[test]
    fn failed_tests_are_counted_once_and_say_how_to_run_them_again() {
        let text = GOOD
            .replace("ok. 5 passed; 0 failed", "FAILED. 3 passed; 2 failed")
            .replace("   Doc-tests", "error: test failed, to rerun pass `-p lnn-physics --test golden`\n   Doc-tests");
        let parts = parts(&text, false);
        assert_eq!(counts(&parts), [("lnn-physics", 5, 2, 1), ("lnn-physics (documentation)", 4, 0, 0)]);
        assert_eq!(parts[0].remedy, ["run `cargo test -p lnn-physics --test golden` to see it again"]);
    }

    #[test]
    fn a_program_that_dies_without_a_result_is_a_failure() {
        let text = "     Running tests/golden.rs (target/debug/deps/golden-77)\nrunning 5 tests\n\
                    error: test failed, to rerun pass `-p lnn-physics --test golden`\n\
                    Caused by:\n  process didn't exit successfully (signal: 6, SIGABRT)";
        assert_eq!(counts(&parts(text, false)), [("lnn-physics", 0, 1, 0)]);
    }

    #[test]
    fn a_silent_program_without_a_harness_is_one_test() {
        let text = "     Running tests/golden.rs (target/debug/deps/golden-77)\n";
        assert_eq!(counts(&parts(text, true)), [("lnn-physics", 1, 0, 0)]);
    }

    #[test]
    fn a_failed_run_never_looks_like_a_passed_one() {
        assert_eq!(counts(&parts(GOOD, false)).last(), Some(&("cargo test", 0, 1, 0)));
        assert_eq!(counts(&parts("", false)), [("cargo test", 0, 1, 0)]);
    }

    #[test]
    fn other_lines_are_not_results() {
        for line in ["test result of mine", "running 3 tests", "test a ... ok", "Running fast", ""] {
            assert_eq!(result(line), None, "{line}");
            assert_eq!(running(line), None, "{line}");
        }
    }

    #[test]
    fn the_adapter_of_the_kernels_is_noted_once() {
        let mut results = Results::new(&[], &BTreeMap::new());
        for line in ["graphics adapter: llvmpipe (cpu)", "test sum ... ok", "graphics adapter: llvmpipe (cpu)"] {
            results.read(line);
        }
        assert_eq!(results.notes(), ["kernels ran on llvmpipe (cpu)"]);
    }
}
