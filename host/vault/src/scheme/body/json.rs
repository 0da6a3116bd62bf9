//! A member of a JSON object, before those of the guest. The guest's bytes stay as they are: a body that is decoded and
//! written again may come out as another (numbers, duplicates, order), and a signature of the guest's would not hold.

use std::fmt;

use portcullis_gate::is_read_as;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::scheme::Problem;

/// The object with `"name":"secret"` as its first member.
pub(super) fn with(body: &[u8], name: &str, secret: &str) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let not_json = "the body is not a JSON object, into which alone it can be written";
    let text = std::str::from_utf8(body).map_err(|_| not_json)?;
    // Read to its end, without keeping any of it: a body that two parsers read differently is refused here.
    let mut reader = serde_json::Deserializer::from_str(text);
    let object = reader.deserialize_map(Members { name }).map_err(|_| not_json)?;
    reader.end().map_err(|_| not_json)?;
    if object.has_it {
        return Err(format!("the body has a member `{name}` already; the host writes it").into());
    }
    // Only white space stands before the brace of an object that was read.
    let (before, rest) = text.split_once('{').ok_or(not_json)?;
    // An escape is six bytes at most, `\u001f`.
    let longest = text.len() + 6 * (name.len() + secret.len()) + "\"\":\"\",".len();
    let mut made = Zeroizing::new(Vec::with_capacity(longest));
    made.extend_from_slice(before.as_bytes());
    made.push(b'{');
    serde_json::to_writer(&mut *made, name).map_err(|_| "its name cannot be written")?;
    made.push(b':');
    serde_json::to_writer(&mut *made, secret).map_err(|_| "it cannot be written")?;
    if !object.is_empty {
        made.push(b',');
    }
    made.extend_from_slice(rest.as_bytes());
    Ok(made)
}

/// What the object has.
struct Object {
    has_it: bool,
    is_empty: bool,
}

/// Reads an object's names, each as it decodes, so that no spelling of one is missed.
struct Members<'a> {
    name: &'a str,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object { has_it: false, is_empty: true };
        while let Some(own) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            object.is_empty = false;
            // As some server reads it, which would take the guest's for the host's.
            object.has_it |= is_read_as(self.name, own.bytes());
            map.next_value::<IgnoredAny>()?;
        }
        Ok(object)
    }
}
