//! Who is let in where a token is wanted: a program that shows it with each request, or a browser that has logged in.
//! Decides on headers alone, behind `guard` and before a body is read. Knows nothing of pages.

mod attempts;
mod sessions;
mod token;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::problem::Problem;
use super::{guard, prefs};
use crate::types::Secret;
use attempts::Attempts;
use sessions::Sessions;
pub use token::{TokenError, read as read_token};

/// Whose connection a request came over.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The door: open to all who reach it, or with a token.
#[derive(Clone)]
pub struct Access(Option<Arc<Locked>>);

struct Locked {
    token: Secret,
    /// For commands of the same user on this machine; new with each run.
    local_key: Option<Secret>,
    sessions: Sessions,
    attempts: Attempts,
}

/// What became of a login.
pub enum Login {
    /// The cookie that the browser is to keep.
    In(HeaderValue),
    Wrong,
    /// Too many wrong ones came from there.
    Later,
}

impl Access {
    pub fn new(token: Option<Secret>, local_key: Option<Secret>) -> Self {
        let (sessions, attempts) = (Sessions::default(), Attempts::default());
        Self(token.map(|token| Arc::new(Locked { token, local_key, sessions, attempts })))
    }

    /// Whether nobody is asked for a token.
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a request may pass; else why not.
    pub fn judge(&self, headers: &HeaderMap, peer: Option<Peer>) -> Result<(), Problem> {
        let Some(locked) = &self.0 else { return Ok(()) };
        if self.has_session(headers) {
            return Ok(());
        }
        let Some(given) = bearer(headers) else { return Err(wanted()) };
        match locked.try_token(given, client(headers, peer)) {
            Tried::Right => Ok(()),
            Tried::Wrong => Err(wanted()),
            Tried::Later => Err(later()),
        }
    }

    /// Whether a browser has logged in.
    pub fn has_session(&self, headers: &HeaderMap) -> bool {
        let knows = |locked: &Locked, id: &str| locked.sessions.knows(id, Instant::now());
        self.0.as_ref().zip(session(headers)).is_some_and(|(locked, id)| knows(locked, id))
    }

    /// Trades the token for a session.
    pub fn log_in(&self, given: &str, headers: &HeaderMap, peer: Option<Peer>) -> Login {
        let Some(locked) = &self.0 else { return Login::Wrong };
        match locked.try_token(given.trim(), client(headers, peer)) {
            Tried::Wrong => Login::Wrong,
            Tried::Later => Login::Later,
            Tried::Right => {
                let id = locked.sessions.begin(Instant::now());
                Login::In(cookie(headers, id.expose(), sessions::LIFE))
            }
        }
    }

    /// Ends a session; returns the cookie that takes the browser's away.
    pub fn log_out(&self, headers: &HeaderMap) -> HeaderValue {
        if let (Some(locked), Some(id)) = (&self.0, session(headers)) {
            locked.sessions.end(id);
        }
        cookie(headers, "", Duration::ZERO)
    }
}

enum Tried {
    Right,
    Wrong,
    Later,
}

impl Locked {
    /// A blocked address is not even heard: else guessing would go on behind the refusals.
    fn try_token(&self, given: &str, client: IpAddr) -> Tried {
        let now = Instant::now();
        if self.attempts.blocked(client, now) {
            return Tried::Later;
        }
        // Both are always compared.
        let local = self.local_key.as_ref().is_some_and(|key| key.matches(given));
        if self.token.matches(given) | local {
            return Tried::Right;
        }
        self.attempts.failed(client, now);
        Tried::Wrong
    }
}

/// The layer behind the guard.
pub async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
    if is_public(request.uri().path()) {
        return next.run(request).await;
    }
    let peer = request.extensions().get::<Peer>().copied();
    match access.judge(request.headers(), peer) {
        Ok(()) => next.run(request).await,
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED && is_visit(request.headers()) => {
            // A form's address shows nothing by itself.
            let here = request.uri().path_and_query().map_or("/", |p| p.as_str());
            let here = if request.method() == Method::GET { here } else { "/" };
            Redirect::to(&super::link::login(here)).into_response()
        }
        Err(problem) => {
            let mut response = problem.into_response();
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    }
}

/// What strangers may see: the login page, what it needs, and that the server lives.
pub fn is_public(path: &str) -> bool {
    path == "/login" || path == "/healthz" || path.starts_with("/static/")
}

/// Whether a person is going to a page, rather than a script or program asking.
fn is_visit(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    text("sec-fetch-mode").is_none_or(|mode| mode == "navigate")
        && text("accept").is_some_and(|accept| accept.contains("text/html"))
}

/// The session's cookie has another name behind TLS: one that a browser takes over TLS only.
fn cookie_name(headers: &HeaderMap) -> &'static str {
    if guard::over_tls(headers) { "__Host-simile" } else { "simile" }
}

fn session(headers: &HeaderMap) -> Option<&str> {
    prefs::cookie(headers, cookie_name(headers))
}

