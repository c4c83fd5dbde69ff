//! Any bytes are a picture within the limits, or an error; a decoder's own panic is caught as in the program.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use simile_fuzz::photo::{Limits, classify, decode, thumbnail};

const LIMITS: Limits = Limits { bytes: 1 << 20, side: 4096, pixels: 1_000_000 };
static QUIET: Once = Once::new();

fuzz_target!(|bytes: &[u8]| {
    // The fuzzer's hook would end the process at a panic that `decode` catches; one that gets out still ends it.
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    classify("a", &bytes[..bytes.len().min(64)]);
    if let Ok(photo) = decode(bytes, &LIMITS) {
        let (width, height) = photo.pixels.dimensions();
        assert!(width > 0 && height > 0 && u64::from(width) * u64::from(height) <= LIMITS.pixels);
        assert!(thumbnail(&photo.pixels, 64).starts_with(&[0xff, 0xd8]));
    }
});
