//! Exit codes, chosen from the kind of fault in one place.

use std::process::ExitCode;

use serde_json::json;

use super::output::{self, plain};
use crate::types::{Coded, Fault};

pub const INTERNAL: u8 = 1;
pub const INPUT: u8 = 2;
pub const REJECTS: u8 = 3;
pub const NOT_FOUND: u8 = 4;
pub const CONFLICT: u8 = 5;
pub const UNAVAILABLE: u8 = 6;
/// 128 + SIGINT, as shells have it.
pub const STOPPED: u8 = 130;

/// The exit code of a kind of fault.
pub fn code_of(fault: Fault) -> u8 {
    match fault {
        Fault::Input | Fault::TooLarge | Fault::Unsupported | Fault::Forbidden => INPUT,
        Fault::NotFound => NOT_FOUND,
        Fault::Conflict => CONFLICT,
        Fault::Busy | Fault::Unavailable => UNAVAILABLE,
        Fault::Internal => INTERNAL,
    }
}

/// An error as `--json` tells it.
pub fn document(code: &str, message: &str) -> serde_json::Value {
    json!({"error": {"code": code, "message": message}})
}

/// What a command failed with: one sentence, a stable code, an exit code.
#[derive(Debug)]
pub struct CliError {
    pub exit: u8,
    pub code: String,
    pub message: String,
}

impl<E: Coded> From<E> for CliError {
    fn from(e: E) -> Self {
        Self { exit: code_of(e.fault()), code: e.code().to_owned(), message: e.to_string() }
    }
}

impl CliError {
    pub fn new(exit: u8, code: &str, message: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), message: message.into() }
    }

    /// One sentence on standard error; with `--json` also an object on standard output.
    pub fn report(&self, json: bool) -> ExitCode {
        if json {
            output::json(&document(&self.code, &self.message));
        }
        tell!("simile: {} [{}]", plain(&self.message), self.code);
        ExitCode::from(self.exit)
    }
}
