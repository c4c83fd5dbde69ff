//! The program: the hidden child that builds indexes, else the command that was typed.

use std::process::ExitCode;

use simile::{cli, index};

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == index::SUBCOMMAND) {
        return index::child_main(args);
    }
    cli::run()
}
