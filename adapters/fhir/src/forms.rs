//! The forms of FHIR's simple types, R4 (<https://hl7.org/fhir/R4/datatypes.html>), checked without regular expressions.

/// A resource's logical id: 1 to 64 letters, digits, `-` and `.`.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

/// The name of a resource type, by its form: servers know types that this adapter does not.
pub(crate) fn is_type(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A date, or a date with time and zone: `2026`, `2026-11`, `2026-11-21`, `2026-11-21T09:30:00+01:00`.
pub(crate) fn is_date_time(text: &str) -> bool {
    match text.split_once('T') {
        None => is_date(text),
        Some((date, time)) => date.len() == 10 && is_date(date) && is_time_with_zone(time),
    }
}

/// A moment: a date with time and zone.
pub(crate) fn is_instant(text: &str) -> bool {
    text.contains('T') && is_date_time(text)
}

/// A year, a month or a day.
pub(crate) fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [year] => number(year, 4, 1, 9999),
        [year, month] => number(year, 4, 1, 9999) && number(month, 2, 1, 12),
        [year, month, day] => {
            number(year, 4, 1, 9999) && number(month, 2, 1, 12) && number(day, 2, 1, days(year, month))
        }
        _ => false,
    }
}

fn days(year: &str, month: &str) -> u32 {
    let year: u32 = year.parse().unwrap_or(0);
    match month {
        "04" | "06" | "09" | "11" => 30,
        "02" if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        "02" => 28,
        _ => 31,
    }
}

fn is_time_with_zone(text: &str) -> bool {
    let Some(at) = text.find(['Z', '+', '-']) else { return false };
    let (time, zone) = text.split_at(at);
    let (whole, fraction) = time.split_once('.').map_or((time, None), |(whole, fraction)| (whole, Some(fraction)));
    let fraction = fraction.is_none_or(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
    let parts: Vec<&str> = whole.split(':').collect();
    let [hour, minute, second] = parts.as_slice() else { return false };
    let is_zone = zone == "Z"
        || zone
            .get(1..)
            .and_then(|zone| zone.split_once(':'))
            .is_some_and(|(hours, minutes)| number(hours, 2, 0, 14) && number(minutes, 2, 0, 59));
    // 60: a leap second.
    fraction && is_zone && number(hour, 2, 0, 23) && number(minute, 2, 0, 59) && number(second, 2, 0, 60)
}

fn number(text: &str, digits: usize, least: u32, most: u32) -> bool {
    text.len() == digits
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse().is_ok_and(|number: u32| (least..=most).contains(&number))
}

/// What a reference points to: `Patient/7`, `Patient/7/_history/2`, a URL, a URN, `#contained`, or in a transaction
/// `Patient?identifier=…`.
pub(crate) fn is_reference(text: &str) -> bool {
    let starts = |start: &str| text.strip_prefix(start).is_some_and(|rest| !rest.is_empty());
    if text.contains(char::is_whitespace) {
        return false;
    }
    if starts("https://") || starts("http://") || starts("urn:") {
        return true;
    }
    // `#` alone is the resource that contains this one.
    if let Some(contained) = text.strip_prefix('#') {
        return contained.is_empty() || is_id(contained);
    }
    if let Some((kind, search)) = text.split_once('?') {
        return is_type(kind) && !search.is_empty();
    }
    local(text).is_some()
}

/// Type and id of a relative reference.
pub(crate) fn local(text: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = text.split('/').collect();
    match parts.as_slice() {
        [kind, id] if is_type(kind) && is_id(id) => Some((kind, id)),
        [kind, id, "_history", version] if is_type(kind) && is_id(id) && is_id(version) => Some((kind, id)),
        _ => None,
    }
}

/// A text in a search parameter: what separates values there is escaped (FHIR R4, 3.1.1.4).
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '$' | ',' | '|') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The version in an entity tag: `W/"3"` or `"3"`.
pub(crate) fn version_of_tag(tag: &str) -> Option<&str> {
    let version = tag.trim().trim_start_matches("W/").trim_matches('"');
    is_id(version).then_some(version)
}

/// The entity tag of a version.
pub(crate) fn tag_of_version(version: &str) -> String {
    ["W/\"", version, "\""].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_types_have_their_form() {
        assert!(is_id("a") && is_id("A-1.b") && is_id(&"x".repeat(64)));
        for bad in ["", "a_b", "a/b", "é", " a"] {
            assert!(!is_id(bad), "{bad}");
        }
        assert!(!is_id(&"x".repeat(65)));
        assert!(is_type("Patient") && is_type("MolecularSequence"));
        for bad in ["", "patient", "Patient1", "Pat/ient", "$export", "_history"] {
            assert!(!is_type(bad), "{bad}");
        }
    }

    #[test]
    fn dates_are_as_precise_as_they_are_and_times_have_a_zone() {
        for good in [
            "2026",
            "2026-11",
            "2024-02-29",
            "2000-02-29",
            "2026-11-21T09:30:00Z",
            "2026-11-21T09:30:60.123+01:00",
            "1905-08-23T00:00:00-14:00",
        ] {
            assert!(is_date_time(good), "{good}");
        }
        for bad in [
            "",
            "26",
            "2026-13",
            "2026-11-31",
            "2026-02-29",
            "1900-02-29",
            "21.11.2026",
            "2026-11-21T09:30:00",
            "2026-11-21T09:30Z",
            "2026-11-21T24:00:00Z",
            "2026-11T09:30:00Z",
            "2026-11-21T09:30:00.Z",
            "2026-11-21T09:30:00+1:00",
            "2026-11-21 09:30:00Z",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
        assert!(is_instant("2026-11-21T09:30:00Z") && !is_instant("2026-11-21"));
    }

    #[test]
    fn references_are_relative_absolute_contained_or_conditional() {
        for good in [
            "Patient/7",
            "Patient/7/_history/2",
            "https://a.example/fhir/Patient/7",
            "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a",
            "#p1",
            "#",
            "Patient?identifier=a|b",
        ] {
            assert!(is_reference(good), "{good}");
        }
        for bad in
            ["", "7", "patient/7", "Patient/", "Patient/7/8", "#a b", "ftp://x", "urn:", "Patient?", "../Patient/7"]
        {
            assert!(!is_reference(bad), "{bad}");
        }
        assert_eq!((local("Slot/1/_history/2"), local("#a")), (Some(("Slot", "1")), None));
    }

    #[test]
    fn search_values_are_escaped_and_versions_are_tags() {
        assert_eq!(escaped(r"a,b|c$d\e"), r"a\,b\|c\$d\\e");
        assert_eq!(
            (version_of_tag("W/\"3\""), version_of_tag("\"a-1\""), version_of_tag("W/\"\"")),
            (Some("3"), Some("a-1"), None)
        );
        assert_eq!(tag_of_version("3"), "W/\"3\"");
    }
}
