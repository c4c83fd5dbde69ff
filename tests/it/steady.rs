//! Memory under a mixed load: after a warm-up it stays where it is. `make load-hour` measures longer.

use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use image::ImageFormat;

use super::home::{FAQ, Home, PHOTO_ENCODER, TEXT_ENCODER, photo};
use super::operator::{Served, figures, rest};

/// One length of load, two minutes in all; the first is the warm-up.
const ROUND: Duration = Duration::from_secs(40);
const CLIENTS: u32 = 4;
/// Noise of allocator and page cache, far below what a leak of a photo or an answer each would make.
const NOISE: f64 = 24e6;

/// Everything that people do, again and again, until the time is over. Returns how much was asked.
fn load(server: &Served, asked: &AtomicU32) {
    let until = Instant::now() + ROUND;
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while Instant::now() < until {
                    one(server, asked.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
    });
}

fn one(server: &Served, i: u32) {
    let key = format!("load-{}.jpg", i % 16);
    let answer = match i % 6 {
        0 => server.ask("POST", "/api/v1/collections/faq/ask", "", r#"{"text": "I want a refund"}"#),
        1 => server.ask("GET", "/?c=faq&q=parcel", "accept: text/html\r\n", ""),
        2 => send_photo(server, "PUT", &format!("/api/v1/collections/photos/items/{key}"), i % 32),
        3 => server.ask("POST", "/api/v1/collections/photos/search", "", r#"{"item": "1.jpg"}"#),
        4 => server.ask("GET", "/c/photos/thumb/2.jpg", "", ""),
        _ => server.ask("GET", &format!("/nowhere/{i}"), "", ""),
    };
    assert!(answer.starts_with("HTTP/1.1 2") || i % 6 == 5, "{i}: {answer}");
}

fn send_photo(server: &Served, method: &str, path: &str, seed: u32) -> String {
    let bytes = photo(seed, ImageFormat::Jpeg);
    let mut stream = server.connect();
    stream.write_all(server.head(method, path, bytes.len(), "").as_bytes()).unwrap();
    stream.write_all(&bytes).unwrap();
    rest(stream)
}

#[test]
fn memory_does_not_grow() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    home.photos("pics", 4);
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER]).ok();
    home.run(["index", "pics", "--collection", "photos", "--encoder", PHOTO_ENCODER]).ok();
    let server = Served::start(&home, &[], &[]);
    let asked = AtomicU32::new(0);
    let after = [0, 1, 2].map(|_| {
        load(&server, &asked);
        figures(&server)["simile_resident_bytes"]
    });
    let all = asked.load(Ordering::Relaxed);
    println!("{all} requests; resident after each round: {after:?}");
    assert!(all > 200, "{all} requests say little");
    assert!(after[2] - after[1] < NOISE, "{all} requests: {after:?}");
}
