//! On what was measured: processor, threads, system, compiler, day.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::cargo;

/// `{ "processor", "threads", "system", "rustc", "revision", "date" }`; `null` for what cannot be found out.
pub(crate) fn describe() -> Value {
    let threads = std::thread::available_parallelism().ok().map(std::num::NonZero::get);
    json!({
        "processor": processor(),
        "threads": threads,
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "rustc": first_line("rustc", &["--version"]),
        "revision": revision(&cargo::root()),
        "date": today(),
    })
}

/// The processor's name, as the system gives it.
fn processor() -> Option<String> {
    let linux = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| model_name(&text));
    linux.or_else(|| first_line("sysctl", &["-n", "machdep.cpu.brand_string"]))
}

/// The first `model name` of a Linux `/proc/cpuinfo`.
fn model_name(cpuinfo: &str) -> Option<String> {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == "model name")
        .map(|(_, name)| name.trim().to_owned())
}

/// What `git describe` calls the commit in `folder`, with `-dirty` for changed files. Measured figures are no
/// change: the second group that saves its own is still of that commit.
fn revision(folder: &Path) -> Option<String> {
    let folder = folder.to_str()?;
    let commit = first_line("git", &["-C", folder, "describe", "--always"])?;
    let figures = [":(exclude)docs/benchmarks", ":(exclude)docs/benchmarks.md"];
    let changes = ["-C", folder, "diff", "--name-only", "HEAD", "--", "."];
    let changed = first_line("git", &[&changes[..], &figures].concat()).is_some();
    Some(if changed { commit + "-dirty" } else { commit })
}

/// The first line that a program prints, if it is there and succeeds.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}

/// Today in UTC, as year-month-day.
fn today() -> Option<String> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(date(seconds / 86_400))
}

/// The Gregorian date so many days after 1970-01-01.
fn date(days: u64) -> String {
    // Counted from 1 March of the year 0, so that a leap day ends its year; 719 468 days before 1970.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::super::criterion::tests::Folder;
    use super::*;

    #[test]
    fn the_revision_is_the_commits_and_says_whether_more_than_figures_changed() {
        let folder = Folder::new("revision");
        let path = folder.0.to_str().expect("a plain name");
        assert_eq!(revision(&folder.0), None, "outside a repository");
        let git = |arguments: &[&str]| {
            let settings = ["-C", path, "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "core.hooksPath="];
            let status = Command::new("git").args(settings).args(arguments).output().expect("git is installed").status;
            assert!(status.success(), "{arguments:?}");
        };
        let write = |name: &str, text: &str| fs::write(folder.0.join(name), text).expect("a fresh folder");
        fs::create_dir_all(folder.0.join("docs/benchmarks")).expect("a fresh folder");
        for name in ["code", "docs/benchmarks.md", "docs/benchmarks/cpu.json"] {
            write(name, "1");
        }
        git(&["init", "--quiet"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "x"]);
        let clean = revision(&folder.0).expect("a commit");
        assert!(clean.len() >= 7 && clean.chars().all(|digit| digit.is_ascii_hexdigit()), "{clean}");
        write("docs/benchmarks.md", "2");
        write("docs/benchmarks/cpu.json", "2");
        assert_eq!(revision(&folder.0).as_ref(), Some(&clean));
        write("code", "2");
        assert_eq!(revision(&folder.0), Some(clean + "-dirty"));
    }

    #[test]
    fn dates_around_leap_days_and_centuries() {
        for (days, text) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_453, "2025-12-31"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn the_processors_name_is_the_first_of_its_lines() {
        let text =
            "processor\t: 0\nmodel name\t: Some CPU: 9000\nflags : model name\nprocessor: 1\nmodel name: Other\n";
        assert_eq!(model_name(text).as_deref(), Some("Some CPU: 9000"));
        assert_eq!(model_name("Hardware : board\n"), None);
    }
}
