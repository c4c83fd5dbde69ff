//! Who may ask: only pages of this server and programs of this machine. Decides on headers alone, before a body is read.
//!
//! A web page elsewhere can make a browser send requests here. So the name asked for must be this machine's
//! (a foreign name that resolves to 127.0.0.1 is refused), and what changes something must come from a page of
//! this server: its `Origin`, or the form token that only such a page can read. A program that sends neither
//! `Origin` nor cookies (curl) is no browser.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// Where a request says it comes from.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const TOKEN: HeaderName = HeaderName::from_static("x-form-token");

/// The form token of this run of the program.
#[derive(Debug, Clone)]
pub struct Token(std::sync::Arc<str>);

impl Default for Token {
    fn default() -> Self {
        Self(uuid::Uuid::new_v4().simple().to_string().into())
    }
}

impl Token {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The layer in front of everything.
pub async fn check(State(token): State<Token>, request: Request, next: Next) -> Response {
    let verdict = judge(request.method(), request.headers(), request.uri().query(), token.as_str());
    let mut response = match verdict {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    protect(response.headers_mut());
    response
}

fn judge(method: &Method, headers: &HeaderMap, query: Option<&str>, token: &str) -> Result<(), Problem> {
    let host = text(headers, &header::HOST).unwrap_or_default();
    if !is_loopback(host) {
        let detail =
            format!("this server does not answer as {host:?}; ask it as 127.0.0.1, localhost or [::1]");
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host.not_allowed", detail));
    }
    let foreign = text(headers, &SITE).is_some_and(|site| site != "same-origin" && site != "none");
    if method == Method::GET || method == Method::HEAD {
        // A link from elsewhere may be followed; a picture or script from here may not be put into a page elsewhere.
        let followed = text(headers, &MODE) == Some("navigate") && text(headers, &DEST) == Some("document");
        return if foreign && !followed { Err(forbidden()) } else { Ok(()) };
    }
    if foreign {
        return Err(forbidden());
    }
    let origin = text(headers, &header::ORIGIN);
    let own = origin.is_some_and(|o| o.eq_ignore_ascii_case(&format!("http://{host}")));
    let browser = headers.contains_key(header::ORIGIN) || headers.contains_key(header::COOKIE);
    if own || !browser || token_matches(headers, query, token) { Ok(()) } else { Err(forbidden()) }
}

fn forbidden() -> Problem {
    let detail = "this request comes from a page of another site; open simile's own page and try again there";
    Problem::new(StatusCode::FORBIDDEN, "origin.foreign", detail)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `127.0.0.1`, `localhost` or `[::1]`, with any port or none.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        // The colons of a bare `[::1]` are no port's.
        Some((name, port)) if !port.ends_with(']') => {
            if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
                return false;
            }
            name
        }
        _ => host,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

fn token_matches(headers: &HeaderMap, query: Option<&str>, token: &str) -> bool {
    let in_query = query.into_iter().flat_map(|q| q.split('&')).find_map(|p| p.strip_prefix("form_token="));
    let given = text(headers, &TOKEN).or(in_query).unwrap_or_default();
    // Equal time for every guess: a hash of both is compared.
    blake3::hash(given.as_bytes()) == blake3::hash(token.as_bytes())
}

/// What every response says to the browser.
fn protect(headers: &mut HeaderMap) {
    const FIXED: [(&str, &str); 6] = [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        // Not no-referrer: forms of ours would then send "Origin: null".
        ("referrer-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-frame-options", "DENY"),
    ];
    for (name, value) in FIXED {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, pairs: &[(&str, &str)], query: Option<&str>) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let method: Method = method.parse().unwrap();
        judge(&method, &headers, query, "secret").map_or_else(|p| p.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_loopback_names_are_answered() {
        for good in ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "LOCALHOST", "[::1]", "[::1]:8080"] {
            assert_eq!(asked("GET", &[("host", good)], None), 200, "{good}");
        }
        let bad = [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil:80",
            "127.0.0.1:80:80",
            "[::2]:80",
        ];
        for bad in bad.into_iter().chain(["localhost:", "127.0.0.1:x", "[::1", "user@127.0.0.1"]) {
            assert_eq!(asked("GET", &[("host", bad)], None), 421, "{bad}");
        }
        assert_eq!(asked("GET", &[], None), 421);
    }

    #[test]
    fn changes_come_from_our_pages_or_from_programs() {
        let host = ("host", "127.0.0.1:8080");
        let post = |more: &[(&str, &str)]| asked("POST", &[&[host], more].concat(), None);
        assert_eq!(post(&[]), 200, "curl");
        assert_eq!(post(&[("origin", "http://127.0.0.1:8080")]), 200);
        assert_eq!(post(&[("origin", "http://127.0.0.1:8081")]), 403);
        assert_eq!(post(&[("origin", "https://127.0.0.1:8080")]), 403);
        assert_eq!(post(&[("origin", "http://evil.example")]), 403);
        assert_eq!(post(&[("origin", "null")]), 403);
        assert_eq!(post(&[("cookie", "lang=zh")]), 403);
        assert_eq!(post(&[("cookie", "lang=zh"), ("x-form-token", "secret")]), 200);
        assert_eq!(post(&[("origin", "null"), ("x-form-token", "secret")]), 200);
        assert_eq!(post(&[("origin", "null"), ("x-form-token", "wrong")]), 403);
        assert_eq!(post(&[("x-form-token", "secret"), ("sec-fetch-site", "cross-site")]), 403);
        assert_eq!(post(&[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-site")]), 403);
        assert_eq!(post(&[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")]), 200);
        let query = Some("a=1&form_token=secret");
        assert_eq!(asked("DELETE", &[host, ("cookie", "a=b")], query), 200);
    }

    #[test]
    fn pages_elsewhere_may_link_here_but_not_embed() {
        let host = ("host", "localhost:8080");
        let cross = ("sec-fetch-site", "cross-site");
        let link = [host, cross, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert_eq!(asked("GET", &link, None), 200);
        let image = [host, cross, ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
        assert_eq!(asked("GET", &image, None), 403);
        let frame = [host, cross, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        assert_eq!(asked("GET", &frame, None), 403);
    }
}
