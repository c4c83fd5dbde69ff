//! Paths as text, without loss: bytes that are no UTF-8 become `%XX`, and so does a `%` that would read as one of these.

use std::path::{Path, PathBuf};

/// A path as text; [`path_of_text`] gives it back whole.
pub fn text_of_path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        let valid = chunk.valid();
        for (at, c) in valid.char_indices() {
            if c == '%' && begins_escape(&valid.as_bytes()[at..]) {
                text.push_str("%25");
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The path that [`text_of_path`] made this text of.
pub fn path_of_text(text: &str) -> PathBuf {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if begins_escape(&bytes[at..]) {
            let hex = std::str::from_utf8(&bytes[at + 1..at + 3]).expect("two hex digits are ASCII");
            out.push(u8::from_str_radix(hex, 16).expect("two hex digits"));
            at += 3;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    path_of_bytes(out)
}

/// `%` and two hex digits.
fn begins_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit())
}

#[cfg(unix)]
fn path_of_bytes(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of_bytes(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// A path as a string of JSON.
pub(super) mod as_text {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(path: &Path, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::text_of_path(path))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        Ok(super::path_of_text(&String::deserialize(from)?))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn readable_paths_stay_readable() {
        for same in ["/a/照片/🚚 100%.jpg", "50%of", "%", "line\nbreak"] {
            assert_eq!(text_of_path(Path::new(same)), same);
        }
        assert_eq!(text_of_path(Path::new("a%20b")), "a%2520b");
        assert_eq!(text_of_path(Path::new(OsStr::from_bytes(b"x\xffy%\xfe"))), "x%FFy%%FE");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(
            prop_oneof![Just(b'%'), Just(b'2'), Just(b'F'), Just(0xe7), Just(0x85), Just(0xa7), any::<u8>()], 0..40)
        ) {
            let path = Path::new(OsStr::from_bytes(&bytes));
            let back = path_of_text(&text_of_path(path));
            prop_assert_eq!(back.as_os_str().as_bytes(), &bytes[..]);
        }
    }
}
