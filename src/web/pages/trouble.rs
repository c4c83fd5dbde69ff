//! Problems in the reader's words. Knows nothing of what caused them.

use std::collections::BTreeMap;

use askama::Template;
use askama_web::WebTemplate;
use axum::Json;

use super::shell::Shell;
use crate::web::lang::Lang;
use crate::web::prefs::Prefs;
use crate::web::problem::Problem;

#[derive(Template, WebTemplate)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub s: Shell,
    pub problem: Problem,
}

/// `GET /troubles`: what codes mean in the reader's language, for scripts that ask the API; empty in its own, English.
pub async fn sentences(prefs: Prefs) -> Json<BTreeMap<&'static str, &'static str>> {
    Json(prefs.lang.troubles().iter().copied().collect())
}

impl Problem {
    /// What happened to which item, and what to do.
    pub fn sentence(&self, l: Lang) -> String {
        // What is wrong with a request is wrong with a field of it.
        let item =
            self.item.as_deref().or(self.field.as_deref().filter(|_| self.code.starts_with("request.")));
        l.trouble(&self.code, item, &self.detail)
    }

    /// What happened, in a few words; the sentence says to which item, and what to do.
    pub fn headline(&self, l: Lang) -> &'static str {
        match self.code.as_str() {
            "photo.truncated" => l.wrong_truncated(),
            "photo.not_a_picture" => l.wrong_picture(),
            "photo.damaged" => l.wrong_damaged(),
            "photo.too_large" => l.wrong_photo_large(),
            "path.missing" => l.wrong_path(),
            "path.unknown" => l.wrong_page(),
            "folder.empty" => l.wrong_folder(),
            "collection.exists" => l.wrong_exists(),
            "name.empty" | "name.too_long" | "name.character" => l.wrong_name(),
            "query.photo_gone" => l.wrong_gone(),
            "item.unknown" => l.wrong_item(),
            "query.photo_of_faq" => l.wrong_faq_photo(),
            code if code.starts_with("recipe.") => l.wrong_recipe(),
            "query.empty" => l.wrong_empty(),
            "query.too_long" => l.wrong_long(),
            "encoder.none" => l.wrong_encoder(),
            "key.collides" => l.wrong_collides(),
            "collection.unknown" => l.wrong_collection(),
            _ => match self.status.as_u16() {
                404 => l.fault_not_found(),
                409 => l.fault_conflict(),
                413 => l.fault_too_large(),
                415 => l.fault_unsupported(),
                403 | 421 => l.fault_forbidden(),
                429 => l.fault_busy(),
                503 => l.fault_unavailable(),
                400..500 => l.fault_input(),
                _ => l.fault_internal(),
            },
        }
    }
}
