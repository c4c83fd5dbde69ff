//! What every page has around it: language, colours, the strip of running work. Knows nothing of what a page holds.

use super::jobs::Strip;
use crate::web::lang::Lang;
use crate::web::prefs::{Prefs, Theme};
use crate::web::{App, assets};

/// The frame of a page.
pub struct Shell {
    pub l: Lang,
    pub theme: Theme,
    pub token: String,
    /// Which entry of the menu is this page's: `search`, `collections`, `jobs`, `about` or none.
    pub here: &'static str,
    pub strip: Option<Strip>,
    prefs: Prefs,
}

impl Shell {
    /// With the strip, which reads the job table.
    pub fn new(app: &App, prefs: Prefs, here: &'static str) -> Self {
        let strip = Strip::of(app.library());
        Self { here, strip, ..Self::bare(app, prefs) }
    }

    /// Without the strip, for pages that must not fail.
    pub fn bare(app: &App, prefs: Prefs) -> Self {
        let token = app.0.token.as_str().to_owned();
        Self { l: prefs.lang, theme: prefs.theme, token, here: "", strip: None, prefs }
    }

    /// The language by value: templates pass fields by reference.
    pub fn l(&self) -> Lang {
        self.l
    }

    pub fn asset(&self, name: &str) -> String {
        assets::url(name)
    }

    pub fn lang_switch(&self) -> String {
        self.prefs.with("lang", self.l.other().code())
    }

    pub fn theme_switch(&self) -> String {
        self.prefs.with("theme", self.theme.next().code())
    }

    pub fn theme_label(&self) -> &'static str {
        match self.theme {
            Theme::Auto => self.l.theme_auto(),
            Theme::Dark => self.l.theme_dark(),
            Theme::Light => self.l.theme_light(),
        }
    }
}
