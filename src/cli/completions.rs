//! `simile completions` and the hidden `simile man`: what a shell and `man` want to know of the program.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, CliError, exit};

/// Print a script that completes simile's commands in a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile completions bash > ~/.local/share/bash-completion/completions/simile
  simile completions fish > ~/.config/fish/completions/simile.fish")]
pub struct Args {
    shell: Kind,
}

/// The shells that are known.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
}

pub fn run(args: &Args) -> Result<u8, CliError> {
    let shell = match args.shell {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "simile", &mut script);
    super::output::line(format_args!("{}", String::from_utf8_lossy(&script).trim_end()));
    Ok(0)
}

/// Write manual pages, one for each command.
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The folder to write to; it must be there
    folder: PathBuf,
}

pub fn man(args: &ManArgs) -> Result<u8, CliError> {
    clap_mangen::generate_to(Cli::command(), &args.folder).map_err(|e| {
        let folder = args.folder.display();
        CliError::new(
            exit::INPUT,
            "man.folder",
            format!("{folder} cannot be written to ({e}); give another folder"),
        )
    })?;
    Ok(0)
}