fn cookie(headers: &HeaderMap, id: &str, life: Duration) -> HeaderValue {
    let secure = if guard::over_tls(headers) { "; Secure" } else { "" };
    let (name, life) = (cookie_name(headers), life.as_secs());
    let line = format!("{name}={id}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&line).expect("a session id is hex")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Where wrong tokens are counted: the peer, or whom a proxy on this machine speaks for (the last name is its own).
fn client(headers: &HeaderMap, peer: Option<Peer>) -> IpAddr {
    let peer = peer.map_or(IpAddr::from([127, 0, 0, 1]), |Peer(address)| address.ip().to_canonical());
    let forwarded = headers.get_all("x-forwarded-for").into_iter().next_back().and_then(|v| v.to_str().ok());
    let last = forwarded.and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
    if peer.is_loopback() { last.unwrap_or(peer) } else { peer }
}

fn wanted() -> Problem {
    let detail = "this server wants a token; log in at /login, or send it as \"Authorization: Bearer TOKEN\"";
    Problem::new(StatusCode::UNAUTHORIZED, "access.token", detail)
}

fn later() -> Problem {
    let detail = "too many wrong tokens came from this address; try again in a minute";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "access.attempts", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a long enough token";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse::<header::HeaderName>().unwrap(), v.parse().unwrap())).collect()
    }

    fn peer(ip: [u8; 4]) -> Option<Peer> {
        Some(Peer((ip, 1).into()))
    }

    fn locked() -> Access {
        Access::new(Some(Secret::new(TOKEN)), Some(Secret::new("local key")))
    }

    fn status(access: &Access, pairs: &[(&str, &str)]) -> u16 {
        access.judge(&headers(pairs), peer([10, 0, 0, 1])).map_or_else(|p| p.status.as_u16(), |()| 200)
    }

    #[test]
    fn a_program_shows_the_token() {
        let access = locked();
        assert_eq!(status(&access, &[("authorization", &format!("bearer {TOKEN}"))]), 200);
        assert_eq!(status(&access, &[("authorization", "Bearer local key")]), 200);
        for wrong in ["Bearer", "Bearer ", "Basic abc", &TOKEN[1..], &format!("Bearer {TOKEN}x")] {
            assert_eq!(status(&access, &[("authorization", wrong)]), 401, "{wrong}");
        }
        assert_eq!(status(&access, &[]), 401);
        assert_eq!(status(&Access::new(None, None), &[]), 200, "an open door asks nobody");
    }

    #[test]
    fn a_browser_logs_in_and_out() {
        let access = locked();
        for (tls, name) in [(false, "simile"), (true, "__Host-simile")] {
            let proto = ("x-forwarded-proto", if tls { "https" } else { "http" });
            let Login::In(cookie) = access.log_in(TOKEN, &headers(&[proto]), None) else { panic!() };
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
            assert_eq!(cookie.contains("; Secure"), tls);
            let kept = cookie.split(';').next().unwrap();
            assert!(kept.starts_with(&format!("{name}=")));
            assert_eq!(status(&access, &[("cookie", kept), proto]), 200);
            assert_eq!(status(&access, &[("cookie", &format!("{name}=forged")), proto]), 401);
            assert!(
                access.log_out(&headers(&[("cookie", kept), proto])).to_str().unwrap().contains("Max-Age=0")
            );
            assert_eq!(status(&access, &[("cookie", kept), proto]), 401, "also a cookie that was copied");
        }
        assert!(matches!(access.log_in("wrong", &headers(&[]), None), Login::Wrong));
    }

    #[test]
    fn guessing_is_slowed_where_it_comes_from() {
        let access = locked();
        let guess = |ip, more: &[(&str, &str)]| access.log_in("wrong", &headers(more), peer(ip));
        while !matches!(guess([10, 0, 0, 1], &[]), Login::Later) {}
        assert!(matches!(access.log_in(TOKEN, &headers(&[]), peer([10, 0, 0, 1])), Login::Later));
        assert_eq!(status(&access, &[("authorization", &format!("Bearer {TOKEN}"))]), 429);
        assert!(matches!(guess([10, 0, 0, 2], &[]), Login::Wrong), "others are not kept out");
        // Behind a proxy here its word counts, and only its own: the first names are the client's.
        let through = [("x-forwarded-for", "1.1.1.1, 9.9.9.9")];
        while !matches!(guess([127, 0, 0, 1], &through), Login::Later) {}
        assert!(matches!(guess([127, 0, 0, 1], &[("x-forwarded-for", "2.2.2.2, 9.9.9.9")]), Login::Later));
        assert!(matches!(guess([127, 0, 0, 1], &[("x-forwarded-for", "9.9.9.9, 8.8.8.8")]), Login::Wrong));
        assert!(matches!(guess([10, 0, 0, 3], &through), Login::Wrong), "a stranger speaks for nobody");
    }
}
