//! A date as people write it: a year, a month, a day or a moment, kept in one form that sorts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Coded, Fault};

/// `2024`, `2024-05`, `2024-05-01` or `2024-05-01T18:30:00`: years 0001 to 9999, sorted as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, examples("2024-05"))]
pub struct Date(String);

/// Why a text is no date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is no date; write it as 2024, 2024-05, 2024-05-01 or 2024-05-01 18:30")]
pub struct DateError {
    given: String,
}

impl Coded for DateError {
    fn code(&self) -> &'static str {
        "date.unreadable"
    }
    fn fault(&self) -> Fault {
        Fault::Input
    }
    fn item(&self) -> Option<String> {
        Some(self.given.clone())
    }
}

impl Date {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Date {
    type Err = DateError;

    /// Year first; `-`, `/`, `.`, `:` (as cameras write) or 年月日 between. A zone behind the time is left out: the date is
    /// the one on the photographer's clock.
    fn from_str(given: &str) -> Result<Self, DateError> {
        let bad = || DateError { given: given.chars().take(60).collect() };
        let text = given.trim();
        let at = text.find(['T', ' ']).unwrap_or(text.len());
        let (day, time) = text.split_at(at);
        let day = day_of(day).ok_or_else(bad)?;
        match time.get(1..).map(str::trim).filter(|time| !time.is_empty()) {
            None => Ok(Self(day)),
            Some(time) if day.len() == 10 => Ok(Self(format!("{day}T{}", time_of(time).ok_or_else(bad)?))),
            Some(_) => Err(bad()),
        }
    }
}

fn day_of(text: &str) -> Option<String> {
    let text = text.trim_end_matches(['年', '月', '日']);
    let parts: Vec<&str> = text.split(['-', '/', '.', ':', '年', '月']).collect();
    let number = |i: usize, digits: std::ops::RangeInclusive<usize>| {
        let part: &&str = parts.get(i)?;
        let fits = digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if fits { part.parse::<i16>().ok() } else { None }
    };
    let year = number(0, 4..=4).filter(|year| *year > 0)?;
    match parts.len() {
        1 => Some(format!("{year:04}")),
        2 => number(1, 1..=2).filter(|m| (1..=12).contains(m)).map(|month| format!("{year:04}-{month:02}")),
        3 => {
            let (month, day) = (number(1, 1..=2)?, number(2, 1..=2)?);
            Some(jiff::civil::Date::new(year, month as i8, day as i8).ok()?.to_string())
        }
        _ => None,
    }
}

fn time_of(text: &str) -> Option<String> {
    let clock = text.find(['Z', 'z', '+', '-']).map_or(text, |zone| &text[..zone]).trim();
    let whole = clock.split_once('.').map_or(clock, |(whole, _)| whole);
    let parts: Vec<i8> = whole.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (*hour, *minute, 0),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    let time = jiff::civil::Time::new(hour, minute, second, 0).ok()?;
    Some(format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second()))
}

impl TryFrom<String> for Date {
    type Error = DateError;
    fn try_from(text: String) -> Result<Self, DateError> {
        text.parse()
    }
}

impl From<Date> for String {
    fn from(date: Date) -> Self {
        date.0
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_many_hands_have_one_form() {
        for (given, kept) in [
            ("2024", "2024"),
            (" 2024-5 ", "2024-05"),
            ("2024/5/1", "2024-05-01"),
            ("2024年5月1日", "2024-05-01"),
            ("2024年5月", "2024-05"),
            ("2024:05:01 18:30:07", "2024-05-01T18:30:07"),
            ("2024-05-01T18:30:07.250+02:00", "2024-05-01T18:30:07"),
            ("2024-05-01 18:30", "2024-05-01T18:30:00"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00"),
        ] {
            assert_eq!(given.parse::<Date>().unwrap().as_str(), kept, "{given}");
        }
        for bad in [
            "",
            "yesterday",
            "24-05-01",
            "2023-02-29",
            "2024-13",
            "2024-05-01 25:00",
            "01.05.2024",
            "2024-",
            "2024-05 12:00",
            "0000",
        ] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
    }
}
