//! The block at the end of `test` and `tidy`: what passed, what failed, what to do.

use std::io::{self, Write};
use std::time::Duration;

/// One line of the summary: a check, or the tests of one package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// What was checked.
    pub(crate) name: String,
    /// Tests, or checks, that passed.
    pub(crate) passed: usize,
    /// Tests, or checks, that failed.
    pub(crate) failed: usize,
    /// Tests marked `#[ignore]`.
    pub(crate) ignored: usize,
    /// Wall time, where it was measured.
    pub(crate) time: Option<Duration>,
    /// For a failed part: what was found and what to do, line by line.
    pub(crate) remedy: Vec<String>,
}

impl Part {
    /// A single check: passed if there are no findings.
    pub(crate) fn check(name: &str, time: Duration, findings: Vec<String>) -> Self {
        let failed = usize::from(!findings.is_empty());
        Self { name: name.into(), passed: 1 - failed, failed, time: Some(time), remedy: findings, ..Self::default() }
    }
}

/// Sums over all parts: passed and failed.
pub(crate) fn totals(parts: &[Part]) -> (usize, usize) {
    parts.iter().fold((0, 0), |(passed, failed), part| (passed + part.passed, failed + part.failed))
}

/// Writes the block; its last line is exactly `N passed, N failed`.
///
/// A part in which nothing ran is shown as such: it is no success.
pub(crate) fn write(out: &mut impl Write, parts: &[Part], notes: &[String], time: Duration) -> io::Result<()> {
    let width = parts.iter().map(|part| part.name.chars().count()).max().unwrap_or(0);
    writeln!(out, "\n=== Summary {}", "=".repeat(60))?;
    for part in parts {
        let verdict = match (part.passed, part.failed) {
            (0, 0) => "nothing ran",
            (_, 0) => "passed",
            _ => "FAILED",
        };
        write!(out, "{verdict:>11}  {:<width$}  {:>4} passed, {} failed", part.name, part.passed, part.failed)?;
        if part.ignored > 0 {
            write!(out, ", {} ignored", part.ignored)?;
        }
        if let Some(time) = part.time {
            write!(out, "  ({:.1} s)", time.as_secs_f64())?;
        }
        writeln!(out)?;
        for line in part.remedy.iter().filter(|_| part.failed > 0) {
            writeln!(out, "             {line}")?;
        }
    }
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out, "total time {:.1} s", time.as_secs_f64())?;
    let (passed, failed) = totals(parts);
    writeln!(out, "{passed} passed, {failed} failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, passed: usize, failed: usize) -> Part {
        Part { name: name.into(), passed, failed, remedy: vec![format!("repair {name}")], ..Part::default() }
    }

    #[test]
    fn the_last_line_is_the_sum_of_all_parts() {
        let parts = [part("formatting", 1, 0), part("lnn-physics", 40, 2), part("lnn-train", 7, 1)];
        let mut out = Vec::new();
        write(&mut out, &parts, &[], Duration::from_millis(1500)).expect("writing to memory cannot fail");
        let text = String::from_utf8(out).expect("the summary is text");
        assert_eq!(text.lines().last(), Some("48 passed, 3 failed"));
        assert!(text.contains("total time 1.5 s"));
        assert!(text.contains("repair lnn-physics") && text.contains("repair lnn-train"));
        assert!(!text.contains("repair formatting"), "a passed part needs no remedy");
    }

    #[test]
    fn a_part_in_which_nothing_ran_is_not_called_passed() {
        let mut out = Vec::new();
        write(&mut out, &[part("lnn-train", 0, 0)], &[], Duration::ZERO).expect("writing to memory cannot fail");
        let text = String::from_utf8(out).expect("the summary is text");
        assert!(text.contains("nothing ran  lnn-train"), "{text}");
    }

    #[test]
    fn a_check_fails_exactly_when_it_found_something() {
        assert_eq!(totals(&[Part::check("a", Duration::ZERO, vec![])]), (1, 0));
        assert_eq!(totals(&[Part::check("a", Duration::ZERO, vec!["x".into(), "y".into()])]), (0, 1));
    }
}
