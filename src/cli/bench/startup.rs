//! `simile bench startup`: how soon a server answers after its start, and the memory that it holds.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use image::RgbImage;
use serde::Serialize;
use serde_json::{Value, json};
use ureq::unversioned::multipart::{Form, Part};

use super::super::{CliError, Global, exit, output};
use crate::photo;
use crate::types::EncoderName;

/// Measure how soon a server answers after its start, and the memory that it holds with both encoders.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  simile bench startup
  simile bench startup --photo-encoder resnet50-starter --precision bf16 --json")]
pub struct Args {
    /// The encoder of photos
    #[arg(long, default_value = "resnet50", value_name = "NAME")]
    photo_encoder: EncoderName,
    /// The encoder of texts
    #[arg(long, default_value = "all-MiniLM-L6-v2", value_name = "NAME")]
    text_encoder: EncoderName,
    /// Starts behind the first, which fills the cache; medians are told
    #[arg(long, default_value_t = 9, value_name = "N")]
    rounds: usize,
}

pub fn run(global: &Global, args: &Args) -> Result<u8, CliError> {
    let failed = |what: &str, e: std::io::Error| {
        CliError::new(exit::INTERNAL, "bench.folder", format!("{what} ({e})"))
    };
    let config = global.config()?;
    let folder = tempfile::tempdir().map_err(|e| failed("no folder to measure in", e))?;
    let program = std::env::current_exe().map_err(|e| failed("this program cannot be found", e))?;
    // Encoders that were pulled already are found where they are.
    let places =
        config.models.iter().cloned().chain([config.data.join("models")]).filter(|place| place.is_dir());
    let mut options: Vec<OsString> =
        vec!["--models".into(), std::env::join_paths(places).unwrap_or_default()];
    if let Some(precision) = global.precision {
        options.extend(["--precision".into(), precision.to_string().into()]);
    }
    let plan = Plan {
        program,
        data: folder.path().to_owned(),
        options,
        photo_encoder: args.photo_encoder.clone(),
        text_encoder: args.text_encoder.clone(),
        rounds: args.rounds,
    };
    let figures = measure(&plan)?;
    if global.json {
        output::json(&figures);
    } else {
        print(&figures);
    }
    Ok(0)
}

fn print(f: &Figures) {
    say!("{} and {} answer", f.photo_encoder, f.text_encoder);
    say!(
        "at the first start       {:.0} ms: weights are packed; {:.0} MB resident",
        f.first_ready_ms,
        f.first_resident_mb
    );
    say!(
        "at later starts          {:.0} ms: listening {:.0}, text {:.0}, photo {:.0}",
        f.ready_ms,
        f.listening_ms,
        f.text_ms,
        f.photo_ms
    );
    say!("resident memory          {:.0} MB, {:.0} of them mapped files", f.resident_mb, f.mapped_mb);
}

/// What is started, and how often.
struct Plan {
    program: PathBuf,
    /// An empty folder; the first start fills its cache.
    data: PathBuf,
    /// Before `serve`: where encoders lie, and what they compute in.
    options: Vec<OsString>,
    photo_encoder: EncoderName,
    text_encoder: EncoderName,
    /// Starts behind the first; medians are told.
    rounds: usize,
}

/// The figures, each with its unit in its name.
#[derive(Debug, Clone, Serialize)]
struct Figures {
    photo_encoder: EncoderName,
    text_encoder: EncoderName,
    /// From the start of the process to its first photo's vector and its first text's, with nothing in the cache.
    first_ready_ms: f64,
    /// The same for later starts.
    ready_ms: f64,
    /// Of that, until it listens; until the text's vector; until the photo's.
    listening_ms: f64,
    text_ms: f64,
    photo_ms: f64,
    /// Resident memory, mapped files counted; of the first start too, which packed.
    first_resident_mb: f64,
    resident_mb: f64,
    /// Of that, pages of files, which the system can take back.
    mapped_mb: f64,
}

/// One start, in ms since its process began, and its memory in MB.
struct Start {
    listening: f64,
    text: f64,
    photo: f64,
    resident: f64,
    mapped: f64,
}

/// Starts the server once to fill its cache, then as often as is wanted.
fn measure(plan: &Plan) -> Result<Figures, CliError> {
    let first = start(plan)?;
    let starts = (0..plan.rounds.max(1)).map(|_| start(plan)).collect::<Result<Vec<_>, _>>()?;
    let median = |of: fn(&Start) -> f64| {
        let mut values: Vec<f64> = starts.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Ok(Figures {
        photo_encoder: plan.photo_encoder.clone(),
        text_encoder: plan.text_encoder.clone(),
        first_ready_ms: first.photo,
        ready_ms: median(|s| s.photo),
        listening_ms: median(|s| s.listening),
        text_ms: median(|s| s.text - s.listening),
        photo_ms: median(|s| s.photo - s.text),
        first_resident_mb: first.resident,
        resident_mb: median(|s| s.resident),
        mapped_mb: median(|s| s.mapped),
    })
}

/// Ends with the process that it holds; its data folder is of no further use.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(plan: &Plan) -> Result<Start, CliError> {
    let picture = RgbImage::from_fn(320, 240, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
    let picture = photo::thumbnail(&picture, 320);
    let begin = Instant::now();
    let since = || begin.elapsed().as_secs_f64() * 1e3;
    let mut command = Command::new(&plan.program);
    command.arg("--data").arg(&plan.data).args(&plan.options).args(["--json", "serve", "--port", "0"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut server = Server(child.map_err(|e| stopped(format!("the server cannot be started ({e})")))?);
    let mut line = String::new();
    let said = server.0.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
    let told: Value = serde_json::from_str(&line).unwrap_or_default();
    let Some(address) = told["address"].as_str() else {
        let said = said.and_then(Result::err).map_or(line, |e| e.to_string());
        return Err(stopped(format!("the server ended before it listened ({said})")));
    };
    let listening = since();
    let url = format!("http://{address}/api/v1/embed");
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(120))).build().into();
    let name = &plan.text_encoder;
    let asked = json!({"encoder": name, "texts": ["How do I find a photo that looks like this one?"]});
    agent.post(&url).send_json(asked).map_err(|e| refused(name, &e))?;
    let text = since();
    let name = &plan.photo_encoder;
    let file = Part::bytes(&picture).file_name("photo.jpg");
    let form = Form::new().text("encoder", name.as_str()).part("photo", file);
    agent.post(&url).send(form).map_err(|e| refused(name, &e))?;
    let photo = since();
    let [resident, mapped] = memory(server.0.id());
    Ok(Start { listening, text, photo, resident, mapped })
}

fn refused(encoder: &EncoderName, why: &ureq::Error) -> CliError {
    stopped(format!("the server gave no vector by {encoder} ({why})"))
}

fn stopped(why: String) -> CliError {
    CliError::new(exit::UNAVAILABLE, "bench.startup", why)
}

/// Resident memory of a process and its part of mapped files, in MB.
fn memory(process: u32) -> [f64; 2] {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    ["VmRSS:", "RssFile:"].map(|field| {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<f64>().ok());
        kib.unwrap_or_default() * 1024.0 / 1e6
    })
}
