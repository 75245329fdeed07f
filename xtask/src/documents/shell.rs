//! Running a document's blocks in a folder of its own, with the built program on the path.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::TaskError;

/// Stands for `cargo`: experiments run as trials, what other parts of the tests run is noted.
const CARGO: &str = include_str!("shims/cargo.sh");
/// Stands for `lnn`: the built program, which trains as a trial.
const LNN: &str = include_str!("shims/lnn.sh");
/// Stands for what sets up a machine.
const SET_UP: &str = include_str!("shims/set_up.sh");

/// The commands that a document's blocks find, and where they run.
pub(super) struct Shell {
    root: PathBuf,
    folder: PathBuf,
    python: PathBuf,
}

impl Shell {
    /// A fresh folder with the commands; whatever it held is removed.
    pub(super) fn new(root: &Path, folder: &Path, lnn: &Path, python: &Path) -> Result<Self, TaskError> {
        let written = |path: &Path, result: std::io::Result<()>| {
            result.map_err(|source| TaskError::Write { path: path.to_owned(), source })
        };
        if folder.exists() {
            written(folder, fs::remove_dir_all(folder))?;
        }
        let commands = folder.join("bin");
        written(&commands, fs::create_dir_all(&commands))?;
        let scripts = [
            ("cargo", CARGO),
            ("lnn", LNN),
            ("sudo", SET_UP),
            ("curl", SET_UP),
            ("git", SET_UP),
            ("sh", "#!/bin/sh\ncat\n"),
        ];
        for (name, text) in scripts {
            let path = commands.join(name);
            written(&path, fs::write(&path, text).and_then(|()| executable(&path)))?;
        }
        for (name, program) in [("built-lnn", lnn), ("python", python), ("python3", python)] {
            let path = commands.join(name);
            let text = format!("#!/bin/sh\nexec '{}' \"$@\"\n", program.display());
            written(&path, fs::write(&path, text).and_then(|()| executable(&path)))?;
        }
        // What a fresh installation of Rust adds to the environment is there already.
        let home = folder.join("home/.cargo");
        written(&home, fs::create_dir_all(&home).and_then(|()| fs::write(home.join("env"), "")))?;
        Ok(Self { root: root.to_owned(), folder: folder.to_owned(), python: python.to_owned() })
    }

    /// Runs a block in the folder of its document; the problem, if it fails.
    pub(super) fn run(&self, document: &str, language: &str, text: &str) -> Result<Option<String>, TaskError> {
        let folder = self.folder.join(document.replace('/', "-"));
        if !folder.exists() {
            self.fill(&folder)?;
        }
        // As an argument and not as standard input, which a command of the block would read from.
        let (program, arguments): (&Path, &[&str]) = match language {
            "python" => (&self.python, &["-c", text]),
            _ => (Path::new("bash"), &["-euo", "pipefail", "-c", text]),
        };
        let mut path = OsString::from(self.folder.join("bin"));
        if let Some(inherited) = std::env::var_os("PATH") {
            path.push(":");
            path.push(inherited);
        }
        let start = |source| TaskError::Start { program: program.display().to_string(), source };
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&folder)
            .env("PATH", path)
            .env("HOME", self.folder.join("home"))
            .env("PYTHONPATH", self.root.join("python"))
            .env("DOCUMENTS_ROOT", &self.root)
            .env("DOCUMENTS_NOT_RUN", self.list())
            .stdin(Stdio::null())
            .output()
            .map_err(start)?;
        if output.status.success() {
            return Ok(None);
        }
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        let (printed, said) = (shown(&output.stdout), shown(&output.stderr));
        let last = said.lines().last().unwrap_or_default();
        Ok(Some(format!("{} ({last})\n{text}\n{printed}\n{said}", output.status)))
    }

    /// A folder that looks like the repository's root, in which a document that commands write to is a copy.
    fn fill(&self, folder: &Path) -> Result<(), TaskError> {
        let written = |source| TaskError::Write { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(written)?;
        for entry in fs::read_dir(&self.root).map_err(written)? {
            let name = entry.map_err(written)?.file_name();
            let (from, to) = (self.root.join(&name), folder.join(&name));
            match &*name.to_string_lossy() {
                "target" | "runs" => {}
                "docs" => copy_folder(&from, &to).map_err(written)?,
                hidden if hidden.starts_with('.') => {}
                _ => link(&from, &to).map_err(written)?,
            }
        }
        Ok(())
    }

    fn list(&self) -> PathBuf {
        self.folder.join("not-run.txt")
    }

    /// What was not run, and why, a line for each reason.
    pub(super) fn not_run(&self) -> Result<Vec<String>, TaskError> {
        let path = self.list();
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&path).map_err(|source| TaskError::Read { path, source })?;
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        for (command, reason) in text.lines().filter_map(|line| line.split_once('\t')) {
            let known = match reasons.iter().position(|(known, _)| *known == reason) {
                Some(known) => known,
                None => {
                    reasons.push((reason, Vec::new()));
                    reasons.len() - 1
                }
            };
            if !reasons[known].1.contains(&command) {
                reasons[known].1.push(command);
            }
        }
        let line = |(reason, commands): &(&str, Vec<&str>)| {
            format!("documents: not run: {reason}: `{}`", commands.join("`, `"))
        };
        Ok(reasons.iter().map(line).collect())
    }
}

#[cfg(unix)]
fn executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(not(unix))]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_dir() { copy_folder(from, to) } else { fs::copy(from, to).map(|_| ()) }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Folder;

    #[test]
    fn a_command_that_reads_its_input_swallows_nothing_of_the_block() {
        let folder = Folder::new("documents");
        let root = folder.0.join("root");
        fs::create_dir_all(&root).expect("a fresh folder");
        let shell = Shell { root, folder: folder.0.clone(), python: "python3".into() };
        assert_eq!(shell.run("a.md", "sh", "cat > seen\ntest ! -s seen\n").expect("bash starts"), None);
        let problem = shell.run("a.md", "sh", "cat > seen\nfalse\n").expect("bash starts");
        assert!(problem.is_some_and(|problem| problem.contains("exit status: 1")));
    }
}
