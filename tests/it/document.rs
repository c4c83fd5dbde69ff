//! The API's own document against the server that it describes, and the page that tries it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::home::{FAQ, Home, TEXT_ENCODER};
use super::operator::{Served, body_of, header};

/// The methods that a path takes, as a refused request is told.
fn allowed(server: &Served, path: &str) -> BTreeSet<String> {
    let path =
        path.replace("{id}", "1").replace("{c}", "faq").replace("{key}", "a").replace("{name}", "bert");
    let answer = server.ask("PROPFIND", &path, "", "");
    assert!(answer.starts_with("HTTP/1.1 405"), "{path}: {answer}");
    header(&answer, "allow").split(',').map(|m| m.trim().to_lowercase()).filter(|m| m != "head").collect()
}

#[test]
fn every_method_of_every_path_is_described() {
    let home = Home::new();
    let server = Served::start(&home, &[], &[]);
    let at_root = server.ask("GET", "/openapi.json", "", "");
    let document: Value = serde_json::from_str(body_of(&at_root)).unwrap();
    assert_eq!(body_of(&at_root), body_of(&server.ask("GET", "/api/openapi.json", "", "")));
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 20, "{}", paths.len());
    for (path, operations) in paths {
        let told: BTreeSet<String> = operations.as_object().unwrap().keys().cloned().collect();
        assert_eq!(told, allowed(&server, path), "{path}");
    }
}

/// Whether a value has all that its schema requires, and nothing of another type. References are followed.
fn fits(value: &Value, schema: &Value, document: &Value) -> bool {
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(value, document.pointer(&reference[1..]).unwrap(), document);
    }
    if let Some(any) = schema["oneOf"].as_array() {
        return any.iter().filter(|one| fits(value, one, document)).count() == 1;
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().all(|one| fits(value, one, document));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let known = types.is_empty() || types.contains(&kind) || (kind == "integer" && types.contains(&"number"));
    let required = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .all(|name| value.get(name.as_str().unwrap()).is_some());
    let fields = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(name, schema)| value.get(name).is_none_or(|value| fits(value, schema, document)));
    let items = value.as_array().into_iter().flatten().all(|item| fits(item, &schema["items"], document));
    known && required && fields && items
}

#[test]
fn answers_are_what_the_document_says() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    home.run(["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER]).ok();
    let server = Served::start(&home, &["--index", "faq=faq.csv"], &[]);
    let document = server.ask("GET", "/api/openapi.json", "", "");
    let document: Value = serde_json::from_str(body_of(&document)).unwrap();
    let asked = [
        ("get", "/api/v1/collections", "/api/v1/collections", Value::Null, "200"),
        ("get", "/api/v1/collections/{c}", "/api/v1/collections/faq", Value::Null, "200"),
        ("get", "/api/v1/collections/{c}/items", "/api/v1/collections/faq/items", Value::Null, "200"),
        (
            "get",
            "/api/v1/collections/{c}/items/{key}",
            "/api/v1/collections/faq/items/hours",
            Value::Null,
            "200",
        ),
        (
            "post",
            "/api/v1/collections/{c}/ask",
            "/api/v1/collections/faq/ask",
            json!({"text": "refund"}),
            "200",
        ),
        ("get", "/api/v1/jobs", "/api/v1/jobs", Value::Null, "200"),
        ("get", "/api/v1/models", "/api/v1/models", Value::Null, "200"),
        ("post", "/api/v1/embed", "/api/v1/embed", json!({"encoder": TEXT_ENCODER, "texts": ["a"]}), "200"),
        ("get", "/readyz", "/readyz", Value::Null, "200"),
        ("get", "/api/v1/collections/{c}", "/api/v1/collections/none", Value::Null, "404"),
        (
            "post",
            "/api/v1/collections/{c}/ask",
            "/api/v1/collections/faq/ask",
            json!({"txt": "refund"}),
            "400",
        ),
    ];
    for (method, path, url, body, status) in asked {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = server.ask(&method.to_uppercase(), url, "", &body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let mut response = &document["paths"][path][method]["responses"][status];
        if let Some(reference) = response["$ref"].as_str() {
            response = document.pointer(&reference[1..]).unwrap();
        }
        let schema = &response["content"][header(&answer, "content-type")]["schema"];
        assert!(schema.is_object(), "{method} {path} {status}: {answer}");
        let value: Value = serde_json::from_str(body_of(&answer)).unwrap();
        assert!(fits(&value, schema, &document), "{method} {path}: {value} is not {schema}");
    }
}

#[test]
fn the_page_that_tries_it_asks_no_other_host() {
    let home = Home::new();
    let server = Served::start(&home, &[], &[]);
    let page = server.ask("GET", "/api", "accept: text/html\r\n", "");
    assert!(server.ask("GET", "/about", "", "").contains("href=\"/api\""));
    assert!(!body_of(&page).contains("//") && !body_of(&page).contains("<script>"), "{page}");
    assert!(header(&page, "content-security-policy").contains("default-src 'none'"));
    let links: Vec<&str> = body_of(&page)
        .split(['"'])
        .filter(|part| part.starts_with("/api/docs/") || part.starts_with("/static/"))
        .collect();
    assert_eq!(links.len(), 4, "{links:?}");
    for link in links {
        assert!(server.ask("GET", link, "", "").starts_with("HTTP/1.1 200"), "{link}");
    }
    assert!(server.ask("GET", "/api/docs/index.html", "", "").starts_with("HTTP/1.1 404"));
}
