//! Percent-encoding (RFC 3986, section 2.1), strict: everything but unreserved characters, so that every parser reads
//! the same thing back. And values as pairs of name and text, as queries and forms carry them.

use crate::Value;

/// Appends `text` so that it is one path segment, or one name or value in a query or a form.
pub(crate) fn percent(text: &str, out: &mut String) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let hex = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex(byte >> 4));
            out.push(hex(byte & 15));
        }
    }
}

/// A scalar as text.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Writes the pairs of a field: null as none, an array as its items under the same name, or, with brackets, `name[]`; an
/// object, with brackets, as `name[key]`. Returns whether the value could be written; a key that has brackets itself would be
/// read as more keys, and cannot.
pub(crate) fn pairs(name: &str, value: &Value, brackets: bool, write: &mut dyn FnMut(&str, &str)) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().enumerate().all(|(index, item)| match item {
            // Which item a member belongs to is told by a number; items that are texts need none.
            Value::Object(_) | Value::Array(_) if brackets => pairs(&format!("{name}[{index}]"), item, true, write),
            Value::Object(_) | Value::Array(_) => false,
            _ if brackets => pairs(&format!("{name}[]"), item, true, write),
            _ => pairs(name, item, false, write),
        }),
        Value::Object(members) => {
            let fits = |key: &str| !key.contains(['[', ']']);
            brackets
                && members
                    .iter()
                    .all(|(key, member)| fits(key) && pairs(&format!("{name}[{key}]"), member, true, write))
        }
        scalar => {
            if let Some(text) = text(scalar) {
                write(name, &text);
            }
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::json;

    use super::*;

    #[test]
    fn everything_but_unreserved_characters_is_encoded() {
        let mut out = String::new();
        percent("aZ09-._~ /?#[]@!$&'()*+,;=%{}é\n", &mut out);
        assert_eq!(out, "aZ09-._~%20%2F%3F%23%5B%5D%40%21%24%26%27%28%29%2A%2B%2C%3B%3D%25%7B%7D%C3%A9%0A");
    }

    #[test]
    fn pairs_are_flat_or_have_brackets() {
        let of = |value: Value, brackets| {
            let mut out = Vec::new();
            pairs("a", &value, brackets, &mut |name, text| out.push(format!("{name}={text}"))).then_some(out)
        };
        assert_eq!(of(json!([1, null, true, "x"]), false).unwrap(), ["a=1", "a=true", "a=x"]);
        assert_eq!(of(json!([1, "x"]), true).unwrap(), ["a[]=1", "a[]=x"]);
        assert_eq!(
            of(json!({"b": {"c": 1}, "d": [[2], {"e": ""}]}), true).unwrap(),
            ["a[b][c]=1", "a[d][0][]=2", "a[d][1][e]="]
        );
        assert_eq!((of(json!({"b][c": 1}), true), of(json!({"b": {"[]": 1}}), true)), (None, None));
        assert_eq!((of(json!({"b": 1}), false), of(json!([[1]]), false)), (None, None));
    }
}
