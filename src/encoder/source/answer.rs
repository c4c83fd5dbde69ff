//! What a server's answer tells: sizes, hashes, where it leads, how it broke off.

use std::io;

use ureq::Body;
use ureq::http::{HeaderMap, Uri};

pub type Response = ureq::http::Response<Body>;

pub fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The whole file's bytes.
pub fn total(response: &Response, done: u64) -> Option<u64> {
    if let Some(range) = header(response.headers(), "content-range") {
        return range.rsplit('/').next()?.parse().ok();
    }
    header(response.headers(), "content-length")?.parse::<u64>().ok().map(|rest| done + rest)
}

/// The hub's etag of a large file is its sha256.
pub fn hash_in(etag: &str) -> Option<String> {
    let hash = etag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
    (hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit())).then_some(hash)
}

pub fn same_host(a: &str, b: &str) -> bool {
    let authority = |url: &str| url.parse::<Uri>().ok().and_then(|uri| uri.authority().cloned());
    authority(a).is_some() && authority(a) == authority(b)
}

/// Where a redirect leads; never from https back to http.
pub fn follow(from: &str, location: &str) -> Option<String> {
    let base: Uri = from.parse().ok()?;
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    if location.starts_with("//") {
        return Some(format!("{scheme}:{location}"));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    let to: Uri = location.parse().ok()?;
    match (scheme, to.scheme_str()?) {
        ("https", "https") | ("http", "http" | "https") => Some(location.to_owned()),
        _ => None,
    }
}

pub fn is_timeout(e: &io::Error) -> bool {
    let inner = e.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    e.kind() == io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_as_safe_as_they_began() {
        let from = "https://hub.example/a/b";
        assert_eq!(follow(from, "/c?d").as_deref(), Some("https://hub.example/c?d"));
        assert_eq!(follow(from, "https://cdn.example/x").as_deref(), Some("https://cdn.example/x"));
        assert_eq!(follow(from, "http://cdn.example/x"), None);
        assert_eq!(follow(from, "file:///etc/passwd"), None);
        assert!(same_host(from, "https://hub.example"));
        assert!(!same_host("https://hub.example.evil/", "https://hub.example"));
    }
}
