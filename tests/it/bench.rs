//! `simile bench encoders` in turns with other programs, and `simile bench limits`.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::home::{Home, PHOTO_ENCODER, TEXT_ENCODER};

#[test]
fn turns_are_answered_line_by_line() {
    let home = Home::new();
    let mut command = home.command();
    command.args(["--json", "bench", "encoders", "--turns", "--threads", "2"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut ask = |turn: Value| -> Value {
        writeln!(to, "{turn}").unwrap();
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let crops = home.put("crops.rgb", &[100; 2 * 224 * 224 * 3]);
    let side = home.put("short.rgb", &[100; 50]);
    let open = |work: &str, encoder: &str, input: Value| json!({"open": {"work": work, "encoder": encoder, "precision": "f32", "input": input}});
    let texts = json!({"tokens": [[2, 9, 4, 3], [2, 3]]});
    assert_eq!(ask(open("texts", TEXT_ENCODER, texts)), json!({"computes_in": "f32"}));
    assert_eq!(ask(json!({"time": {"work": "texts", "rounds": 3}}))["ms"].as_array().unwrap().len(), 3);
    let vectors = ask(json!({"vectors": {"work": "texts"}}));
    let vectors = vectors["vectors"].as_array().unwrap();
    let length = |v: &Value| v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap().powi(2)).sum::<f64>();
    assert!(vectors.len() == 2 && vectors.iter().all(|v| (length(v) - 1.0).abs() < 1e-5), "{vectors:?}");
    assert_eq!(ask(open("photos", PHOTO_ENCODER, json!({ "crops": crops }))), json!({"computes_in": "f32"}));
    assert_eq!(ask(json!({"vectors": {"work": "photos"}}))["vectors"].as_array().unwrap().len(), 2);
    assert_eq!(ask(json!({"close": {"work": "texts"}})), json!({}));
    // What is no turn ends it, with a word on what is wrong.
    let why = ask(open("photos", PHOTO_ENCODER, json!({ "crops": side })));
    assert_eq!(why["error"]["code"], "bench.turn");
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn limits_grow_with_smaller_numbers() {
    let told = Home::new().run(["--json", "bench", "limits", "--threads", "1"]).ok().json();
    let of = &told["of_threads"][0];
    assert_eq!(of["threads"], 1);
    assert!(of["f32"].as_f64().unwrap() > 0.1 && of["read_memory"].as_f64().unwrap() > 0.1, "{told}");
}
