//! Errors as problem documents (RFC 9457): the one place where a fault becomes an HTTP status. Knows nothing of pages;
//! they find the problem among a response's extensions and draw it for people.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::types::{Coded, Fault};

/// What went wrong, to which field, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(serialize_with = "as_number")]
    pub status: StatusCode,
    pub detail: String,
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
}

/// A problem document, as the API's own document describes it.
#[derive(utoipa::ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code)] // described, not made
pub struct Described {
    #[schema(examples("about:blank"))]
    r#type: String,
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened, to which item, and what to do.
    detail: String,
    /// Stable; programs may rely on it.
    #[schema(examples("photo.truncated"))]
    code: String,
    /// The field of the request that is at fault.
    #[schema(required = false, nullable = false)]
    field: Option<String>,
    /// What it happened to: a path, a key, a name.
    #[schema(required = false, nullable = false)]
    item: Option<String>,
    /// Of the request, as the log tells it.
    #[schema(required = false, nullable = false)]
    request_id: Option<String>,
}

/// A problem as it is sent.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    /// Of the status.
    title: &'static str,
    #[serde(flatten)]
    problem: &'a Problem,
    /// Of the request that this answers, as the log tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_u16(status.as_u16())
}

/// The one translation of faults.
pub fn status(fault: Fault) -> StatusCode {
    match fault {
        Fault::Input => StatusCode::BAD_REQUEST,
        Fault::NotFound => StatusCode::NOT_FOUND,
        Fault::Conflict => StatusCode::CONFLICT,
        Fault::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Fault::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Fault::Forbidden => StatusCode::FORBIDDEN,
        Fault::Busy => StatusCode::TOO_MANY_REQUESTS,
        Fault::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Fault::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl<'a> Document<'a> {
    fn of(problem: &'a Problem, request_id: Option<&'a str>) -> Self {
        let title = problem.status.canonical_reason().unwrap_or("Error");
        Self { r#type: "about:blank", title, problem, request_id }
    }
}

impl Problem {
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), code: code.into(), field: None, item: None }
    }

    /// A 400 that names its field.
    pub fn input(code: &str, field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail).at(field)
    }

    /// The same problem of an item: a path, a key, a name.
    pub fn of_item(mut self, item: impl Into<String>) -> Self {
        self.item = Some(item.into());
        self
    }

    /// The same problem at a field.
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub fn of(error: &dyn Coded) -> Self {
        let mut problem = Self::new(status(error.fault()), error.code(), error.to_string());
        problem.item = error.item();
        match error.field() {
            Some(field) => problem.at(field),
            None => problem,
        }
    }

    pub fn unknown_path(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "path.unknown",
            format!("there is nothing at {path}; check the address"),
        )
        .of_item(path)
    }

    pub fn busy() -> Self {
        let detail = "too much is being asked at once; try again in a few seconds";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "server.busy", detail)
    }

    pub fn too_large(limit: u64) -> Self {
        let limit = super::format::size(limit);
        let detail =
            format!("more was sent than the {limit} allowed here; send less, or index a folder in place");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request.too_large", detail)
    }

    pub fn internal() -> Self {
        let detail = "an internal error stopped this; see the program's log";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server.internal", detail)
    }
}

impl<E: Coded> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(code = self.code, "{}", self.detail);
        }
        let id = super::requests::current();
        let document = Document::of(&self, id.as_deref());
        let mut response = (self.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{CollectionName, VectorError};

    #[test]
    fn a_coded_error_keeps_its_code_and_field() {
        let problem = Problem::from(VectorError::NotFinite { at: 3 });
        let json = serde_json::to_value(Document::of(&problem, None)).unwrap();
        assert_eq!(json["status"], 400);
        assert_eq!(json["title"], "Bad Request");
        assert_eq!(json["code"], "vector.not_finite");
        assert_eq!(json["field"], "vector");
        let name = Problem::from("a/b".parse::<CollectionName>().unwrap_err());
        assert_eq!(serde_json::to_value(Document::of(&name, None)).unwrap().get("field"), None);
    }

    #[test]
    fn every_fault_has_its_own_status() {
        use Fault::*;
        let faults =
            [Input, NotFound, Conflict, TooLarge, Unsupported, Forbidden, Busy, Unavailable, Internal];
        let statuses = faults.map(|f| status(f).as_u16());
        assert_eq!(statuses, [400, 404, 409, 413, 415, 403, 429, 503, 500]);
        let busy = Problem::busy().into_response();
        assert_eq!(busy.headers()[header::RETRY_AFTER], "2");
        assert_eq!(busy.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
