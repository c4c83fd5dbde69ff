//! The API's own document, OpenAPI 3.1: made of what stands at each handler, with the problems that any of them may answer.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::{collections, embed, health, items, jobs, models, search, switch, uploads};
use crate::web::figures;
use crate::web::problem::Described;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "simile",
        description = "Finds photos and answers by meaning. JSON in, JSON out; an unknown field is an error, at any depth.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        collections::list, collections::create, collections::get, collections::delete, collections::change,
        collections::index, collections::compact, switch::get, switch::start, switch::cancel, search::search, search::ask, items::list, items::get, items::put, items::delete,
        uploads::upload, uploads::finish, jobs::list, jobs::get, jobs::rejects, jobs::cancel, jobs::delete, jobs::events,
        models::list, models::pull, embed::embed, health::alive, health::ready, figures::show, document,
    ),
    components(schemas(Described)),
    tags(
        (name = "collections", description = "What things are kept in"),
        (name = "search", description = "Questions and their answers"),
        (name = "items", description = "What a collection holds"),
        (name = "uploads", description = "Files sent here"),
        (name = "switch", description = "Another encoder for a collection"),
        (name = "jobs", description = "Work that takes a while"),
        (name = "encoders", description = "What makes vectors"),
        (name = "operation", description = "For whoever runs the server"),
    ),
)]
struct Document;

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut document = serde_json::to_value(Document::openapi()).expect("a document has a JSON form");
    add_problems(&mut document);
    document.to_string()
});

/// This document.
#[utoipa::path(get, path = "/api/openapi.json", tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
pub async fn document() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// Every operation may be refused: with a problem for what was sent, for what is not there, and for the rest.
fn add_problems(document: &mut Value) {
    let response = |description: &str, status: u16, title: &str, code: &str, detail: &str| {
        let example = json!({
            "type": "about:blank", "title": title, "status": status, "detail": detail, "code": code,
            "request_id": "0c0f6a3e5d0b4d7c9a3f3b1d2e4f5a6b",
        });
        json!({
            "description": description,
            "headers": {"x-request-id": {
                "description": "The id of this request in the server's log", "schema": {"type": "string"},
            }},
            "content": {"application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"}, "example": example,
            }},
        })
    };
    // Where the server was started with a token; elsewhere nothing is asked for.
    document["components"]["securitySchemes"] = json!({"token": {"type": "http", "scheme": "bearer"}});
    document["security"] = json!([{}, {"token": []}]);
    document["components"]["responses"] = json!({
        "Refused": response("What was sent cannot be used", 400, "Bad Request", "query.empty",
            "there is nothing to search for; give a text"),
        "Missing": response("There is no such thing", 404, "Not Found", "collection.unknown",
            "there is no collection pictures; there are: photos"),
        "Clash": response("It clashes with what is there", 409, "Conflict", "collection.exists",
            "collection photos exists already; choose another name, or index into it"),
        "TooLarge": response("More was sent than is allowed", 413, "Payload Too Large", "request.too_large",
            "more was sent than the 72 MiB allowed here; send less, or index a folder in place"),
        "Problem": response("Another problem; 429 and 503 say when to try again", 503, "Service Unavailable",
            "server.slow", "no answer was ready in time; try again, or see the jobs that keep this machine busy"),
    });
    let named = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
    let paths = document["paths"].as_object_mut().expect("the document has paths");
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            let (sends, names) = (operation.get("requestBody").is_some(), path.contains('{'));
            // Handlers of several rooms have the same name.
            let id = format!(
                "{}-{}",
                operation["tags"][0].as_str().unwrap_or_default(),
                operation["operationId"].as_str().unwrap_or_default()
            );
            operation["operationId"] = id.into();
            let asks = operation.get("parameters").is_some();
            let responses = &mut operation["responses"];
            if sends || asks {
                responses["400"] = named("Refused");
            }
            if names {
                responses["404"] = named("Missing");
            }
            if sends {
                responses["413"] = named("TooLarge");
            }
            if method != "get" {
                responses["409"] = named("Clash");
            }
            responses["default"] = named("Problem");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described() {
        // The router tells its routes nowhere else.
        let router = format!("{:?}", crate::web::api::quick().merge(crate::web::api::slow()));
        let routes =
            router.split("RouteId(").filter_map(|part| part.split_once("): \"")?.1.split('"').next());
        let document: Value = serde_json::from_str(&TEXT).unwrap();
        let mut told: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
        // The same under another name, and the page that shows it.
        told.extend(["/openapi.json", "/api", "/api/docs/{name}"].map(str::to_owned));
        let mut there: Vec<String> = routes.map(|route| route.replace("{*", "{")).collect();
        told.sort();
        // Of the router's own fallback.
        there.retain(|route| route != "/" && !route.contains("__private"));
        there.sort();
        there.dedup();
        assert_eq!(there, told);
    }

    #[test]
    fn it_is_openapi_3_1_and_every_reference_is_there() {
        let document: Value = serde_json::from_str(&TEXT).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
        for reference in TEXT.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer} is not there");
        }
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let told = operation["summary"].as_str().or(operation["description"].as_str());
                assert!(told.is_some_and(|t| !t.is_empty()), "{method} {path} says nothing");
                assert!(operation["responses"]["default"].is_object(), "{method} {path}");
            }
        }
    }
}
