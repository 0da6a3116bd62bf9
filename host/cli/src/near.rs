//! The name that somebody may have meant.

use portcullis_runtime::printable;

/// Most characters of a name that are compared.
const LONGEST: usize = 128;

/// The nearest of some names, if one is near.
pub(crate) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| -> Vec<char> {
        let kept = text.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' '));
        kept.flat_map(char::to_lowercase).take(LONGEST).collect()
    };
    let given = plain(name);
    let most = (given.len() / 3).max(1);
    let distances = names.into_iter().map(|known| {
        let other = plain(known);
        // What begins or ends alike is near, too: `refund` and `createRefund`.
        let part = given.len() >= 4 && (other.starts_with(&given) || other.ends_with(&given));
        (if part { 1 } else { distance(&given, &other) }, known)
    });
    distances.filter(|(distance, _)| *distance <= most).min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// ` (did you mean \`createRefund\`?)`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, names).map(|near| format!(" (did you mean `{}`?)", printable(near, 64))).unwrap_or_default()
}

/// How many characters are put in, taken out or replaced.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, x) in a.iter().enumerate() {
        let mut next = vec![line + 1];
        for (at, (y, pair)) in b.iter().zip(row.windows(2)).enumerate() {
            let (diagonal, above) = (pair.first().copied().unwrap_or(0), pair.last().copied().unwrap_or(0));
            let left = next.get(at).copied().unwrap_or(0);
            next.push((diagonal + usize::from(x != y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_found_and_what_is_not_is_not_made_up() {
        let names = ["sendEmail", "sendEmailBatch", "getBounces", "createRefund"];
        for (given, near) in [
            ("sendemail", Some("sendEmail")),
            ("send-email", Some("sendEmail")),
            ("sendMail", Some("sendEmail")),
            ("getBounce", Some("getBounces")),
            ("refund", Some("createRefund")),
            ("listServers", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, names), near, "{given}");
        }
        assert_eq!(did_you_mean("refund", names), " (did you mean `createRefund`?)");
        let long = "a".repeat(1_000_000);
        assert_eq!(nearest(&long, names), None);
    }
}
