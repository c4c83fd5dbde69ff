//! What every page has around it: language, colours, the strip of running work. Knows nothing of what a page holds.

use super::strip::Strip;
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
    pub visitor: Visitor,
    prefs: Prefs,
}

/// What is known of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    /// Nobody is asked.
    Anyone,
    LoggedIn,
    /// At the login page: nothing of what lies behind it is shown, not even the form token.
    Stranger,
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
        let visitor = if app.0.access.is_open() { Visitor::Anyone } else { Visitor::LoggedIn };
        Self { l: prefs.lang, theme: prefs.theme, token, here: "", strip: None, visitor, prefs }
    }

    /// For the login page.
    pub fn stranger(app: &App, prefs: Prefs) -> Self {
        Self { token: String::new(), visitor: Visitor::Stranger, ..Self::bare(app, prefs) }
    }

    pub fn is_stranger(&self) -> bool {
        self.visitor == Visitor::Stranger
    }

    pub fn may_log_out(&self) -> bool {
        self.visitor == Visitor::LoggedIn
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
