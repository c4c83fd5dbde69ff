//! Numbers, sizes, durations and dates in the reader's form. Knows nothing of pages.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::lang::Lang;

/// `12345` as `12,345`.
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// Bytes in powers of 1000, three digits at most.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// Milliseconds as they are read: `0.4`, `8.2`, `38`, `1,204`.
pub fn millis(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1}") } else { number(ms.round() as u64) }
}

/// A rate per second: `0.4`, `8.2`, `38`.
pub fn rate(per_second: f64) -> String {
    millis(per_second)
}

/// A length of time in its largest one or two units.
pub fn duration(lang: Lang, seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    let (h, m) = (s / 3600, s / 60);
    match lang {
        Lang::En if s == 0 => "under 1 s".to_owned(),
        Lang::Zh if s == 0 => "不到 1 秒".to_owned(),
        Lang::En if h > 0 => format!("{h} h {} min", m % 60),
        Lang::En if m > 0 => format!("{m} min {} s", s % 60),
        Lang::En => format!("{s} s"),
        Lang::Zh if h > 0 => format!("{h} 小时 {} 分", m % 60),
        Lang::Zh if m > 0 => format!("{m} 分 {} 秒", s % 60),
        Lang::Zh => format!("{s} 秒"),
    }
}

/// A moment (Unix milliseconds) in this machine's time zone.
pub fn moment(lang: Lang, unix_ms: i64) -> String {
    let Ok(at) = Timestamp::from_millisecond(unix_ms) else { return String::new() };
    let at = at.to_zoned(TimeZone::system());
    let form = match lang {
        Lang::En => "%-d %b %Y, %H:%M",
        Lang::Zh => "%Y年%-m月%-d日 %H:%M",
    };
    at.strftime(form).to_string()
}

/// The beginning of a long text, and whether it is all of it: a list shows many, and one may be megabytes.
pub fn clip(text: &str, most: usize) -> (String, bool) {
    match text.char_indices().nth(most) {
        Some((at, _)) => (format!("{}…", text[..at].trim_end()), false),
        None => (text.to_owned(), true),
    }
}

/// A score as its figure, two digits behind the point.
pub fn score(score: f32) -> String {
    format!("{score:.2}")
}

/// A score as the length of a bar, 0 to 1.
pub fn bar(score: f32) -> f32 {
    if score.is_finite() { score.clamp(0.0, 1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
        let sizes = [0, 999, 1000, 9_940, 12_300, 999_999, 1_500_000_000].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "9.9 kB", "12 kB", "1.0 MB", "1.5 GB"]);
        assert_eq!([0.42, 9.0, 38.4, 1204.0].map(millis), ["0.4", "9.0", "38", "1,204"]);
        assert_eq!(duration(Lang::En, 3725.0), "1 h 2 min");
        assert_eq!(duration(Lang::Zh, 75.4), "1 分 15 秒");
        assert_eq!(duration(Lang::En, 0.2), "under 1 s");
        assert_eq!(clip("照片 and", 4), ("照片 a…".to_owned(), false));
        assert_eq!(clip("照片", 2), ("照片".to_owned(), true));
        assert_eq!(bar(f32::NAN), 0.0);
        assert_eq!(bar(-0.3), 0.0);
    }
}
