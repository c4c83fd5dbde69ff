use super::*;
use crate::types::Coded;

fn csv(text: &str) -> Table {
    read_faq(text.as_bytes(), Format::Csv, "faq.csv").unwrap()
}

fn jsonl(text: &str) -> Table {
    read_faq(text.as_bytes(), Format::Jsonl, "faq.jsonl").unwrap()
}

fn rejects(table: &Table) -> Vec<(u64, &str)> {
    table.rejects.iter().map(|reject| (reject.line, reject.code)).collect()
}

fn questions(table: &Table) -> Vec<&str> {
    table.rows.iter().map(|row| row.question.as_str()).collect()
}

#[test]
fn all_columns_in_english() {
    let table = csv("ID,Question, answer ,Lang,tags,Category,wordings,owner,\r\n\
                     7,How?,\"First,\r\nthen\",en,\"a; b|a\",\"Loans, cards\",\"By what means?\nhow?\n\nby what means?\",Ann,\r\n");
    assert_eq!(table.rejects, []);
    let row = &table.rows[0];
    assert_eq!((row.line, row.id.as_deref(), row.language.as_deref()), (2, Some("7"), Some("en")));
    assert_eq!((row.question.as_str(), row.answer.as_str()), ("How?", "First,\r\nthen"));
    assert_eq!(row.tags, ["a", "b", "Loans, cards"]);
    assert_eq!(row.wordings, ["By what means?"]);
    assert_eq!(row.extra["owner"], "Ann");
    assert_eq!(table.columns, ["owner", "column 9"]);
    assert_eq!(row.key().as_str(), "7");
}

#[test]
fn headers_in_chinese_in_any_encoding() {
    let text = "编号,标准问,答案,分类,标签,相似问1,相似问2\n1,怎么退款？,联系客服,售后,钱、退款，钱,如何退钱,怎样退款\n";
    let utf16 = text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    for bytes in [text.as_bytes(), &encoding_rs::GB18030.encode(text).0, &utf16] {
        let table = read_faq(bytes, Format::Csv, "faq.csv").unwrap();
        assert_eq!(table.rejects, []);
        assert_eq!(table.rows[0].tags, ["售后", "钱", "退款"]);
        assert_eq!(table.rows[0].wordings, ["如何退钱", "怎样退款"]);
    }
}

#[test]
fn semicolons_and_tabs_if_the_header_has_them() {
    assert_eq!(csv("question;answer\na, b;c\n").rows[0].question, "a, b");
    assert_eq!(csv("note\tquestion\tanswer\nx\ta; b\tc\n").rows[0].question, "a; b");
    // Excel's own first line; lines are counted with it.
    for first in ["sep=;\r\n", "\"sep=;\"\n", "sep=\t\n"] {
        let table = csv(&format!("{first}question;answer\na, b;c\nd\n"));
        assert_eq!(
            (questions(&table), rejects(&table)),
            (vec!["a, b"], vec![(4, "table.ragged")]),
            "{first:?}"
        );
    }
}

#[test]
fn a_bad_line_costs_itself_only_and_is_told_by_its_number() {
    let table = csv(
        "id,question,answer\n\n1,\"two\nlines\",x\n2,,x\n3,no answer, \n1,again,x\n4,short\n5,a,b,c\n6,a,b,\n,,\n7,last,x\n",
    );
    assert_eq!(questions(&table), ["two\nlines", "a", "last"]);
    let want = [
        (5, "faq.question_empty"),
        (6, "faq.answer_empty"),
        (7, "faq.duplicate_id"),
        (8, "table.ragged"),
        (9, "table.ragged"),
    ];
    assert_eq!(rejects(&table), want);
    assert!(table.rejects[2].reason.contains("line 3"), "{}", table.rejects[2]);
    assert_eq!(table.rows[2].line, 12);
}

