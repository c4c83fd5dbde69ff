//! `/api`: a page to read the API's document and try it, with nothing from another host.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use utoipa_swagger_ui::Config;

use crate::web::assets;
use crate::web::problem::Problem;

/// What the page needs of Swagger UI.
const FILES: [&str; 2] = ["swagger-ui.css", "swagger-ui-bundle.js"];

/// `GET /api`
pub async fn page() -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>simile · API</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"{icon}\">\
         <link rel=\"stylesheet\" href=\"/api/docs/swagger-ui.css\"></head>\
         <body><p><a href=\"/about\">simile</a></p><div id=\"api\"></div>\
         <script src=\"/api/docs/swagger-ui-bundle.js\"></script><script src=\"{script}\"></script></body></html>",
        icon = assets::url("icon.svg"),
        script = assets::url("api.js"),
    ))
}

/// `GET /api/docs/{name}`
pub async fn file(Path(name): Path<String>) -> Response {
    let wanted = FILES.contains(&name.as_str()).then_some(name.as_str());
    let none = Arc::new(Config::new(["/api/openapi.json"]));
    match wanted.and_then(|name| utoipa_swagger_ui::serve(name, none).ok().flatten()) {
        Some(file) => {
            let headers = [
                (header::CONTENT_TYPE, file.content_type),
                (header::CACHE_CONTROL, "public, max-age=86400".to_owned()),
            ];
            (headers, file.bytes.into_owned()).into_response()
        }
        None => Problem::unknown_path(&format!("/api/docs/{name}")).into_response(),
    }
}
