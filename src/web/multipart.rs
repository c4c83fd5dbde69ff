//! A form with files, received whole into bounded memory. Knows nothing of what is done with it.

use std::time::Duration;

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use super::App;
use super::problem::Problem;

/// For a place, before a form is read. A form that waited so long has come slowly by half of what `patience` grants.
const WAIT: Duration = Duration::from_secs(10);
/// Fields and files in one form.
const MOST: usize = 10_000;

/// A form's fields in their order, and its files.
pub struct Parts {
    fields: Vec<(String, String)>,
    pub files: Vec<File>,
    /// Given back when the form is dropped.
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// One file of a form.
pub struct File {
    /// The form's field that held it.
    pub field: String,
    /// As its sender calls it; `/` between folders.
    pub name: String,
    pub bytes: Vec<u8>,
}

impl FromRequest<App> for Parts {
    type Rejection = Problem;
    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let place = timeout(WAIT, app.0.bodies.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(Problem::busy()) };
        let mut form = Multipart::from_request(request, app)
            .await
            .map_err(|e| Problem::new(StatusCode::BAD_REQUEST, "request.multipart", e.body_text()))?;
        let mut parts = Self { fields: Vec::new(), files: Vec::new(), _place: place };
        // A field `path` names the next file exactly; a file name in a form cannot.
        let mut path = None;
        while let Some(field) = form.next_field().await.map_err(broken)? {
            if parts.files.len() + parts.fields.len() >= MOST {
                let detail = format!("the form has more than {MOST} fields and files; send it as several");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "request.too_many", detail));
            }
            let name = field.name().unwrap_or_default().to_owned();
            match file_name(&field) {
                Some(file) => {
                    let bytes = field.bytes().await.map_err(broken)?.to_vec();
                    let file = path.take().unwrap_or(file);
                    // A form's empty file input arrives as a nameless file of no bytes.
                    if !(file.is_empty() && bytes.is_empty()) {
                        parts.files.push(File { field: name, name: file, bytes });
                    }
                }
                None => {
                    let value = field.text().await.map_err(broken)?;
                    if name == "path" {
                        path = Some(percent_decode_str(&value).decode_utf8_lossy().into_owned());
                    } else {
                        parts.fields.push((name, value));
                    }
                }
            }
        }
        Ok(parts)
    }
}

impl Parts {
    /// The last value of a field that is not empty; pages send empty fields for what was left out.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.all(name).filter(|value| !value.trim().is_empty()).last()
    }

    /// All values of a field.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// A 400 that names the first field that is not among `known`.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let files = self.files.iter().map(|file| &file.field);
        match self.fields.iter().map(|(name, _)| name).chain(files).find(|n| !known.contains(&n.as_str())) {
            None => Ok(()),
            Some(name) => {
                let detail = format!("unknown field {name:?}; the fields are {}", known.join(", "));
                Err(Problem::input("request.unknown_field", name, detail))
            }
        }
    }
}

fn broken(e: MultipartError) -> Problem {
    let code =
        if e.status() == StatusCode::PAYLOAD_TOO_LARGE { "request.too_large" } else { "request.multipart" };
    Problem::new(e.status(), code, format!("{}; send the form again", e.body_text()))
}

fn file_name(field: &Field<'_>) -> Option<String> {
    if let Some(name) = field.file_name() {
        return Some(unescape(name));
    }
    // RFC 5987, as some libraries send names that are not ASCII.
    let disposition = field.headers().get("content-disposition")?.to_str().ok()?;
    let (_, value) = disposition.split_once("filename*=")?;
    let encoded = value.split(';').next()?.trim().trim_matches('"');
    let (_, rest) = encoded.split_once('\'')?;
    let (_, name) = rest.split_once('\'')?;
    Some(percent_decode_str(name).decode_utf8_lossy().into_owned())
}

/// Browsers write these three so in a file name, and leave any other `%` as it is (HTML, "multipart/form-data").
fn unescape(name: &str) -> String {
    name.replace("%0A", "\n").replace("%0D", "\r").replace("%22", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_browsers_escape_is_unescaped() {
        assert_eq!(unescape("a%22b%0Ac%41%25.jpg"), "a\"b\nc%41%25.jpg");
    }
}
