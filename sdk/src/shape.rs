//! Shapes of path parameters, as templates write them: `{id:digits(1..9)}`. The host judges by them; here a value that does not fit
//! is told of before anything is asked for, as a mistake of whoever gave it and not of the adapter's.

/// What a template's parameter takes; the name is told apart by [`parameter`](crate::route::parameter).
pub(crate) struct Shape<'t> {
    kind: &'t str,
    least: usize,
    most: usize,
}

/// Bytes of a parameter that says no more.
const DEFAULT: usize = 512;

impl<'t> Shape<'t> {
    /// The shape in a segment such as `{id:word(1..64)}`; none where it has none, or one that only the host knows.
    pub(crate) fn of(segment: &'t str) -> Option<Self> {
        let shape = segment.strip_prefix('{')?.strip_suffix('}')?.split_once(':')?.1;
        let (kind, range) = match shape.strip_suffix(')').and_then(|shape| shape.split_once('(')) {
            Some((kind, range)) => (kind, range),
            None => (shape, ""),
        };
        let least_and_most = match range.split_once("..") {
            Some((least, most)) => (bound(least, 1)?, bound(most, DEFAULT)?),
            None if range.is_empty() => (1, DEFAULT),
            None => (bound(range, 1)?, bound(range, DEFAULT)?),
        };
        Some(Self { kind, least: least_and_most.0, most: least_and_most.1 })
    }

    /// What a text should be, where it is not that.
    pub(crate) fn wrong(&self, text: &str) -> Option<String> {
        let made_of: (&str, fn(u8) -> bool) = match self.kind {
            "digits" => ("digits", |byte| byte.is_ascii_digit()),
            "hex" => ("hexadecimal digits", |byte| byte.is_ascii_hexdigit()),
            "word" => {
                ("letters, digits, `_` and `-`", |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            }
            // Of the bytes that are sent, of which an escape has three.
            _ => return None,
        };
        let fits = text.bytes().all(made_of.1) && (self.least..=self.most).contains(&text.len());
        (!fits).then(|| format!("{} to {} {}", self.least, self.most, made_of.0))
    }
}

fn bound(text: &str, default: usize) -> Option<usize> {
    if text.is_empty() { Some(default) } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parameter_takes_is_told() {
        let wrong = |segment: &str, text: &str| Shape::of(segment).and_then(|shape| shape.wrong(text));
        assert_eq!(wrong("{n:digits(1..3)}", "1234").unwrap(), "1 to 3 digits");
        assert_eq!(wrong("{n:digits}", "3.5").unwrap(), "1 to 512 digits");
        assert_eq!(wrong("{n:word(8)}", "a").unwrap(), "8 to 8 letters, digits, `_` and `-`");
        assert!(wrong("{n:hex(..2)}", "g").is_some() && wrong("{n:hex(..2)}", "fF").is_none());
        for (segment, text) in
            [("{n}", "?"), ("{n:digits(2..)}", "12"), ("{n:text(1..2)}", "abc"), ("x", "y"), ("{n..}", "1")]
        {
            assert!(wrong(segment, text).is_none(), "{segment}");
        }
    }
}
