//! Every request has an id, which its answer, its log lines and its problem tell. Knows nothing of what is asked.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

/// Where an asker gives its own id, and where every answer tells the one that was used.
pub const ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken from an asker.
const LONGEST: usize = 64;

tokio::task_local! {
    static CURRENT: Arc<str>;
}

/// The id of the request that is being answered, within its task.
pub fn current() -> Option<Arc<str>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// The layer around all others.
pub async fn watch(request: Request, next: Next) -> Response {
    let id = given(request.headers()).unwrap_or_else(new_id);
    let method = request.method().clone();
    // The path alone: a query may hold what a person asked. At error level, so that a warning within it tells the id.
    let span = tracing::error_span!("request", %id, %method, path = request.uri().path());
    let begin = Instant::now();
    let answer = CURRENT.scope(id.clone(), next.run(request)).instrument(span.clone());
    let mut response = answer.await;
    let ms = begin.elapsed().as_secs_f64() * 1e3;
    span.in_scope(|| tracing::info!(status = response.status().as_u16(), ms, "answered"));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(ID, value);
    }
    response
}

/// The asker's own id, if it is one and sane.
fn given(headers: &HeaderMap) -> Option<Arc<str>> {
    let mut all = headers.get_all(&ID).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return None };
    let id = only.to_str().ok()?;
    let sane = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    ((1..=LONGEST).contains(&id.len()) && id.bytes().all(sane)).then(|| id.into())
}

fn new_id() -> Arc<str> {
    uuid::Uuid::new_v4().simple().to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sane_id_is_taken() {
        let taken = |ids: &[&str]| {
            let mut headers = HeaderMap::new();
            for id in ids {
                headers.append(ID, HeaderValue::from_str(id).unwrap());
            }
            given(&headers).map(|id| id.to_string())
        };
        assert_eq!(taken(&["01J-a_b.C"]).as_deref(), Some("01J-a_b.C"));
        let long = "a".repeat(LONGEST + 1);
        for bad in [&[][..], &[""], &["a b"], &["a\"b"], &["<b>"], &["a", "b"], &[&long]] {
            assert_eq!(taken(bad), None, "{bad:?}");
        }
        assert_ne!(new_id(), new_id());
    }
}
