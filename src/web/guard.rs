//! Who may ask: only pages of this server and programs of this machine. Decides on headers alone, before a body is read.
//!
//! A web page elsewhere can make a browser send requests here. So the name asked for must be this machine's
//! (a foreign name that resolves to its address is refused), and what changes something must come from a page of
//! this server: its `Origin`, or the form token that only such a page can read. A program that sends neither
//! `Origin` nor cookies (curl) is no browser.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use crate::types::Secret;

/// Where a request says it comes from.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const TOKEN: HeaderName = HeaderName::from_static("x-form-token");

/// The form token of this run of the program.
#[derive(Debug, Clone)]
pub struct Token(Arc<Secret>);

impl Default for Token {
    fn default() -> Self {
        Self(Arc::new(Secret::random()))
    }
}

impl Token {
    pub fn as_str(&self) -> &str {
        self.0.expose()
    }
}

/// The names that the server answers to, besides those of this machine itself.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Lower case, without port.
    pub hosts: Vec<String>,
    /// Listening beyond this machine: any address then. Only names can be made to lead elsewhere.
    pub addresses: bool,
}

impl Names {
    fn allow(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else { return false };
        is_loopback(&name) || self.hosts.contains(&name) || self.addresses && is_address(&name)
    }
}

/// What the layer judges by.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    pub token: Token,
    pub names: Arc<Names>,
}

/// The layer in front of everything.
pub async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let verdict = judge(request.method(), request.headers(), request.uri().query(), &guard);
    let mut response = match verdict {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    protect(response.headers_mut());
    response
}

fn judge(method: &Method, headers: &HeaderMap, query: Option<&str>, guard: &Guard) -> Result<(), Problem> {
    let host = text(headers, &header::HOST).unwrap_or_default();
    if !guard.names.allow(host) {
        let detail = format!(
            "this server does not answer as {host:?}; ask it as 127.0.0.1, localhost or [::1], or start it with \
             --allow-host NAME"
        );
        return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host.not_allowed", detail).of_item(host));
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
    let scheme = if over_tls(headers) { "https" } else { "http" };
    let own = origin.is_some_and(|o| o.eq_ignore_ascii_case(&format!("{scheme}://{host}")));
    let browser = headers.contains_key(header::ORIGIN) || headers.contains_key(header::COOKIE);
    if own || !browser || token_matches(headers, query, &guard.token) { Ok(()) } else { Err(forbidden()) }
}

/// Whether a proxy says that the browser came to it over TLS. Pages elsewhere cannot send this header; a program that
/// does fools itself alone.
pub fn over_tls(headers: &HeaderMap) -> bool {
    let first =
        headers.get("x-forwarded-proto").and_then(|v| v.to_str().ok()).and_then(|v| v.split(',').next());
    first.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
}

fn forbidden() -> Problem {
    let detail = "this request comes from a page of another site; open simile's own page and try again there";
    Problem::new(StatusCode::FORBIDDEN, "origin.foreign", detail)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A host's name in lower case, its port taken off; `None` if that is no port.
fn without_port(host: &str) -> Option<String> {
    let name = match host.rsplit_once(':') {
        // The colons of a bare `[::1]` are no port's.
        Some((name, port)) if !port.ends_with(']') => {
            if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            name
        }
        _ => host,
    };
    Some(name.to_ascii_lowercase())
}

fn is_loopback(name: &str) -> bool {
    matches!(name, "127.0.0.1" | "[::1]" | "localhost")
}

/// `192.168.1.5` or `[fe80::1]`.
fn is_address(name: &str) -> bool {
    let v6 = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    v6.map_or(name.parse::<Ipv4Addr>().is_ok(), |v6| v6.parse::<Ipv6Addr>().is_ok())
}

fn token_matches(headers: &HeaderMap, query: Option<&str>, token: &Token) -> bool {
    let in_query = query.into_iter().flat_map(|q| q.split('&')).find_map(|p| p.strip_prefix("form_token="));
    let given = text(headers, &TOKEN).or(in_query).unwrap_or_default();
    token.0.matches(given)
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
        asked_of(&Names::default(), method, pairs, query)
    }

    fn asked_of(names: &Names, method: &str, pairs: &[(&str, &str)], query: Option<&str>) -> u16 {
        let guard = Guard { token: Token(Arc::new(Secret::new("secret"))), names: Arc::new(names.clone()) };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let method: Method = method.parse().unwrap();
        judge(&method, &headers, query, &guard).map_or_else(|p| p.status.as_u16(), |()| 200)
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
    fn beyond_this_machine_addresses_and_allowed_names_are_answered() {
        let names = Names { hosts: vec!["photos.example.org".to_owned()], addresses: true };
        let get = |host: &str| asked_of(&names, "GET", &[("host", host)], None);
        for good in
            ["192.168.1.5:8080", "[fe80::1]:80", "Photos.Example.org", "photos.example.org:443", "localhost"]
        {
            assert_eq!(get(good), 200, "{good}");
        }
        for bad in
            ["example.org", "x.photos.example.org", "192.168.1.5.evil.example", "1.2.3", "[x]", "fe80::1"]
        {
            assert_eq!(get(bad), 421, "{bad}");
        }
        assert_eq!(
            asked("GET", &[("host", "192.168.1.5:8080")], None),
            421,
            "not when it listens here alone"
        );
        let https = |origin: &str, proto: &str| {
            let host = ("host", "photos.example.org");
            asked_of(&names, "POST", &[host, ("origin", origin), ("x-forwarded-proto", proto)], None)
        };
        assert_eq!(https("https://photos.example.org", "https"), 200);
        assert_eq!(https("http://photos.example.org", "https"), 403);
        assert_eq!(https("https://photos.example.org", "http"), 403);
        assert_eq!(https("https://evil.example", "https"), 403);
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
