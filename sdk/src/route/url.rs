//! URLs of routes as they are written: what is a parameter, and what a URL may look like.

use crate::{
    Slot,
    schema::{Field, Schema},
};

/// What an adapter writes for the path segment that a slot's secret takes; the contract's word.
pub(crate) const PLACEHOLDER: &str = "-credential-";

/// A URL, or a path relative to the base, as an absolute URL.
pub(crate) fn absolute(base: &str, url: &str) -> String {
    match url {
        "" => base.to_owned(),
        url if url.starts_with('/') => [base.trim_end_matches('/'), url].concat(),
        url => url.to_owned(),
    }
}

/// Whether `{name}` is a segment of this URL, once.
pub(super) const fn stands_once(url: &str, name: &str) -> bool {
    let (mut rest, mut found) = (url.as_bytes(), 0);
    while let [first, others @ ..] = rest {
        if *first == b'/' && is_segment(others, name.as_bytes()) {
            found += 1;
        }
        rest = others;
    }
    found == 1
}

/// Whether the text begins with `{name}` as a whole segment.
const fn is_segment(text: &[u8], name: &[u8]) -> bool {
    let [b'{', rest @ ..] = text else { return false };
    let (mut rest, mut name) = (rest, name);
    while let [wanted, others @ ..] = name {
        match rest {
            [first, behind @ ..] if *first == *wanted => (rest, name) = (behind, others),
            _ => return false,
        }
    }
    matches!(rest, [b'}'] | [b'}', b'/', ..])
}

/// `name`, if this segment is `{name}`, `{name:SHAPE}`, `{name..}` or `{name*}`.
pub(crate) fn parameter(segment: &str) -> Option<&str> {
    let inside = segment.strip_prefix('{')?.strip_suffix('}')?;
    let open_end = inside.strip_suffix("..").or_else(|| inside.strip_suffix('*'));
    Some(open_end.or_else(|| inside.split_once(':').map(|(name, _)| name)).unwrap_or(inside))
}

/// Whether this segment is `{name..}`, which stands for several.
pub(crate) fn is_rest(segment: &str) -> bool {
    segment.ends_with("..}")
}

/// Whether this segment is `{name:escaped}`: one that may hold `/` as `%2F`.
pub(crate) fn is_escaped(segment: &str) -> bool {
    let shape = segment.strip_prefix('{').and_then(|inside| inside.split_once(':'));
    shape.is_some_and(|(_, shape)| shape.split(['(', '}']).next() == Some("escaped"))
}

/// Whether this is a path or a URL, without query and fragment.
pub(crate) const fn is_url(url: &str) -> bool {
    let mut rest = url.as_bytes();
    if !matches!(rest, [] | [b'/', ..] | [b'h', b't', b't', b'p', b's', b':', b'/', b'/', _, ..]) {
        // Plain http is for tests on one machine; the host refuses it elsewhere.
        if !matches!(rest, [b'h', b't', b't', b'p', b':', b'/', b'/', _, ..]) {
            return false;
        }
    }
    while let [first, others @ ..] = rest {
        if matches!(first, b'?' | b'#' | b' ') {
            return false;
        }
        rest = others;
    }
    true
}

/// Kinds of shapes, as the host knows them.
const KINDS: [&str; 6] = ["escaped", "text", "word", "hex", "digits", "uuid"];

/// Whether the shapes of parameters, `{name:SHAPE}`, are of a kind that the host knows.
pub(super) const fn has_known_shapes(url: &str) -> bool {
    let mut rest = url.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        if *first == b'{' {
            let mut inside = others;
            while let [byte, behind @ ..] = inside {
                if matches!(byte, b'}' | b'/') {
                    break;
                }
                inside = behind;
                if *byte == b':' {
                    let mut known = false;
                    let mut kinds = KINDS.as_slice();
                    while let [kind, others @ ..] = kinds {
                        known = known || is_kind(behind, kind.as_bytes());
                        kinds = others;
                    }
                    if !known {
                        return false;
                    }
                    break;
                }
            }
        }
    }
    true
}

/// Whether a text is this kind with its length, up to the end of the parameter.
const fn is_kind(text: &[u8], kind: &[u8]) -> bool {
    let (mut text, mut kind) = (text, kind);
    while let [wanted, others @ ..] = kind {
        match text {
            [first, behind @ ..] if *first == *wanted => (text, kind) = (behind, others),
            _ => return false,
        }
    }
    matches!(text, [b'}' | b'(', ..])
}

/// Whether each parameter of the URL that no slot fills is a field of this type, as far as can be told when it is compiled: of an
/// object whose fields are all its own.
pub(super) const fn names_fields_of(url: &str, request: &Schema, slots: &[Option<&Slot>]) -> bool {
    let Some(fields) = request.own_fields() else { return true };
    let mut rest = url.as_bytes();
    while let [first, others @ ..] = rest {
        rest = others;
        if *first == b'{' && !is_slots(others, slots) && !is_field(others, fields) {
            return false;
        }
    }
    true
}

const fn is_slots(text: &[u8], slots: &[Option<&Slot>]) -> bool {
    let mut slots = slots;
    while let [slot, others @ ..] = slots {
        slots = others;
        if let Some(slot) = slot
            && let Some(name) = slot.path_parameter()
            && is_name(text, name.as_bytes())
        {
            return true;
        }
    }
    false
}

const fn is_field(text: &[u8], fields: &[Field]) -> bool {
    let mut fields = fields;
    while let [field, others @ ..] = fields {
        fields = others;
        if is_name(text, field.name().as_bytes()) {
            return true;
        }
    }
    false
}

/// Whether the text is this name, up to where a parameter's name ends.
const fn is_name(text: &[u8], name: &[u8]) -> bool {
    let (mut text, mut name) = (text, name);
    while let [wanted, others @ ..] = name {
        match text {
            [first, behind @ ..] if *first == *wanted => (text, name) = (behind, others),
            _ => return false,
        }
    }
    matches!(text, [b'}' | b':' | b'.', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_slots_parameter_is_a_whole_segment_that_stands_once() {
        for (url, once) in [
            ("/{token}/send", true),
            ("https://a.example/{token}", true),
            ("/bot{token}/send", false),
            ("/{token:word}/send", false),
            ("/{token}/{token}", false),
            ("/{tokens}/x", false),
            ("/send", false),
        ] {
            assert_eq!(stands_once(url, "token"), once, "{url}");
        }
    }

    #[test]
    fn urls_without_scheme_or_with_a_query_are_refused() {
        for good in ["", "/", "/a/{b}", "https://a.example", "http://127.0.0.1:8080/x"] {
            assert!(is_url(good), "{good}");
        }
        for bad in ["a/b", "ftp://a", "https://", "/a?b=c", "/a#b", "/a b"] {
            assert!(!is_url(bad), "{bad}");
        }
    }
}