#[test]
fn an_open_quote_does_not_swallow_what_follows() {
    let table = csv("question,answer\na,b\n\"c,d\ne,f\nh,\"i, j\"\n\"k\" l,m 5\"\n\"n,o\np,q");
    assert_eq!(questions(&table), ["a", "e", "h", "k l", "p"]);
    assert_eq!(rejects(&table), [(3, "table.open_quote"), (7, "table.open_quote")]);
}

#[test]
fn broken_bytes_cost_their_line_and_a_broken_header_the_table() {
    let mut bytes = "问题,答案\n为什么,因为\n怎么办,等一下\n".as_bytes().to_vec();
    bytes[17] = 0xFF;
    let table = read_faq(&bytes, Format::Csv, "faq.csv").unwrap();
    assert_eq!((table.encoding, rejects(&table)), ("UTF-8", vec![(2, "table.encoding")]));
    assert!(table.rejects[0].reason.contains("byte 17"), "{}", table.rejects[0]);
    assert_eq!(questions(&table), ["怎么办"]);

    let mut bytes = "问题,答案,备注\n为什么,因为,无\n".as_bytes().to_vec();
    bytes[18] = b'x';
    let why = read_faq(&bytes, Format::Csv, "faq.csv").unwrap_err();
    assert_eq!(why.code(), "table.encoding");
}

#[test]
fn a_cell_of_a_megabyte_is_kept_whole() {
    let big = "long \"\"words\"\"\n".repeat(1 << 16);
    let table = csv(&format!("question,answer\nq,\"{big}\"\nr,s\n"));
    assert_eq!(table.rows[0].answer, big.replace("\"\"", "\"").trim());
    assert_eq!(table.rows[1].line, 3 + (1 << 16));
}

#[test]
fn without_entries_or_columns_there_is_no_table() {
    for empty in ["", "\n\n", "question,answer\n", "\u{feff}"] {
        let why = read_faq(empty.as_bytes(), Format::Csv, "faq.csv").unwrap_err();
        assert_eq!(why.code(), "table.empty", "{empty:?}");
    }
    assert_eq!(read_faq(b" \n", Format::Jsonl, "x").unwrap_err().code(), "table.empty");
    let why = read_faq(b"Frage,answer\nx,y\n", Format::Csv, "faq.csv").unwrap_err();
    assert_eq!(why.code(), "table.missing_column");
    let told = why.to_string();
    assert!(
        told.contains("faq.csv") && told.contains("question") && told.contains("Frage, answer"),
        "{told}"
    );
    let why = read_faq(b"{\"q\": \"x\"}\n", Format::Jsonl, "x").unwrap_err();
    assert_eq!(why.code(), "table.missing_column");
}

#[test]
fn json_lines_with_lists_and_bad_lines() {
    let table = jsonl(
        "{\"id\": 7, \"question\": \"a\", \"answer\": \"b\", \"wordings\": [\"c\", \"d\"], \"tags\": \"x,y\", \"n\": {\"k\": [1]}}\n\
         \n{broken\n[1]\n{\"question\": \"no answer\"}\n{\"q\": [\"a\"], \"a\": \"b\"}\n{\"问题\": \"e\", \"答案\": \"f\", \"相似问\": \"g\\nh\"}",
    );
    assert_eq!(questions(&table), ["a", "e"]);
    assert_eq!(table.rows[0].wordings, ["c", "d"]);
    assert_eq!(table.rows[1].wordings, ["g", "h"]);
    assert_eq!(table.rows[0].key().as_str(), "7");
    assert_eq!(table.rows[0].extra["n"]["k"][0], 1);
    let want = [(3, "table.json"), (4, "table.json"), (5, "faq.answer_empty"), (6, "table.json_type")];
    assert_eq!(rejects(&table), want);
}

