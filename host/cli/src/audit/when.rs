//! A time as it was written: RFC 3339, a day, or how long ago.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use portcullis_runtime::printable;

use crate::exit::Usage;

/// Reads what stands after `--since` or `--until`.
pub(super) fn parse(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, Usage> {
    let wrong = || {
        let text = printable(text, 200);
        let how = "write how long ago (`90s`, `15m`, `2h`, `3d`, `1w`), a day (`2026-11-21`, UTC) or a time as in RFC 3339 \
                   (`2026-11-21T10:00:00Z`)";
        Usage(format!("{option}: `{text}` is no time; {how}"))
    };
    if let Some(ago) = ago(text) {
        return now.checked_sub(ago).map_err(|_| wrong());
    }
    day_or_time(text).ok_or_else(wrong)
}

/// Reads a time to come: a day, or a time as in RFC 3339.
pub(crate) fn time(option: &str, text: &str) -> Result<Timestamp, Usage> {
    day_or_time(text).ok_or_else(|| {
        let how = "write a day (`2027-01-31`, UTC) or a time as in RFC 3339 (`2027-01-31T10:00:00Z`)";
        Usage(format!("{option}: `{}` is no time; {how}", printable(text, 200)))
    })
}

/// Reads how long something takes.
pub(crate) fn duration(option: &str, text: &str) -> Result<Duration, Usage> {
    let long = ago(text).and_then(|long| Duration::try_from(long).ok()).filter(|long| !long.is_zero());
    long.ok_or_else(|| {
        let text = printable(text, 200);
        Usage(format!("{option}: `{text}` is no duration; write `90s`, `15m`, `2h`, `3d` or `1w`"))
    })
}

fn day_or_time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let day: Date = text.parse().ok()?;
    // A civil date would be read from the beginning of a longer text as well.
    if text.len() != "2026-11-21".len() {
        return None;
    }
    day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).ok()
}

fn ago(text: &str) -> Option<SignedDuration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return None,
    };
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(SignedDuration::from_secs(number.parse::<i64>().ok()?.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_time_a_day_or_how_long_ago() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (text, is) in [
            ("90s", "2026-11-21T11:58:30Z"),
            ("15m", "2026-11-21T11:45:00Z"),
            ("2h", "2026-11-21T10:00:00Z"),
            ("3d", "2026-11-18T12:00:00Z"),
            ("1w", "2026-11-14T12:00:00Z"),
            ("2026-11-21", "2026-11-21T00:00:00Z"),
            ("2026-11-21T10:00:00+02:00", "2026-11-21T08:00:00Z"),
            ("2026-11-21T10:00:00.5Z", "2026-11-21T10:00:00.5Z"),
        ] {
            assert_eq!(parse("--since", text, now).unwrap().to_string(), is, "{text}");
        }
        for text in
            ["", "h", "2", "-2h", "2.5h", "yesterday", "2026-11-21x", "99999999999999999999s", "9999999999w", "é"]
        {
            let told = parse("--since", text, now).unwrap_err().to_string();
            assert!(told.starts_with("--since: `") && told.contains("`2h`"), "{text}: {told}");
        }
    }
}
