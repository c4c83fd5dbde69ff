//! What a reader chose: language and colours, from the URL, a cookie, or what the browser says.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::Response;

use super::lang::Lang;

/// Light, dark, or as the system is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    Auto,
    Dark,
    Light,
}

impl Theme {
    fn from_code(code: &str) -> Option<Self> {
        match code {
            "auto" => Some(Self::Auto),
            "dark" => Some(Self::Dark),
            "light" => Some(Self::Light),
            _ => None,
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }

    /// For `data-theme`; absent when the system decides.
    pub fn attribute(self) -> Option<&'static str> {
        (self != Self::Auto).then(|| self.code())
    }

    /// For `<meta name="color-scheme">`.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Auto => "light dark",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }

    /// What the switch leads to.
    pub fn next(self) -> Self {
        match self {
            Self::Auto => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::Auto,
        }
    }
}

/// A reader's choices, and the page they are on.
#[derive(Debug, Clone)]
pub struct Prefs {
    pub lang: Lang,
    pub theme: Theme,
    /// Path and query of this page without the choices themselves.
    pub here: String,
}

impl Prefs {
    pub fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default();
        let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let lang = parameter(query, "lang").and_then(Lang::from_tag);
        let lang = lang.or_else(|| cookie(headers, "lang").and_then(Lang::from_tag));
        let theme = parameter(query, "theme").and_then(Theme::from_code);
        let theme = theme.or_else(|| cookie(headers, "theme").and_then(Theme::from_code));
        Self {
            lang: lang.unwrap_or_else(|| Lang::from_accept(accept)),
            theme: theme.unwrap_or_default(),
            here: without_choices(uri),
        }
    }

    /// This page with one choice made.
    pub fn with(&self, name: &str, value: &str) -> String {
        let separator = if self.here.contains('?') { '&' } else { '?' };
        format!("{}{separator}{name}={value}", self.here)
    }
}

impl<S: Sync> FromRequestParts<S> for Prefs {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers, &parts.uri))
    }
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|(_, value)| value)
}

/// A cookie's value.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    all.flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value)
}

/// A path of this server, for where to go on; anything else becomes the first page.
pub fn own_path(path: &str) -> &str {
    // "//host" and "/\\host" would be another host's page.
    let own =
        path.starts_with('/') && !path[1..].starts_with(['/', '\\']) && !path.contains(char::is_control);
    if own { path } else { "/" }
}

fn without_choices(uri: &Uri) -> String {
    let path = own_path(uri.path());
    let kept: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !name.is_empty() && !matches!(name, "lang" | "theme" | "form_token")
        })
        .collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// Remembers a choice made in the URL, and says that pages differ by language.
pub async fn remember(request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let lang = parameter(query, "lang").and_then(Lang::from_tag).map(|l| format!("lang={}", l.code()));
    let theme = parameter(query, "theme").and_then(Theme::from_code).map(|t| format!("theme={}", t.code()));
    let mut response = next.run(request).await;
    for choice in [lang, theme].into_iter().flatten() {
        let line = format!("{choice}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly");
        let value = HeaderValue::from_str(&line).expect("codes are ASCII");
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-language, cookie"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefs(uri: &str, cookie: &str, accept: &str) -> Prefs {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().unwrap());
        headers.insert(header::ACCEPT_LANGUAGE, accept.parse().unwrap());
        Prefs::of(&headers, &uri.parse().unwrap())
    }

    #[test]
    fn url_before_cookie_before_browser() {
        assert_eq!(prefs("/?lang=en", "lang=zh", "zh").lang, Lang::En);
        assert_eq!(prefs("/", "a=b; lang=zh; theme=dark", "en").lang, Lang::Zh);
        assert_eq!(prefs("/", "a=b; lang=zh; theme=dark", "en").theme, Theme::Dark);
        assert_eq!(prefs("/", "lang=xx", "zh-TW,en;q=0.5").lang, Lang::Zh);
    }

    #[test]
    fn a_switch_keeps_the_rest_of_the_page() {
        let page = prefs("/?q=a%26b&lang=en&c=faq", "", "");
        assert_eq!(page.with("lang", "zh"), "/?q=a%26b&c=faq&lang=zh");
        assert_eq!(prefs("/jobs", "", "").with("theme", "dark"), "/jobs?theme=dark");
        assert_eq!(prefs("//evil.example/", "", "").here, "/");
        for bad in ["", "evil.example", "http://evil.example", "/\\evil.example", "//evil", "/a\nb"] {
            assert_eq!(own_path(bad), "/", "{bad}");
        }
        assert_eq!(own_path("/jobs?x=//y"), "/jobs?x=//y");
    }
}
