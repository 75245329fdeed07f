//! How much a verb says, and to whom: a person or a program.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use serde::Serialize;

/// Options that every verb with something to say has.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(super) struct OutputArguments {
    /// Print the result only: no progress, no hints.
    #[arg(long, short, conflicts_with = "json")]
    pub(super) quiet: bool,

    /// For programs: print JSON instead, one object a line, on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

impl OutputArguments {
    /// Whether a person wants to see more than the result.
    pub(super) fn talks(self) -> bool {
        !self.quiet && !self.json
    }
}

/// Writes a line to standard error.
///
/// A reader that has gone, as in `lnn … 2>&1 | head`, must not end a training, and there is nobody left to
/// tell: the failure is dropped.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes an object as one line of JSON to standard output. Numbers that are not finite become `null`.
///
/// # Errors
/// A reader that has gone, or an object without a JSON form.
pub(super) fn print_json<T: Serialize>(object: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(object)?;
    line.push(b'\n');
    io::stdout().lock().write_all(&line)
}

/// Whether results have colours: on a terminal, unless `NO_COLOR` is set and not empty (no-color.org).
pub(super) fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
