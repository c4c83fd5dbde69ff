//! What handlers take from a request, checked at the edge: strict JSON, queries, forms, names. Refusals are problems.

use std::time::Duration;

use axum::extract::rejection::{FormRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::problem::Problem;

/// Largest JSON body: an FAQ entry with a very long answer fits.
const JSON_BYTES: u64 = 8 << 20;

/// How long a body that is refused is received, and how long without a byte of it.
const HEARD_OUT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(300);

/// A URL's query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// The variable parts of a path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// A form of a page, URL-encoded.
#[derive(FromRequest)]
#[from_request(via(axum::extract::Form), rejection(Problem))]
pub struct Form<T>(pub T);

impl From<QueryRejection> for Problem {
    fn from(e: QueryRejection) -> Self {
        let said = e.body_text();
        let said = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(&said);
        let said = &said.replace("invalid digit found in string", "is no whole number");
        let problem =
            Self::new(StatusCode::BAD_REQUEST, "request.query", format!("{said}; correct the address"));
        match said.split_once(": ") {
            Some((field, _)) if field.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
                problem.at(field)
            }
            _ => problem,
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(e: PathRejection) -> Self {
        let said = e.body_text();
        let said = said.strip_prefix("Invalid URL: ").unwrap_or(&said).replace(" to a `i64`", " as a number");
        Self::new(StatusCode::BAD_REQUEST, "request.path", format!("{said}; correct the address"))
    }
}

impl From<FormRejection> for Problem {
    fn from(e: FormRejection) -> Self {
        Self::new(e.status(), "request.form", format!("{}; send the form again", e.body_text()))
    }
}

/// A JSON body in which every field is known, whatever `Content-Type` says.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if length(request.headers()).is_some_and(|n| n > JSON_BYTES) {
            hear_out(request).await;
            return Err(Problem::too_large(JSON_BYTES));
        }
        // Chunked bodies tell no length; the limit holds for them while they are read.
        let body = axum::body::to_bytes(request.into_body(), JSON_BYTES as usize).await;
        let bytes = body.map_err(|_| Problem::too_large(JSON_BYTES))?;
        json(&bytes).map(Self)
    }
}

/// Reads JSON strictly; the problem names the field at fault with its path, as `filter.tagz`.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take a list for a structure's fields in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        let detail = "the body is a list; send an object with named fields";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "request.json", detail));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| at_fault(&e))?;
    reader.end().map_err(|e| malformed(&e))?;
    Ok(value)
}

fn malformed(e: &serde_json::Error) -> Problem {
    let detail = format!("this is no JSON: {e}; correct the body");
    Problem::new(StatusCode::BAD_REQUEST, "request.json", detail)
}

fn at_fault(e: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    use serde_json::error::Category;
    let inner = e.inner();
    let said = plainly(&inner.to_string());
    let path = e.path().to_string();
    let path = if [".", "?"].contains(&path.as_str()) { String::new() } else { path };
    if inner.classify() != Category::Data {
        let problem = malformed(inner);
        return if path.is_empty() { problem } else { problem.at(path) };
    }
    if let Some(name) = unknown_field(&said) {
        // The path may or may not end with the field itself.
        let field = match path.as_str() {
            "" => name.clone(),
            p if p == name || p.ends_with(&format!(".{name}")) => p.to_owned(),
            p => format!("{p}.{name}"),
        };
        let code =
            if field.starts_with("filter.") { "filter.unknown_field" } else { "request.unknown_field" };
        return Problem::input(code, field, format!("{said}; remove or correct it"));
    }
    let missing =
        said.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()).map(str::to_owned);
    // What our own types say of a value tells what to do already.
    let said = match (&missing, said.contains("; ")) {
        (Some(_), _) => format!("{said}; add it"),
        (None, true) => said,
        (None, false) => format!("{said}; correct it"),
    };
    let problem = Problem::new(StatusCode::BAD_REQUEST, "request.field", said);
    // The path of what is not there ends above it.
    let path = match missing {
        Some(name) if path.is_empty() => name,
        Some(name) => format!("{path}.{name}"),
        None => path,
    };
    if path.is_empty() { problem } else { problem.at(path) }
}

