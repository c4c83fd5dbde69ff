//! The command line: parse, call one use case, draw the answer. A command is a file.

/// `println!` that does not panic when nobody reads any more.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::output::line(format_args!($($text)*)) };
}

/// `eprintln!` that does not panic when nobody reads any more.
macro_rules! tell {
    ($($text:tt)*) => { $crate::cli::output::note(format_args!($($text)*)) };
}

mod args;
mod ask;
mod augment;
mod backup;
mod bench;
mod collections;
mod completions;
mod config;
mod doctor;
mod embed;
mod eval;
mod exit;
mod index;
mod input;
mod log;
mod models;
mod output;
mod progress;
mod remote;
mod restore;
mod search;
mod serve;
mod stop;
mod switch;
mod writer;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use exit::CliError;

use crate::config::{Config, DeviceSetting, LogFormat, Overrides, PrecisionSetting};
use crate::encoder;

/// Finds photos and answers by meaning, on your own machine.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  simile serve --index photos=~/Pictures --index faq=questions.csv
  simile index ~/Pictures --collection photos
  simile search truck.jpg --collection photos --k 5
  simile ask \"How do I return a parcel?\" --collection faq

Exit codes:
  0 done   1 internal error   2 bad input   3 done, with rejects   4 not found
  5 conflict   6 something needed is missing or busy   130 stopped by you";

/// Options that every command has.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Data folder [env: SIMILE_DATA; default: ~/.local/share/simile]
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Settings file [env: SIMILE_CONFIG; default: ~/.config/simile/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folders of your own encoders, separated by ':' [env: SIMILE_MODELS]
    #[arg(long, global = true, value_name = "FOLDERS")]
    models: Option<std::ffi::OsString>,
    /// Print JSON on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Write the log as text or as one JSON object a line [env: SIMILE_LOG_FORMAT; level: SIMILE_LOG]
    #[arg(long, global = true, value_name = "json|text")]
    log_format: Option<LogFormat>,
    /// Numbers that encoders compute in; auto takes bf16 where it is fast and as good as f32 [env: SIMILE_PRECISION]
    #[arg(long, global = true, value_name = "auto|f32|bf16|int8")]
    precision: Option<PrecisionSetting>,
    /// Where encoders compute; auto takes a CUDA card where simile was built for it and one is there [env: SIMILE_DEVICE]
    #[arg(long, global = true, value_name = "auto|cpu|cuda")]
    device: Option<DeviceSetting>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the web app and the API, on 127.0.0.1 or beyond
    Serve(serve::Args),
    /// Bring a folder of photos, a photo or an FAQ table into a collection
    Index(index::Args),
    /// Search by text, by photo, or by every photo of a folder
    Search(search::Args),
    /// Ask an FAQ
    Ask(ask::Args),
    /// Turn texts or photos into vectors
    Embed(embed::Args),
    /// List encoders, or get one
    Models(models::Args),
    /// List collections, or switch one to another encoder
    Collections(collections::Args),
    /// Check this machine, the encoders and the data folder
    Doctor(doctor::Args),
    /// Copy the data folder into another folder, also while a server runs
    Backup(backup::Args),
    /// Bring a backup back as the data folder
    Restore(restore::Args),
    /// Make varied copies of photos
    Augment(augment::Args),
    /// Measure how good an encoder is, on pairs of texts, an FAQ or labelled photos
    Eval(eval::Args),
    /// Measure how fast simile is on this machine
    Bench(bench::Args),
    /// Print every setting with its default, as a settings file
    Config,
    /// Print a script that completes commands in a shell
    Completions(completions::Args),
    #[command(hide = true)]
    Man(completions::ManArgs),
}

impl Global {
    fn flags(&self) -> Overrides {
        Overrides {
            file: self.config.clone(),
            data: self.data.clone(),
            models: self.models.clone(),
            threads: None,
            log_format: self.log_format,
            precision: self.precision,
            device: self.device,
        }
    }

    fn config(&self) -> Result<Config, CliError> {
        let config = Config::from_env(&self.flags())?;
        if let Some(isa) = config.compute.isa {
            isa.force();
        }
        encoder::use_threads(config.threads);
        encoder::use_device(config.compute.device)?;
        if let Some(threads) = config.threads {
            // Fails only where the threads are there already, from an earlier call with the same number.
            let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        }
        Ok(config)
    }
}

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            print_usage(&e);
            if e.use_stderr() && json_wanted(std::env::args_os()) {
                output::json(&exit::document("command.arguments", &summary(&e)));
            }
            return ExitCode::from(if e.use_stderr() { exit::INPUT } else { 0 });
        }
    };
    let global = &cli.global;
    match Config::log_from_env(&global.flags()) {
        Ok(settings) => log::begin(&settings),
        // It helps to write a settings file, so it needs none.
        Err(_) if matches!(cli.command, Command::Config) => {}
        Err(e) => return CliError::from(e).report(global.json),
    }
    let result = match cli.command {
        Command::Serve(args) => serve::run(global, args),
        Command::Index(args) => index::run(global, args),
        Command::Search(args) => search::run(global, args),
        Command::Ask(args) => ask::run(global, args),
        Command::Embed(args) => embed::run(global, args),
        Command::Models(args) => models::run(global, args),
        Command::Collections(args) => collections::run(global, args),
        Command::Doctor(args) => doctor::run(global, args),
        Command::Backup(args) => backup::run(global, args),
        Command::Restore(args) => restore::run(global, args),
        Command::Augment(args) => augment::run(global, args),
        Command::Eval(args) => eval::run(global, args),
        Command::Bench(args) => bench::run(global, args),
        Command::Config => config::run(),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => completions::man(&args),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(e) => e.report(global.json),
    }
}

/// As clap draws it, except where an argument (a file name that a shell put there) would act on the terminal.
fn print_usage(e: &clap::Error) {
    let text = e.render().to_string();
    let shown = output::plain(&text);
    if shown == text {
        let _ = e.print();
    } else {
        tell!("{}", shown.trim_end());
    }
}

/// Whether `--json` stands among arguments that could not be understood.
fn json_wanted(mut args: impl Iterator<Item = std::ffi::OsString>) -> bool {
    args.by_ref().take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

/// What is wrong with the arguments, on one line: clap's text up to its first empty line.
fn summary(e: &clap::Error) -> String {
    let text = e.render().to_string();
    let first = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
    first.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
