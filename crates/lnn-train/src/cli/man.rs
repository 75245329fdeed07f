//! `lnn man`.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_mangen::Man;
use lnn_train::store::{create_folder, write_atomically};

use super::arguments::command;
use super::error::CommandError;

/// Print the manual page, or write those of the program and of every verb.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ManArguments {
    /// Folder for `lnn.1`, `lnn-rollout.1` and so on; pages that are there are replaced. Without it, the page of the
    /// program goes to standard output.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &ManArguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut program = command().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &arguments.out else {
        std::io::stdout().lock().write_all(&page(program)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    create_folder(folder)?;
    let verbs: Vec<Command> = program.get_subcommands().cloned().collect();
    for command in verbs.into_iter().chain([program]) {
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        write_atomically(&folder.join(format!("{name}.1")), &page(command)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn page(command: Command) -> Result<Vec<u8>, CommandError> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page).map_err(CommandError::ManualPage)?;
    Ok(page)
}

const EXAMPLES: &str = "\
Examples:
  lnn man | man -l -
  lnn man --out ~/.local/share/man/man1
      Then `man lnn` and `man lnn-rollout`.";