/// What serde says, without the place in the body (the field is named instead) and the names of types.
fn plainly(said: &str) -> String {
    let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
    let (start, expected) = said.rsplit_once(", expected ").unwrap_or((said, ""));
    let expected = match expected {
        "" => return said.to_owned(),
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number that is not negative",
        "i64" | "i32" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        structure if structure.starts_with("struct ") => "an object",
        other => other,
    };
    format!("{start}, expected {expected}")
}

/// The name in serde's "unknown field `x`, expected …".
fn unknown_field(said: &str) -> Option<String> {
    let rest = said.strip_prefix("unknown field `")?;
    let end = rest.find("`, expected").or_else(|| rest.find("`, there are no fields"))?;
    Some(rest[..end].to_owned())
}

/// Whoever is still sending sees a broken connection instead of the answer, so a body is received for a while and thrown
/// away. One who asked before sending (`Expect`) is answered at once.
async fn hear_out(request: Request) {
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    let mut body = request.into_body().into_data_stream();
    let all = async { while let Ok(Some(Ok(_))) = timeout(SILENCE, body.next()).await {} };
    let _ = timeout(HEARD_OUT, all).await;
}

/// Refuses what says that it is larger than anything allowed here; none of it is kept.
pub async fn refuse_large(State(limit): State<u64>, request: Request, next: Next) -> Response {
    match length(request.headers()) {
        Some(n) if n > limit => {
            hear_out(request).await;
            Problem::too_large(limit).into_response()
        }
        _ => next.run(request).await,
    }
}

/// What a request says of its body's length.
pub fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether a body is a form with files.
pub fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::store::Filter;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Body {
        k: usize,
        #[serde(default)]
        filter: Filter,
    }

    fn problem(text: &str) -> (String, Option<String>) {
        let problem = json::<Body>(text.as_bytes()).unwrap_err();
        assert_eq!(problem.status, StatusCode::BAD_REQUEST);
        (problem.code, problem.field)
    }

    #[test]
    fn a_problem_speaks_of_values_not_of_types() {
        let said = |text: &str| json::<Body>(text.as_bytes()).unwrap_err().detail;
        assert_eq!(
            said(r#"{"k":-1}"#),
            "invalid value: integer `-1`, expected a whole number that is not negative; correct it"
        );
        assert_eq!(said("{}"), "missing field `k`; add it");
        assert_eq!(said("null"), "invalid type: null, expected an object; correct it");
        assert_eq!(
            said(r#"{"k":1,"filter":{"tags":"a"}}"#),
            "invalid type: string \"a\", expected a list; correct it"
        );
        let date = said(r#"{"k":1,"filter":{"date_from":"2024-13"}}"#);
        assert!(date.ends_with("2024-05-01 or 2024-05-01 18:30"), "{date}");
    }

    #[test]
    fn the_field_at_fault_is_named_with_its_path() {
        let at = |code: &str, field: &str| (code.to_owned(), Some(field.to_owned()));
        assert_eq!(problem(r#"{"k":1,"kk":2}"#), at("request.unknown_field", "kk"));
        assert_eq!(problem(r#"{"k":1,"filter":{"tagz":[]}}"#), at("filter.unknown_field", "filter.tagz"));
        assert_eq!(problem(r#"{"k":1,"filter":{"tags":[3]}}"#), at("request.field", "filter.tags[0]"));
        assert_eq!(problem(r#"{"k":-1}"#), at("request.field", "k"));
        assert_eq!(problem(" [1, {}]"), ("request.json".to_owned(), None), "fields have names");
        assert_eq!(problem(r#"{"k":1,"`, expected`":2}"#).0, "request.unknown_field");
        assert_eq!(problem("{}"), at("request.field", "k"));
        for broken in ["", "{", "nonsense", r#"{"k":1} x"#, r#"{"k":NaN}"#] {
            assert_eq!(problem(broken).0, "request.json", "{broken}");
        }
    }
}
