//! Whole collections with real weights: torchvision's class figures, sentence-transformers' hits, Chinese FAQs.

use std::fs;

use simile::encoder::Encoder;
use simile::eval::{faq, photos};
use simile::photo::Limits;
use simile::text::table::questions::{Question, read_questions};
use simile::text::table::{FaqRow, Format, read_faq};

#[test]
fn photos_gather_by_class_as_with_torchvision() {
    let folder = super::folder("SIMILE_SHARED", "../shared").join("data/photos");
    let report = photos::run(&crate::resnet50::encoder(), &folder, &Limits::default(), &|_, _| {}).unwrap();
    println!("{report:?}");
    assert_eq!(report.itself_first, 1.0);
    assert!((report.precision_at_10 - 0.946).abs() < 0.002, "{}", report.precision_at_10);
    assert!((report.mean_average_precision - 0.861).abs() < 0.002, "{}", report.mean_average_precision);
}

fn rows(name: &str) -> Vec<FaqRow> {
    let file = super::folder("SIMILE_SHARED", "../shared").join("data/text").join(name);
    let table = read_faq(&fs::read(file).unwrap(), Format::Csv, name).unwrap();
    assert!(table.rejects.is_empty());
    table.rows
}

#[test]
fn paraphrases_find_their_entry_as_with_sentence_transformers() {
    let entries = rows("faq-en-webapps.csv");
    let file = super::folder("SIMILE_SHARED", "../shared").join("data/text/faq-en-webapps-queries.csv");
    let questions = read_questions(&fs::read(file).unwrap(), "queries").unwrap();
    let report = faq::run(&crate::minilm::encoder(), &entries, &questions, &|_, _| {}).unwrap();
    println!("{report:?}");
    assert_eq!(report.questions, 1249);
    assert!((report.hit_at_1 - 0.945).abs() < 0.002 && (report.mrr - 0.969).abs() < 0.002);
}

#[test]
fn chinese_faqs_answer_their_own_questions() {
    for name in ["faq-zh-finance.csv", "faq-zh-software.csv"] {
        let entries = rows(name);
        let asked = |(line, row): (usize, &FaqRow)| Question {
            line: line as u64,
            query: row.question.clone(),
            faq_id: row.key().to_string(),
        };
        let questions: Vec<Question> = entries.iter().enumerate().map(asked).collect();
        let report = faq::run(&Encoder::ngram_hash(None), &entries, &questions, &|_, _| {}).unwrap();
        println!("{name}: {report:?}");
        assert_eq!(report.hit_at_1, 1.0, "{name}");
    }
}
