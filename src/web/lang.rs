//! Which language a page speaks, and the macro that keeps every text in all of them. Knows nothing of pages.

/// The languages of the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    En,
    Zh,
}

impl Lang {
    /// From a tag such as `zh-CN`; `None` for a language that simile does not speak.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }

    /// The reader's best by an `Accept-Language` header; English if none of theirs is spoken.
    pub fn from_accept(header: &str) -> Self {
        let mut best: (f32, Self) = (0.0, Self::En);
        for part in header.split(',') {
            let mut pieces = part.split(';');
            let tag = pieces.next().unwrap_or_default();
            let weight = pieces.find_map(|p| p.trim().strip_prefix("q=")).map_or(Ok(1.0), str::parse::<f32>);
            if let (Some(lang), Ok(weight)) = (Self::from_tag(tag), weight) {
                // Strictly greater: of equals the first named wins.
                if weight > best.0 {
                    best = (weight, lang);
                }
            }
        }
        best.1
    }

    /// For `?lang=` and the cookie.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// For the `lang` attribute.
    pub fn html_tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }

    /// The language to switch to.
    pub fn other(self) -> Self {
        match self {
            Self::En => Self::Zh,
            Self::Zh => Self::En,
        }
    }

    /// The language's name in itself.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Zh => "中文",
        }
    }
}

/// One method on [`Lang`] per text. A text that lacks a language, or names a value that is not there, does not compile.
macro_rules! texts {
    ($($name:ident $(($($arg:ident),+))? = $en:literal | $zh:literal;)+) => {
        impl Lang {
            $(texts!(@one $name $(($($arg),+))? $en, $zh);)+
        }
        /// Every plain text with its name, for tests.
        #[cfg(test)]
        const ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $en, $zh)),+];
    };
    (@one $name:ident $en:literal, $zh:literal) => {
        pub fn $name(self) -> &'static str {
            match self { Self::En => $en, Self::Zh => $zh }
        }
    };
    (@one $name:ident ($($arg:ident),+) $en:literal, $zh:literal) => {
        pub fn $name(self, $($arg: impl std::fmt::Display),+) -> String {
            match self { Self::En => format!($en), Self::Zh => format!($zh) }
        }
    };
}
pub(super) use texts;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_s_first_spoken_language_is_taken() {
        assert_eq!(Lang::from_accept("zh-CN,zh;q=0.9,en;q=0.8"), Lang::Zh);
        assert_eq!(Lang::from_accept("de,fr;q=0.9,zh;q=0.3,en;q=0.5"), Lang::En);
        assert_eq!(Lang::from_accept("ja"), Lang::En);
        assert_eq!(Lang::from_accept("zh;q=0, en;q=0.1"), Lang::En);
        assert_eq!(Lang::from_accept(";;q=,,\u{fffd}"), Lang::En);
        assert_eq!(Lang::from_tag("ZH_hans"), Some(Lang::Zh));
    }
}
