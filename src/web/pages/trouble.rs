//! Problems in the reader's words. Knows nothing of what caused them.

use askama::Template;
use askama_web::WebTemplate;

use super::shell::Shell;
use crate::web::lang::Lang;
use crate::web::problem::Problem;

#[derive(Template, WebTemplate)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub s: Shell,
    pub problem: Problem,
}

impl Problem {
    /// What happened, in a few words; the detail says to which item, and what to do.
    pub fn headline(&self, l: Lang) -> &'static str {
        match self.code.as_str() {
            "photo.truncated" => l.wrong_truncated(),
            "photo.not_a_picture" => l.wrong_picture(),
            "photo.damaged" => l.wrong_damaged(),
            "photo.too_large" | "photo.too_many_pixels" | "photo.too_wide" => l.wrong_photo_large(),
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
