//! Programs in Python: finding one, a virtual environment for it, the pinned packages in it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cargo;
use crate::error::TaskError;

/// A Python's version, without its last number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u32,
    minor: u32,
}

/// What a virtual environment is for, in words for whoever lacks something of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// What needs Python: `the peer`.
    pub(crate) who: &'static str,
    /// How much pip fetches the first time: `some 100 MB`.
    pub(crate) size: &'static str,
    /// What can be done without.
    pub(crate) otherwise: &'static str,
}

/// Oldest Python that the pinned packages exist for.
const OLDEST: Version = Version { major: 3, minor: 10 };
/// Newest Python that the pinned packages exist for.
const NEWEST: Version = Version { major: 3, minor: 13 };

/// Names that a suitable Python may have, the usual one first.
const NAMES: [&str; 6] = ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

/// Prints the version; `-I` keeps modules of the caller's folder and environment out.
const PRINT_VERSION: [&str; 3] = ["-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"];

/// Prints the installed versions of the packages in its arguments as a JSON object.
const PRINT_INSTALLED: &str = "
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
";

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// Reads `3.11`; what follows the second number is ignored.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split('.').map(str::parse);
        Some(Self { major: numbers.next()?.ok()?, minor: numbers.next()?.ok()? })
    }

    fn is_suitable(self) -> bool {
        (OLDEST..=NEWEST).contains(&self)
    }
}

