//! `/metrics` for Prometheus: what was counted since the program began, and how things stand now. Every label has few
//! values: routes, not paths; methods and states that are known; the largest collections.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::App;
use super::problem::Problem;
use crate::meter;

/// Answered requests, by `method`, `route` and `status`.
const REQUESTS: &str = "simile_http_requests_total";
/// Seconds until the head of an answer, by `route`.
const SECONDS: &str = "simile_http_request_seconds";

/// From a cached page to a table that is encoded, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Collections that are told by name; the rest are told together, under a name that no collection can have.
const COLLECTIONS: usize = 100;
const REST: &str = "/";

/// How often samples are put into their buckets, so that they do not pile up where nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// The one recorder of this process; `None` if another program part has installed its own.
static RECORDER: LazyLock<Option<PrometheusHandle>> = LazyLock::new(|| {
    let mut builder = PrometheusBuilder::new();
    for name in [SECONDS, meter::STAGE_SECONDS] {
        builder = builder
            .set_buckets_for_metric(Matcher::Full(name.to_owned()), &BUCKETS)
            .expect("there are buckets");
    }
    let handle = builder.install_recorder().ok()?;
    describe_counter!(REQUESTS, "Requests that were answered");
    describe_histogram!(SECONDS, "Seconds until the head of the answer");
    describe_histogram!(meter::STAGE_SECONDS, "Seconds that a stage of a search or an import took");
    Some(handle)
});

/// When this process began to serve.
static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Installs the recorder and keeps it small, as long as the server runs.
pub async fn keep() {
    LazyLock::force(&BEGIN);
    let Some(recorder) = &*RECORDER else { return };
    loop {
        tokio::time::sleep(UPKEEP).await;
        recorder.run_upkeep();
    }
}

/// The layer that counts.
pub async fn count(request: Request, next: Next) -> Response {
    let method = name_of(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let begin = Instant::now();
    let response = next.run(request).await;
    histogram!(SECONDS, "route" => route.clone()).record(begin.elapsed().as_secs_f64());
    let status = response.status().as_str().to_owned();
    counter!(REQUESTS, "method" => method, "route" => route, "status" => status).increment(1);
    response
}

/// Anybody may invent a method.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What was counted and how things stand, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, description = "In the text form of Prometheus", body = String, content_type = "text/plain")))]
pub async fn show(State(app): State<App>) -> Result<Response, Problem> {
    let now = app.work(|app| Ok::<_, Problem>(now(app)?)).await?;
    let counted = RECORDER.as_ref().map(PrometheusHandle::render).unwrap_or_default();
    let headers = [
        (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, counted + &now).into_response())
}

/// How things stand. Told by a recorder of its own, so that a collection that is gone is not told any more.
fn now(app: &App) -> Result<String, crate::library::LibraryError> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        process();
        queues(app);
        collections(app)?;
        jobs(app)
    })?;
    Ok(handle.render())
}

fn process() {
    describe_gauge!("simile_build_info", "Always 1; tells the version");
    gauge!("simile_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    describe_gauge!("simile_uptime_seconds", "Seconds since the server began");
    gauge!("simile_uptime_seconds").set(BEGIN.elapsed().as_secs_f64());
    if let Some(bytes) = resident_bytes() {
        describe_gauge!("simile_resident_bytes", "Memory of this process, mapped files included");
        gauge!("simile_resident_bytes").set(bytes as f64);
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

fn queues(app: &App) {
    describe_gauge!("simile_queue_waiting", "Requests or batches that wait for their turn");
    describe_gauge!("simile_queue_running", "Requests or batches that have their turn");
    let inner = &app.0;
    for (queue, gate) in [("questions", &inner.work), ("pictures", &inner.pictures), ("uploads", &inner.bulk)]
    {
        let (waiting, running) = gate.depth();
        gauge!("simile_queue_waiting", "queue" => queue).set(waiting as f64);
        gauge!("simile_queue_running", "queue" => queue).set(running as f64);
    }
    let line = app.library().encoders().line();
    gauge!("simile_queue_waiting", "queue" => "encoder_people").set(line.people as f64);
    gauge!("simile_queue_waiting", "queue" => "encoder_bulk").set(line.bulk as f64);
    gauge!("simile_queue_running", "queue" => "encoder").set(f64::from(u8::from(line.busy)));
    describe_gauge!("simile_streams", "Streams of events that are open");
    let streams = app.library().config().serve.streams;
    gauge!("simile_streams").set(streams.saturating_sub(inner.streams.available_permits()) as f64);
}

fn collections(app: &App) -> Result<(), crate::library::LibraryError> {
    describe_gauge!("simile_collection_items", "Items of a collection; those of further ones under /");
    let mut all = app.library().store().collections()?;
    all.sort_by_key(|c| std::cmp::Reverse(c.items));
    let rest = all.split_off(all.len().min(COLLECTIONS));
    for collection in &all {
        gauge!("simile_collection_items", "collection" => collection.name.to_string())
            .set(collection.items as f64);
    }
    if !rest.is_empty() {
        let items: u64 = rest.iter().map(|c| c.items).sum();
        gauge!("simile_collection_items", "collection" => REST).set(items as f64);
    }
    describe_gauge!("simile_collections", "Collections that there are");
    gauge!("simile_collections").set((all.len() + rest.len()) as f64);
    Ok(())
}

fn jobs(app: &App) -> Result<(), crate::library::LibraryError> {
    describe_gauge!("simile_jobs", "Jobs in the job table, by state");
    for (state, count) in app.library().store().job_counts()? {
        gauge!("simile_jobs", "state" => state.as_str()).set(count as f64);
    }
    Ok(())
}
