//! Dates in header fields (RFC 9110, section 5.6.7), in the three forms that must be read.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994` as seconds since 1970.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let parts: Vec<&str> = text.split(' ').filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [name, day, month, year, time, "GMT"] if name.ends_with(',') => of(day, month, year.parse().ok()?, time),
        [name, date, time, "GMT"] if name.ends_with(',') => {
            let parts: Vec<&str> = date.split('-').collect();
            let [day, month, year] = parts.as_slice() else { return None };
            let year: u64 = year.parse().ok().filter(|_| year.len() == 2)?;
            // Two digits: no date that is sent with an answer is of the last century.
            of(day, month, if year < 70 { 2000 + year } else { 1900 + year }, time)
        }
        [_, month, day, time, year] => of(day, month, year.parse().ok()?, time),
        _ => None,
    }
}

fn of(day: &str, month: &str, year: u64, time: &str) -> Option<u64> {
    let clock: Vec<u64> = time.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours @ 0..=23, minutes @ 0..=59, seconds @ 0..=60] = clock.as_slice() else { return None };
    let day: u64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let year = Some(year).filter(|year| (1970..=9999).contains(year))?;
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    // Days before this one, with years that begin in March: leap days come last then.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let since_1970 = days.checked_sub(719_468)?;
    Some(since_1970 * 86_400 + hours * 3_600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_seconds_since_1970() {
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        assert_eq!(seconds("Sunday, 06-Nov-94 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(seconds("Sun Nov  6 08:49:37 1994"), Some(784_111_777));
        assert_eq!(seconds("Tuesday, 01-Dec-26 00:00:00 GMT"), seconds("Tue, 01 Dec 2026 00:00:00 GMT"));
        for wrong in [
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "",
            "06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 6 Xyz 1994 08:49:37 GMT",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
        assert_eq!(seconds("Sun, 99 Nov 1994 08:49:37 GMT"), None);
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49 GMT"), None);
    }
}