#[test]
fn a_json_array_of_entries() {
    let table =
        jsonl("[\n {\"question\": \"a\",\n  \"answer\": \"b\"},\n {\"question\": \"\", \"answer\": \"b\"}]");
    assert_eq!(questions(&table), ["a"]);
    assert_eq!(rejects(&table), [(4, "faq.question_empty")]);
    for (bad, line) in [("[\n{\"q\": \"a\", \"a\": \"b\"}\n", 3), ("[{}\n{}]", 2), ("[", 1), ("[{\"q\"", 1)] {
        let why = read_faq(bad.as_bytes(), Format::Jsonl, "x").unwrap_err();
        assert!(matches!(why, TableError::Json { line: at, .. } if at == line), "{bad:?}: {why}");
    }
}

#[test]
fn without_an_id_the_question_is_the_key() {
    let table = csv("question,answer\nHow  do I?,x\nHow do I?,y\nWhy?,z\n");
    assert_eq!(questions(&table), ["How  do I?", "Why?"]);
    assert_eq!(rejects(&table), [(3, "faq.duplicate_id")]);
    let other = csv("answer,question\nq,How do I?\n");
    assert_eq!(table.rows[0].key(), other.rows[0].key());
    assert_eq!(table.rows[0].key().as_str().len(), 16);
}

#[test]
fn an_id_that_is_no_key_is_rejected() {
    let table = csv(&format!("id,question,answer\n{},a,b\nx\0y,a,b\n1,a,b\n", "i".repeat(5000)));
    assert_eq!(rejects(&table), [(2, "name.too_long"), (3, "key.nul")]);
}

#[test]
fn the_samples_are_read_whole_and_their_questions_name_entries() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    for language in ["en", "zh"] {
        let bytes = std::fs::read(folder.join(format!("faq-{language}.csv"))).unwrap();
        let table = read_faq(&bytes, Format::Csv, "sample").unwrap();
        assert_eq!((table.rejects.as_slice(), table.columns.as_slice()), (&[][..], &[][..]));
        assert!(table.rows.len() >= 40 && table.rows.iter().all(|row| !row.wordings.is_empty()));
        let keys =
            table.rows.iter().map(|row| row.key().to_string()).collect::<std::collections::HashSet<_>>();
        let questions = std::fs::read_to_string(folder.join(format!("questions-{language}.csv"))).unwrap();
        let named = questions.lines().skip(1).map(|line| line.rsplit(',').next().unwrap());
        assert_eq!(named.filter(|id| !keys.contains(*id)).collect::<Vec<_>>(), [] as [&str; 0]);
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_fall(
        start in proptest::sample::select(vec!["question,answer\n", "q;a\n", "问题\t答案\r\n", "", "{\"q\":\"a\",\"a\":\"b\"}\n", "["]),
        rest in proptest::collection::vec(
            proptest::sample::select(vec![
                &b"\""[..], b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"a", "问".as_bytes(), b"\xff", b"\x00", b" ", b"{", b"}", b"[", b"]",
                b":", b"\"q\"", b"\"a\"", b"1", b"\xce\xca", b"\xef\xbb\xbf", b"\\u0000", b"\\",
            ]), 0..60),
        array in proptest::bool::ANY,
    ) {
        let bytes = [start.as_bytes(), &rest.concat()].concat();
        let format = if array { Format::Jsonl } else { Format::Csv };
        if let Ok(table) = read_faq(&bytes, format, "any") {
            let lines = 1 + bytes.iter().filter(|&&b| b == b'\n' || b == b'\r').count() as u64;
            let places = table.rows.iter().map(|row| row.line).chain(table.rejects.iter().map(|r| r.line));
            proptest::prop_assert!(places.clone().all(|line| (1..=lines).contains(&line)));
            let keys = table.rows.iter().map(FaqRow::key).collect::<std::collections::HashSet<_>>();
            proptest::prop_assert_eq!(keys.len(), table.rows.len());
        }
        let _ = pairs::read_pairs(&bytes, "any");
        let _ = questions::read_questions(&bytes, "any");
    }
}
