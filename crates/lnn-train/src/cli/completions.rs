//! `lnn completions`.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::arguments::command;

/// Print the completion script of a shell.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArguments) -> Result<ExitCode, Box<dyn Error>> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "lnn", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

const EXAMPLES: &str = "\
Examples:
  lnn completions bash > ~/.local/share/bash-completion/completions/lnn
  lnn completions zsh > ~/.zfunc/_lnn
      With `fpath+=~/.zfunc` before `compinit` in ~/.zshrc.
  lnn completions fish > ~/.config/fish/completions/lnn.fish";
