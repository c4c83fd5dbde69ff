//! `simile eval` from the command line: what it prints, and what it refuses with which words.

use crate::home::{Home, PHOTO_ENCODER, TEXT_ENCODER};

#[test]
fn copies_made_in_memory_are_those_that_augment_writes() {
    let home = Home::new();
    let pics = home.photos("pics", 5);
    let pics = pics.to_str().unwrap();
    let eval = |more: &[&str]| {
        let args = ["eval", "retrieval", pics, "--encoder", PHOTO_ENCODER, "--json"];
        home.run(args.iter().chain(more))
    };
    let made = eval(&["--copies", "3", "--seed", "7"]).ok().json();
    assert_eq!((made["photos"].as_u64(), made["copies"].as_u64()), (Some(5), Some(15)));
    let recall = made["recall_at_1"].as_f64().unwrap();
    assert!(recall > 0.2 && recall <= 1.0, "{made}");
    assert_eq!(eval(&["--copies", "3"]).ok().json(), made, "7 is the seed where none is given");

    let out = home.path("out");
    let out = out.to_str().unwrap();
    let augment = ["augment", pics, "--copies", "3", "--seed", "7", "--out", out];
    home.run(augment).ok();
    assert_eq!(eval(&["--copies-from", out]).ok().json(), made);
    assert_eq!(home.run(augment).code, 5, "copies that exist are never written over");

    let code = |more: &[&str]| {
        let ran = eval(more);
        (ran.code, ran.json()["error"]["code"].as_str().unwrap().to_owned())
    };
    let told = |exit: i32, code: &str| (exit, code.to_owned());
    assert_eq!(code(&["--copies", "0"]), told(2, "augment.no_copies"));
    assert_eq!(code(&["--copies-from", home.data().to_str().unwrap()]), told(2, "eval.no_copies"));
    assert_eq!(code(&[]), told(2, "eval.classes"), "photos of one class");
}

#[test]
fn pairs_are_scored_and_what_is_wrong_with_them_is_said() {
    let home = Home::new();
    let eval = |file: &str, text: &str, more: &[&str]| {
        let path = home.put(file, text.as_bytes());
        let args = ["eval", "pairs", path.to_str().unwrap(), "--encoder", "ngram-hash", "--json"];
        home.run(args.iter().chain(more))
    };
    let good: String = (0..40).map(|i| format!("{}\tparcel {i}\tparcel {}\n", i % 2, i + i % 2)).collect();
    let good = format!("Label\tA\tB\n{good}");
    let even = eval("good.tsv", &good, &[]).ok().json();
    assert_eq!((even["pairs"].as_u64(), even["fitted_on"].as_u64()), (Some(40), Some(0)));
    assert!(even["classes"]["auc"].is_number() && even["spearman"].is_number(), "{even}");

    let corpus: String = (0..300).map(|i| format!("where is parcel {i}\n\n")).collect();
    let corpus = home.put("corpus.txt", corpus.as_bytes());
    let fitted_on = ["--fitted-on", corpus.to_str().unwrap()];
    assert_eq!(eval("good.tsv", &good, &fitted_on).ok().json()["fitted_on"], 300);
    // Below 200 texts there is nothing to fit on.
    let few = home.put("few.tsv", good.as_bytes());
    let none = eval("good.tsv", &good, &["--fitted-on", few.to_str().unwrap()]).ok().json();
    assert_eq!(none, even);

    for (text, code) in [
        ("label\ta\n1\tx\n", "table.missing_column"),
        ("label\ta\tb\nyes\tx\ty\n", "pairs.label"),
        ("label\ta\tb\n1\tx\ty\n1\tv\tw\n", "pairs.one_class"),
        ("label\ta\tb\n1\tx\t\u{200b}\n0\tv\tw\n", "pairs.line"),
        ("label\ta\tb\n", "table.empty"),
    ] {
        let ran = eval("bad.tsv", text, &[]);
        assert_eq!((ran.code, ran.json()["error"]["code"].as_str()), (2, Some(code)), "{text:?}");
    }
    let args = ["eval", "pairs", few.to_str().unwrap(), "--encoder", TEXT_ENCODER, "--json"];
    let ran = home.run(args.iter().chain(&fitted_on));
    assert_eq!((ran.code, ran.json()["error"]["code"].as_str()), (2, Some("eval.not_fitted")));
    let copies = home.run(["eval", "retrieval", few.to_str().unwrap(), "--copies", "2", "--json"]);
    assert_eq!((copies.code, copies.json()["error"]["code"].as_str()), (2, Some("eval.copies")));
}

