use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|first| first == simile::index::SUBCOMMAND) {
        return simile::index::child_main(args);
    }
    ExitCode::SUCCESS
}
