//! Any text is a name or an error; any path has a text from which it comes back.
#![no_main]

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use simile_fuzz::store::{path_of_text, text_of_path};
use simile_fuzz::types::{CollectionName, EncoderName, ItemKey};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(key) = text.parse::<ItemKey>() {
            assert_eq!(key.as_str(), text);
        }
        for name in [
            text.parse::<CollectionName>().map(|n| n.to_string()),
            text.parse::<EncoderName>().map(|n| n.to_string()),
        ] {
            assert!(
                name.is_err()
                    || name.is_ok_and(|name| !name.contains(['/', '\0', '\\']) && !name.starts_with('.'))
            );
        }
        let _ = path_of_text(text);
    }
    if !bytes.contains(&0) {
        let path = Path::new(std::ffi::OsStr::from_bytes(bytes));
        assert_eq!(path_of_text(&text_of_path(path)).as_os_str(), path.as_os_str());
    }
});