/// A virtual environment under `folder` with the packages of `requirements`; its Python.
///
/// Nothing is done for an environment that is there and complete.
pub(crate) fn environment(folder: &Path, requirements: &Path, purpose: Purpose) -> Result<PathBuf, TaskError> {
    let text = fs::read_to_string(requirements)
        .map_err(|source| TaskError::Read { path: requirements.to_path_buf(), source })?;
    let pinned = pinned(&text).ok_or_else(|| TaskError::Format {
        origin: requirements.display().to_string(),
        expected: "lines of the form name==version, and comments from #".into(),
    })?;
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    if !version(&python).is_some_and(Version::is_suitable) {
        create(folder, purpose)?;
    }
    if is_installed(&python, &pinned)? {
        return Ok(python);
    }
    let packages: Vec<String> = pinned.iter().map(|(name, version)| format!("{name}=={version}")).collect();
    eprintln!("Installing {} into {}. This is needed once.", packages.join(", "), folder.display());
    let mut pip = Command::new(&python);
    // A package without a wheel for this system should fail at once, not after an attempt to build it.
    pip.args(["-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(["--only-binary", ":all:", "--requirement"])
        .arg(requirements)
        .stdin(Stdio::null());
    // Success is that the packages are there, whatever pip says.
    if cargo::status(&mut pip)?.success() && is_installed(&python, &pinned)? {
        return Ok(python);
    }
    Err(TaskError::Missing(format!(
        "{} could not be installed; pip's own messages are above. pip fetches them from the Python package index, {}, \
         the first time only: check the network, or a proxy's setting (HTTPS_PROXY), or name an index within \
         reach (PIP_INDEX_URL), and that a wheel exists for this system and this Python. To start afresh, delete {}.",
        packages.join(", "),
        purpose.size,
        folder.display()
    )))
}

/// Makes the virtual environment anew.
fn create(folder: &Path, purpose: Purpose) -> Result<(), TaskError> {
    let python = find(&NAMES, purpose, |name| version(Path::new(name)))?;
    let has_modules = Command::new(python)
        .args(["-I", "-c", "import venv, ensurepip"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has_modules {
        return Err(TaskError::Missing(format!(
            "{} needs packages in a virtual environment of their own, but `{python}` lacks the module `venv` or \
             `ensurepip` that makes one. On Debian or Ubuntu: `sudo apt install python3-venv`; Python from python.org \
             or Homebrew has both.",
            purpose.who
        )));
    }
    eprintln!("Making a virtual environment in {} with `{python}`.", folder.display());
    let mut command = Command::new(python);
    command.args(["-I", "-m", "venv", "--clear"]).arg(folder);
    let status = cargo::status(&mut command)?;
    match status.success() {
        true => Ok(()),
        false => Err(TaskError::Failed { command: cargo::display(&command), code: status.code() }),
    }
}

/// The first of the names under which `version` finds a suitable Python.
fn find<'a>(
    names: &[&'a str],
    purpose: Purpose,
    version: impl Fn(&str) -> Option<Version>,
) -> Result<&'a str, TaskError> {
    let mut found = Vec::new();
    for name in names {
        match version(name) {
            Some(version) if version.is_suitable() => return Ok(name),
            Some(version) => found.push(format!("`{name}` is {version}")),
            None => {}
        }
    }
    let found = if found.is_empty() { "No Python was found".into() } else { format!("Found: {}", found.join(", ")) };
    Err(TaskError::Missing(format!(
        "{} needs Python {OLDEST} to {NEWEST} on PATH. {found}. On Debian or Ubuntu: `sudo apt install python3 \
         python3-venv`; on macOS: `brew install python@3.13`; elsewhere from https://www.python.org/downloads/. {}",
        purpose.who, purpose.otherwise
    )))
}

/// The version of a Python, if it is there and runs.
fn version(python: &Path) -> Option<Version> {
    let output = Command::new(python).args(PRINT_VERSION).stderr(Stdio::null()).output().ok()?;
    Version::parse(&String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?)
}

/// Names and versions of a requirements file in which each line pins a version; none for any other line.
fn pinned(requirements: &str) -> Option<BTreeMap<String, String>> {
    requirements
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once("==").map(|(name, version)| (name.trim().to_owned(), version.trim().to_owned())))
        .collect()
}

/// Whether exactly these versions are installed.
fn is_installed(python: &Path, pinned: &BTreeMap<String, String>) -> Result<bool, TaskError> {
    let mut command = Command::new(python);
    command.args(["-I", "-c", PRINT_INSTALLED]).args(pinned.keys());
    let text = cargo::output(&mut command)?;
    let installed: Value = serde_json::from_str(&text).map_err(|error| TaskError::Format {
        origin: python.display().to_string(),
        expected: format!("the installed versions as JSON ({error})"),
    })?;
    Ok(pinned.iter().all(|(name, version)| installed[name] == **version))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSE: Purpose = Purpose { who: "the peer", size: "some 100 MB", otherwise: "Or do without." };

    #[test]
    fn versions_are_read_and_compared_by_number() {
        for (text, suitable) in
            [("3.9", false), ("3.10\n", true), ("3.11.7", true), ("3.13", true), ("3.14", false), ("2.7", false)]
        {
            assert_eq!(Version::parse(text).map(Version::is_suitable), Some(suitable), "{text}");
        }
        for text in ["", "3", "three.one", "Python 3.11"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_suitable_name_is_taken() {
        let installed = |name: &str| match name {
            "python3" => Version::parse("3.14"),
            "python3.12" => Version::parse("3.12"),
            _ => None,
        };
        assert_eq!(find(&NAMES, PURPOSE, installed).ok(), Some("python3.12"));
    }

    #[test]
    fn without_a_suitable_python_the_message_says_what_there_is_and_the_remedy() {
        let message = find(&NAMES, PURPOSE, |_| None).expect_err("none").to_string();
        assert!(message.starts_with("the peer needs Python 3.10 to 3.13"), "{message}");
        assert!(message.contains("No Python was found") && message.ends_with("Or do without."), "{message}");
        assert!(message.contains("apt install python3 python3-venv"), "{message}");
        let old = |name: &str| if name == "python3" { Version::parse("3.8") } else { None };
        let message = find(&NAMES, PURPOSE, old).expect_err("too old").to_string();
        assert!(message.contains("`python3` is 3.8"), "{message}");
    }

    #[test]
    fn only_pinned_versions_are_understood() {
        let text = "# why\njax==0.4.38\n\nnumpy == 2.2.6  # for 3.10\n";
        let wanted = [("jax", "0.4.38"), ("numpy", "2.2.6")].map(|(name, at)| (name.to_owned(), at.to_owned()));
        assert_eq!(pinned(text), Some(BTreeMap::from(wanted)));
        assert_eq!(pinned("jax>=0.4"), None);
        for (file, needed) in [("benches/peers", "jax"), ("python/tests", "safetensors")] {
            let own = cargo::root().join(file).join("requirements.txt");
            let own = pinned(&fs::read_to_string(own).expect("in the repository"));
            assert!(own.is_some_and(|pinned| pinned.contains_key(needed) && pinned.contains_key("numpy")), "{file}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_has_no_version() {
        assert_eq!(version(Path::new("no-such-python-anywhere")), None);
    }
}
