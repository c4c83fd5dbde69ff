//! URLs of simile's own pages, from names and keys of any text. Knows nothing of pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::types::{CollectionName, ItemKey};

/// All but what RFC 3986 calls unreserved.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same, with `/` left as it is.
const PATH: &AsciiSet = &COMPONENT.remove(b'/');

/// A text as one component of a URL.
pub fn component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// A key as the end of a path. Browsers would resolve `.` and `..` and fold nothing else, so keys with such parts
/// (no photo of a folder has them) cannot be reached this way.
pub fn path(key: &str) -> String {
    utf8_percent_encode(key, PATH).to_string()
}

pub fn collection(name: &CollectionName) -> String {
    format!("/c/{}", component(name.as_str()))
}

/// The small picture; the content in the URL lets a browser keep it for good.
pub fn thumb(name: &CollectionName, key: &ItemKey, content: &str) -> String {
    let version: String = content.chars().take(16).collect();
    format!("{}/thumb/{}?v={}", collection(name), path(key.as_str()), component(&version))
}

/// The photo, re-encoded for looking.
pub fn photo(name: &CollectionName, key: &ItemKey) -> String {
    format!("{}/photo/{}", collection(name), path(key.as_str()))
}

/// An item's own page.
pub fn item(name: &CollectionName, key: &ItemKey) -> String {
    format!("{}/item/{}", collection(name), path(key.as_str()))
}

/// The login page, and where to go on from it; in the language that `next` is asked for in.
pub fn login(next: &str) -> String {
    let query = next.split_once('?').map_or("", |(_, query)| query);
    let lang = query.split('&').find_map(|pair| pair.strip_prefix("lang=")).unwrap_or_default();
    match (next, lang) {
        ("/", _) => "/login".to_owned(),
        (next, "") => format!("/login?next={}", component(next)),
        (next, lang) => format!("/login?next={}&lang={}", component(next), component(lang)),
    }
}

/// A search's URL from the parameters that are there.
pub fn search(parameters: &[(&str, &str)]) -> String {
    let mut url = String::from("/");
    let mut separator = '?';
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        url.push(separator);
        url.push_str(name);
        url.push('=');
        url.push_str(&component(value));
        separator = '&';
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_keys_survive_a_url() {
        let name: CollectionName = "卡车".parse().unwrap();
        for key in ["a/b.jpg", "line\nbreak\"'.jpg", "<script>&?#%41.jpg", "照片/🚚 ü.jpg", "caf%E9.jpg"]
        {
            let key: ItemKey = key.parse().unwrap();
            let url = photo(&name, &key);
            assert!(url.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>?#&".contains(&b)), "{url}");
            let back = url.strip_prefix("/c/%E5%8D%A1%E8%BD%A6/photo/").unwrap();
            let back = percent_encoding::percent_decode_str(back).decode_utf8().unwrap();
            assert_eq!(back, key.as_str());
        }
        assert_eq!(search(&[("c", "faq"), ("q", "a&b=c"), ("tag", "")]), "/?c=faq&q=a%26b%3Dc");
    }
}
