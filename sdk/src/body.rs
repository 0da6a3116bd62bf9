//! Request bodies: JSON, forms, multipart and bytes.

use crate::{Map, Value};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    Failure,
    encode::{self, percent},
    json::{FILE_BYTES, FILE_NAME, FILE_TYPE},
    request::{flat, unfit},
    route::{Encoding, UntypedRoute},
};

/// The body and its media type; none where there is nothing to send.
pub(crate) fn write(
    route: &UntypedRoute,
    whole: Option<Value>,
    fields: Map,
) -> Result<Option<(Vec<u8>, String)>, Failure> {
    let value = match whole {
        Some(whole) => whole,
        None if route.body_field.is_some() || fields.is_empty() => return Ok(None),
        None => Value::Object(fields),
    };
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match route.encoding {
        Encoding::Query => return Ok(None),
        Encoding::Json => (value.to_string().into_bytes(), "application/json".to_owned()),
        Encoding::Form => (form(route, &members(route, value)?)?, "application/x-www-form-urlencoded".to_owned()),
        Encoding::Multipart => multipart(route, &members(route, value)?)?,
        Encoding::Raw(media_types) => raw(route, &value, media_types)?,
    }))
}

fn members(route: &UntypedRoute, value: Value) -> Result<Map, Failure> {
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(unfit(route, "a form has named fields, so its body has to be a struct or a map")),
    }
}

fn form(route: &UntypedRoute, fields: &Map) -> Result<Vec<u8>, Failure> {
    let mut out = String::new();
    for (name, value) in fields {
        let fits = encode::pairs(name, value, route.brackets, &mut |name, value| {
            if !out.is_empty() {
                out.push('&');
            }
            percent(name, &mut out);
            out.push('=');
            percent(value, &mut out);
        });
        if !fits {
            return Err(unfit(route, &flat(name)));
        }
    }
    Ok(out.into_bytes())
}

/// A part of a multipart body.
struct Part {
    name: String,
    file: Option<(String, String)>,
    bytes: Vec<u8>,
}

fn multipart(route: &UntypedRoute, fields: &Map) -> Result<(Vec<u8>, String), Failure> {
    let mut parts = Vec::new();
    for (name, value) in fields {
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items {
            if let Some(file) = File::of(item) {
                let (file_name, media_type) = (file.name.unwrap_or(name).to_owned(), file.media_type.to_owned());
                let bytes = file.bytes(route, name)?;
                parts.push(Part { name: name.clone(), file: Some((file_name, media_type)), bytes });
                continue;
            }
            let fits = encode::pairs(name, item, route.brackets, &mut |name, text| {
                parts.push(Part { name: name.to_owned(), file: None, bytes: text.as_bytes().to_vec() });
            });
            if !fits {
                return Err(unfit(route, &flat(name)));
            }
        }
    }
    let boundary = boundary(&parts);
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.bytes.len() + 160).sum());
    for Part { name, file, bytes } in parts {
        let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(&name));
        if let Some((file_name, media_type)) = file {
            head += &format!("; filename=\"{}\"\r\nContent-Type: {}", quoted(&file_name), one_line(&media_type));
        }
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&bytes);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((out, format!("multipart/form-data; boundary={boundary}")))
}

/// A boundary that stands in no part, the same for the same parts: adapters have no random numbers.
fn boundary(parts: &[Part]) -> String {
    let mut number = 0_u32;
    loop {
        let candidate = format!("portcullis-boundary-{number}");
        let taken = |bytes: &[u8]| bytes.windows(candidate.len()).any(|window| window == candidate.as_bytes());
        if !parts.iter().any(|part| taken(&part.bytes)) {
            return candidate;
        }
        number += 1;
    }
}

/// As browsers write names in a part's head (WHATWG HTML, "multipart form data").
fn quoted(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn raw(route: &UntypedRoute, value: &Value, media_types: &[&str]) -> Result<(Vec<u8>, String), Failure> {
    let first = media_types.first().copied().unwrap_or("application/octet-stream");
    if let Some(file) = File::of(value) {
        let media_type = media_types.iter().find(|known| **known == file.media_type).copied().unwrap_or(first);
        return Ok((file.bytes(route, route.body_field.unwrap_or_default())?, media_type.to_owned()));
    }
    match value {
        Value::String(text) => Ok((text.clone().into_bytes(), first.to_owned())),
        _ => Err(unfit(route, "its body has to be text or a `File`")),
    }
}

/// A [`File`](crate::File) as JSON.
struct File<'v> {
    name: Option<&'v str>,
    media_type: &'v str,
    base64: &'v str,
}

