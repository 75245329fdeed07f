//! How a run ends for whoever started it: a table or an object, or what to do after an interruption.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use lnn_train::report::ReportFiles;
use serde::Serialize;
use serde_json::json;

use super::exit::INTERRUPTED;
use super::output::{OutputArguments, colours, print_json, say};

/// Prints a finished run: its table, given whether it may have colours, and where the report is; for programs its summary.
pub(super) fn finished<S: Serialize>(
    output: OutputArguments,
    folder: &Path,
    summary: &S,
    report: &ReportFiles,
    table: impl FnOnce(bool) -> String,
) -> io::Result<()> {
    if output.json {
        return print_json(&json!({
            "event": "finished", "folder": folder, "report": report.page, "summary": summary,
        }));
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{}", table(colours()))?;
    if output.talks() {
        writeln!(out, "Report: {}", report.page.display())?;
    }
    Ok(())
}

/// Says that a run was interrupted and how it goes on; `kept` is what its folder holds, such as `A checkpoint is`.
pub(super) fn interrupted(output: OutputArguments, folder: &Path, kept: &str) -> ExitCode {
    if output.json {
        // Nobody may be reading any more, and the exit code says the same.
        let _ = print_json(&json!({ "event": "interrupted", "folder": folder }));
    }
    say(&format!("Interrupted. {kept} in {}; go on with the same command and --resume.", folder.display()));
    ExitCode::from(INTERRUPTED)
}
