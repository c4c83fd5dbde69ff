//! Where a browser trades the token for a session. Works without scripts.

use askama::Template;
use askama_web::WebTemplate;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::see;
use super::shell::Shell;
use crate::web::App;
use crate::web::access::{Login, Peer};
use crate::web::extract::{Form, Query};
use crate::web::prefs::{Prefs, own_path};
use crate::web::problem::Problem;

#[derive(Template, WebTemplate)]
#[template(path = "login.html")]
struct LoginPage {
    s: Shell,
    next: String,
    wrong: Option<&'static str>,
}

/// Where to go on.
#[derive(Debug, Deserialize)]
pub struct Going {
    #[serde(default)]
    next: String,
}

/// What the form holds. Not `Debug`: it is the token.
#[derive(Deserialize)]
pub struct LoginForm {
    token: String,
    #[serde(default)]
    next: String,
}

/// `GET /login`
pub async fn show(
    State(app): State<App>,
    prefs: Prefs,
    headers: HeaderMap,
    Query(going): Query<Going>,
) -> Response {
    let next = own_path(&going.next).to_owned();
    // Who is in already has nothing to do here.
    if app.0.access.is_open() || app.0.access.has_session(&headers) {
        return see(&next);
    }
    unkept(LoginPage { s: Shell::stranger(&app, prefs), next, wrong: None })
}

/// `POST /login`
pub async fn log_in(
    State(app): State<App>,
    prefs: Prefs,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Result<Response, Problem> {
    let next = own_path(&form.next).to_owned();
    let l = prefs.lang;
    let (status, wrong) = match app.0.access.log_in(&form.token, &headers, peer.map(|Extension(peer)| peer)) {
        Login::In(cookie) => return Ok(([(header::SET_COOKIE, cookie)], see(&next)).into_response()),
        Login::Wrong => (StatusCode::UNAUTHORIZED, l.log_in_wrong()),
        Login::Later => (StatusCode::TOO_MANY_REQUESTS, l.log_in_later()),
    };
    let page = LoginPage { s: Shell::stranger(&app, prefs), next, wrong: Some(wrong) };
    Ok((status, unkept(page)).into_response())
}

/// `POST /logout`
pub async fn log_out(State(app): State<App>, headers: HeaderMap) -> Response {
    let cookie = app.0.access.log_out(&headers);
    // The browser forgets what it kept of pages, too.
    let clear =
        [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"))];
    (clear, see("/login")).into_response()
}

fn unkept(page: LoginPage) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], page).into_response()
}