impl<'v> File<'v> {
    fn of(value: &'v Value) -> Option<Self> {
        let members = value.as_object()?;
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        Some(Self {
            name: text(FILE_NAME),
            media_type: text(FILE_TYPE).unwrap_or("application/octet-stream"),
            base64: text(FILE_BYTES)?,
        })
    }

    fn bytes(&self, route: &UntypedRoute, field: &str) -> Result<Vec<u8>, Failure> {
        let wrong = |error| unfit(route, &format!("`{field}` is not base64 (RFC 4648, section 4): {error}"));
        STANDARD.decode(self.base64).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use crate::json;

    use super::*;
    use crate::{Route, request::build};

    const BASE: &str = "https://a.example";
    const FORM: Route<Value, ()> = Route::post("form", "/x").form().brackets();
    const FLAT: Route<Value, ()> = Route::post("flat", "/x").form();
    const PARTS: Route<Value, ()> = Route::post("parts", "/x").multipart();
    const RAW: Route<Value, ()> = Route::put("raw", "/x").raw("content", &["text/csv", "application/pdf"]);

    fn built(route: &Route<Value, ()>, request: Value) -> Result<(String, String), Failure> {
        let request = build(&route.untyped, BASE, &request)?;
        let media_type = request.headers.iter().find(|header| header.name == "content-type");
        let media_type = media_type.map(|header| String::from_utf8_lossy(&header.value).into_owned());
        Ok((media_type.unwrap_or_default(), String::from_utf8(request.body.unwrap_or_default()).unwrap()))
    }

    #[test]
    fn a_form_is_names_and_texts() {
        let (media_type, body) = built(&FORM, json!({"a b": "ü&", "c": {"d": [1, 2]}, "e": null, "f": true})).unwrap();
        assert_eq!(media_type, "application/x-www-form-urlencoded");
        assert_eq!(body, "a%20b=%C3%BC%26&c%5Bd%5D%5B%5D=1&c%5Bd%5D%5B%5D=2&f=true");
        assert_eq!(built(&FORM, json!({})).unwrap().1, "");
        assert!(built(&FLAT, json!({"c": {"d": 1}})).unwrap_err().message.contains("Route::brackets"));
        assert!(built(&FLAT, json!([1])).unwrap_err().message.contains("has to be a struct"));
    }

    #[test]
    fn multipart_has_a_part_for_each_text_and_file() {
        let file = json!({"filename": "a\"b\r\n.txt", "contentType": "text/plain", "base64": "aGk="});
        let (media_type, body) = built(&PARTS, json!({"to": ["x", "y"], "file": file})).unwrap();
        assert_eq!(media_type, "multipart/form-data; boundary=portcullis-boundary-0");
        assert_eq!(
            body,
            "--portcullis-boundary-0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22b%0D%0A.txt\"\r\n\
             Content-Type: text/plain\r\n\r\nhi\r\n\
             --portcullis-boundary-0\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\nx\r\n\
             --portcullis-boundary-0\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\ny\r\n\
             --portcullis-boundary-0--\r\n"
        );
    }

    #[test]
    fn no_part_can_end_the_body() {
        let (media_type, _) =
            built(&PARTS, json!({"a": "--portcullis-boundary-0--", "b": "portcullis-boundary-1"})).unwrap();
        assert_eq!(media_type, "multipart/form-data; boundary=portcullis-boundary-2");
    }

    #[test]
    fn a_raw_body_is_text_or_a_files_bytes() {
        assert_eq!(built(&RAW, json!({"content": "a,b"})).unwrap(), ("text/csv".to_owned(), "a,b".to_owned()));
        let file = json!({"filename": "x", "contentType": "application/pdf", "base64": "aGk="});
        assert_eq!(built(&RAW, json!({"content": file})).unwrap(), ("application/pdf".to_owned(), "hi".to_owned()));
        assert!(built(&RAW, json!({"content": 7})).unwrap_err().message.contains("text or a `File`"));
        let wrong = json!({"content": {"base64": "*"}});
        assert!(built(&RAW, wrong).unwrap_err().message.contains("`content` is not base64"));
    }
}