#[test]
fn pairs_read_together_are_told_by_a_read_out_fitted_on_the_other_half() {
    let home = Home::new();
    // The fixture knows nothing, but a read-out finds what decides: whether both say the same.
    let words = ["red", "blue", "car", "password", "reset", "where", "how", "please"];
    let line = |i: usize| {
        let (a, b) = (words[i % 8], words[(i / 8 + i) % 8]);
        if i.is_multiple_of(2) {
            format!("1\t{a} {b}\t{b} {a}\n")
        } else {
            format!("0\t{a} car\tunknown tab {b}\n")
        }
    };
    let text: String = (0..200).map(line).collect();
    let file = home.put("pairs.tsv", format!("label\ta\tb\n{text}").as_bytes());
    let eval = |encoder: &str| {
        let args = ["eval", "pairs", file.to_str().unwrap(), "--together", "--json", "--encoder", encoder];
        home.run(args)
    };
    let told = eval(TEXT_ENCODER).ok().json();
    let count = |field: &str| told[field].as_u64().unwrap();
    assert_eq!(count("fitted_on") + count("told_on"), 200);
    assert!(told["accuracy"].as_f64().unwrap() > 0.9 && told["auc"].as_f64().unwrap() > 0.9, "{told}");
    let ran = eval("ngram-hash");
    assert_eq!((ran.code, ran.json()["error"]["code"].as_str()), (2, Some("encoder.no_pairs")));
}

#[test]
fn a_question_without_a_word_is_rejected_and_never_a_zero_vector() {
    let home = Home::new();
    let table = home.put("faq.csv", "question,answer\nred car,1\n\u{200b} \u{feff},2\n".as_bytes());
    let args = ["index", table.to_str().unwrap(), "--collection", "faq", "--encoder", "ngram-hash", "--json"];
    let ran = home.run(args);
    assert_eq!((ran.code, ran.json()["indexed"].as_u64()), (3, Some(1)), "{ran:?}");
    assert_eq!(ran.json()["rejected"].as_array().unwrap().len(), 1);
    let asked = home.run(["ask", "\u{200b}", "--collection", "faq", "--json"]);
    assert_eq!(asked.code, 2, "{asked:?}");
}

#[test]
fn an_encoder_is_held_to_itself_in_f32() {
    let home = Home::new();
    home.photos("pics/a", 4);
    home.photos("pics/b", 4);
    let pics = home.path("pics");
    let told = home.run(["eval", "agreement", pics.to_str().unwrap(), "--encoder", PHOTO_ENCODER, "--json"]);
    let told = told.ok().json();
    assert_eq!(told["f32"]["photos"], 8);
    for (numbers, least) in [("bf16", 0.999), ("int8", 0.9)] {
        let of = &told[numbers];
        assert!(of["precision_at_10"].is_number() && of["lowest_cosine"].as_f64().unwrap() > least, "{told}");
        // Of seven others all are among the first ten.
        assert_eq!(of["recall_at_10"], 1.0);
    }
    let pairs = home.put("pairs.tsv", b"score\ta\tb\n5\tred\tred\n3\tred car\tcar\n0\tred\tmilk\n");
    let told = home.run(["eval", "agreement", pairs.to_str().unwrap(), "--encoder", TEXT_ENCODER, "--json"]);
    let told = told.ok().json();
    assert!(told["int8"]["spearman"].is_number() && told["int8"]["recall_at_10"].is_null(), "{told}");
}
