//! Sandbox mode: what would have been sent, and the answer made up from the route's declared response schema.
//!
//! Nothing here can reach the network or the vault: a credential is shown as its slot's name.

use base64::{Engine, prelude::BASE64_STANDARD};
use portcullis_gate::{Header, OpenRoute, OpenSlot, RequestUrl, Scheme, Spent, Work};
use portcullis_schema::{Json, NoMock, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    curl::{Sent, Sketch, curl},
    error::{Fault, SendError},
    outbound::{HttpRequest, HttpResponse, OutboundParts},
};

/// A request that would have left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WouldSend {
    /// Id of the route that allows it.
    pub route: String,
    /// The method.
    pub method: String,
    /// The URL, a credential in path or query as `{slot}`.
    pub url: String,
    /// Header fields, a credential as `{slot}` and a signature as what it is made with.
    pub headers: Vec<(String, String)>,
    /// The body, a credential in it as `{slot}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// The slots whose secrets would have been added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<String>,
    /// The same as lines for a POSIX shell, where the secret is a shell variable named after the slot: `SERVER_TOKEN` for `server-token`.
    pub curl: String,
}

/// A body, as readable as it can be shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// JSON, its numbers as they were written.
    Json(Json),
    /// Other UTF-8 text.
    Text(String),
    /// Anything else, in base64 (RFC 4648, section 4).
    Base64(String),
    /// So many bytes that are not shown: a call's bodies are shown up to 1 MiB in all.
    Omitted(usize),
}

/// Bytes of bodies that are shown of one call.
pub(crate) const SHOWN: usize = 1024 * 1024;
/// Longest JSON that is shown as such and not as text, in bytes: taken apart it is held in up to a hundred times as many.
const PARSED: usize = 16 * 1024;

impl Body {
    /// `room` is how many bytes may still be shown.
    fn new(bytes: &[u8], room: &mut usize) -> Self {
        if bytes.len() > *room {
            return Body::Omitted(bytes.len());
        }
        *room -= bytes.len();
        match std::str::from_utf8(bytes) {
            Ok(text) if text.len() > PARSED => Body::Text(text.to_owned()),
            Ok(text) => text.parse().map_or_else(|_| Body::Text(text.to_owned()), Body::Json),
            Err(_) => Body::Base64(BASE64_STANDARD.encode(bytes)),
        }
    }
}

/// Says what would have been sent.
pub(crate) fn would_send(request: &HttpRequest, url: &RequestUrl, route: &OpenRoute, room: &mut usize) -> WouldSend {
    let body = request.body.as_deref().map(|body| Body::new(body, room));
    let sent = match (&body, request.body.as_deref()) {
        (Some(Body::Omitted(bytes)), _) => Sent::Omitted(*bytes),
        (_, Some(bytes)) => Sent::Bytes(bytes),
        (_, None) => Sent::None,
    };
    let sketch = Sketch {
        method: request.method,
        url: &url.to_string(),
        headers: &request.headers,
        body: sent,
        slots: &route.slots,
    };
    let curl = curl(&sketch);
    let text = |header: &Header| (header.name.clone(), String::from_utf8_lossy(&header.value).into_owned());
    let mut headers: Vec<(String, String)> = request.headers.iter().map(text).collect();
    let mut url = url.to_string();
    let mut body = body;
    for slot in &route.slots {
        credential(slot, &mut headers, &mut url, &mut body);
    }
    WouldSend {
        route: route.id.clone(),
        method: request.method.to_string(),
        url,
        headers,
        body,
        slots: route.slots.iter().map(|slot| slot.name.clone()).collect(),
        curl,
    }
}

/// Shows where a credential would stand, by its slot's name.
fn credential(slot: &OpenSlot, headers: &mut Vec<(String, String)>, url: &mut String, body: &mut Option<Body>) {
    let shown = format!("{{{}}}", slot.name);
    match &slot.scheme {
        Scheme::Bearer => headers.push(("Authorization".to_owned(), format!("Bearer {shown}"))),
        Scheme::Basic => headers.push(("Authorization".to_owned(), format!("Basic {shown}"))),
        Scheme::Header { name, prefix } => headers.push((name.clone(), format!("{prefix}{shown}"))),
        Scheme::Query { name } => {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{name}={shown}"));
        }
        Scheme::Path { prefix, .. } => {
            if let Some((before, after)) = slot.segment.and_then(|segment| split_segment(url, segment)) {
                *url = format!("{before}{prefix}{shown}{after}");
            }
        }
        Scheme::Cookie { name } => {
            let cookie = format!("{name}={shown}");
            match headers.iter_mut().find(|(name, _)| name == "Cookie") {
                Some((_, cookies)) => *cookies += &format!("; {cookie}"),
                None => headers.push(("Cookie".to_owned(), cookie)),
            }
        }
        Scheme::Body { name } => match body {
            Some(Body::Json(json)) if json.is_object() => {
                let mut value = json.value().clone();
                if let Value::Object(members) = &mut value {
                    members.insert(name.clone(), Value::String(shown));
                }
                *json = json.with_value(value);
            }
            Some(Body::Text(form)) => {
                let and = if form.is_empty() { "" } else { "&" };
                *form += &format!("{and}{name}={shown}");
            }
            _ => {}
        },
        Scheme::Sigv4 { service, region } => {
            let credential = format!("AWS4-HMAC-SHA256 signed for {service} in {region} with {shown}");
            headers.push(("Authorization".to_owned(), credential));
        }
        Scheme::Hmac(hmac) => {
            let signed = |(name, value): &(String, String)| {
                (name.clone(), value.replace("{signature}", &format!("{{signature with {}}}", slot.name)))
            };
            headers.extend(hmac.headers.iter().map(signed));
        }
        Scheme::ClientCertificate | Scheme::SigningKey => {}
    }
}

/// A URL's text before and after a segment of its path, counted from 0.
pub(crate) fn split_segment(url: &str, segment: usize) -> Option<(&str, &str)> {
    let path = url.find("://")? + 3;
    let path = path + url.get(path..)?.find('/')?;
    let end = url.find('?').unwrap_or(url.len());
    let mut at = path + 1;
    for _ in 0..segment {
        at += url.get(at..end)?.find('/')? + 1;
    }
    let length = url.get(at..end)?.find('/').unwrap_or(end - at);
    Some((url.get(..at)?, url.get(at + length..)?))
}

/// Makes up the answer. The same schema and seed always give the same answer.
pub(crate) async fn answer(
    url: &RequestUrl,
    schema: &Schema,
    seed: u64,
    parts: &OutboundParts,
) -> Result<HttpResponse, SendError> {
    let made = match parts.work.quickly(|work| made_up(schema, seed, work)) {
        Some(made) => made?,
        None => {
            let schema = schema.clone();
            let making = parts.traffic.aside(&parts.work, move |work| made_up(&schema, seed, work));
            making.await.unwrap_or_else(|| Ok(Err("the maker of answers broke".to_owned())))?
        }
    };
    let fault = |message: String| SendError::Protocol(Fault { origin: url.origin().to_owned(), message });
    answer_of(url, schema, &made.map_err(|why| fault(format!("sandbox mode cannot make up an answer: {why}")))?)
}

/// A value for this schema, or why there is none.
fn made_up(schema: &Schema, seed: u64, work: &Work) -> Result<Result<Value, String>, Spent> {
    match schema.mock_within(seed, work) {
        Ok(value) => Ok(Ok(value)),
        Err(NoMock::Hard(error)) => Ok(Err(error.to_string())),
        Err(NoMock::Work(spent)) => Err(spent),
    }
}

fn answer_of(url: &RequestUrl, schema: &Schema, value: &Value) -> Result<HttpResponse, SendError> {
    let fault = |message: String| SendError::Protocol(Fault { origin: url.origin().to_owned(), message });
    let (media_type, body) = match as_it_is(schema.value(), value) {
        Some(body) => body,
        None => ("application/json", serde_json::to_vec(value).map_err(|error| fault(error.to_string()))?),
    };
    let content_type = Header { name: "content-type".to_owned(), value: media_type.as_bytes().to_vec() };
    // The status of a success, where that is not 200.
    let status = schema.value().get("x-status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let status = status.filter(|status| (100..600).contains(status)).unwrap_or(200);
    Ok(HttpResponse { status, url: url.to_string(), headers: vec![content_type], body })
}

/// The body of an answer that is no JSON: a string whose schema names the media type (JSON Schema 2020-12, validation,
/// section 8), and says whether it is in base64.
fn as_it_is<'s>(schema: &'s Value, value: &Value) -> Option<(&'s str, Vec<u8>)> {
    let media_type = schema.get("contentMediaType")?.as_str().filter(|name| !name.chars().any(char::is_control))?;
    let text = value.as_str()?;
    let decoded = match schema.get("contentEncoding").and_then(Value::as_str) {
        Some("base64") => BASE64_STANDARD.decode(text).ok(),
        _ => None,
    };
    Some((media_type, decoded.unwrap_or_else(|| text.as_bytes().to_vec())))
}

#[cfg(test)]
mod tests {
    use portcullis_gate::{HmacScheme, MacAlgorithm, MacEncoding};

    use super::*;

    #[test]
    fn each_credential_is_shown_by_its_slots_name_where_it_would_stand() {
        let shown = |scheme: Scheme, segment: Option<usize>, body: Value| {
            let (mut headers, mut url) =
                (Vec::new(), "https://a.example/v1/-credential-/send/-credential-?q=1".to_owned());
            let mut body = Some(Body::Json(body.into()));
            let slot = OpenSlot { name: "key".to_owned(), scheme, segment };
            credential(&slot, &mut headers, &mut url, &mut body);
            credential(&OpenSlot { name: "other".to_owned(), ..slot }, &mut headers, &mut url, &mut body);
            serde_json::json!([url, headers, body])
        };
        let url = "https://a.example/v1/-credential-/send/-credential-?q=1";
        let path = shown(Scheme::Path { name: "t".to_owned(), prefix: "bot".to_owned() }, Some(1), Value::Null);
        assert_eq!(path[0], "https://a.example/v1/bot{other}/send/-credential-?q=1");
        let path = shown(Scheme::Path { name: "t".to_owned(), prefix: String::new() }, Some(3), Value::Null);
        assert_eq!(path[0], "https://a.example/v1/-credential-/send/{other}?q=1");
        let cookies = shown(Scheme::Cookie { name: "sid".to_owned() }, None, Value::Null);
        assert_eq!(cookies[1], serde_json::json!([["Cookie", "sid={key}; sid={other}"]]));
        let body = shown(Scheme::Body { name: "auth".to_owned() }, None, serde_json::json!({"a": 1}));
        assert_eq!(body[2]["json"], serde_json::json!({"a": 1, "auth": "{other}"}));
        let hmac = HmacScheme {
            algorithm: MacAlgorithm::HmacSha256,
            message: "{body}".to_owned(),
            encoding: MacEncoding::Hex,
            headers: vec![("X-Mac".to_owned(), "t={timestamp},v1={signature}".to_owned())],
        };
        let signed = shown(Scheme::Hmac(hmac), None, Value::Null);
        assert_eq!(signed[1][0], serde_json::json!(["X-Mac", "t={timestamp},v1={signature with key}"]));
        let aws = shown(Scheme::Sigv4 { service: "s3".to_owned(), region: "eu".to_owned() }, None, Value::Null);
        assert_eq!(aws[1][0][1], "AWS4-HMAC-SHA256 signed for s3 in eu with {key}");
        assert_eq!(shown(Scheme::ClientCertificate, None, Value::Null)[0], url);
    }

    #[test]
    fn a_segment_is_found_and_none_is_where_there_is_none() {
        assert_eq!(split_segment("https://a.example/x?a/b", 0), Some(("https://a.example/", "?a/b")));
        assert_eq!(split_segment("https://a.example/x/", 1), Some(("https://a.example/x/", "")));
        assert_eq!(split_segment("https://a.example/x?a/b", 1), None);
    }

    fn answered_with(url: &RequestUrl, schema: &str) -> HttpResponse {
        let schema = Schema::compile(schema).unwrap();
        answer_of(url, &schema, &schema.mock(1).unwrap()).unwrap()
    }

    #[test]
    fn an_answer_that_is_no_json_is_made_up_as_it_is() {
        let url = RequestUrl::parse("https://a.example/", 100).unwrap();
        let answered = |schema: Value| {
            let HttpResponse { headers, body, .. } = answered_with(&url, &schema.to_string());
            (String::from_utf8(headers[0].value.clone()).unwrap(), String::from_utf8(body).unwrap())
        };
        let csv = serde_json::json!({"type": "string", "contentMediaType": "text/csv", "examples": ["a,b"]});
        assert_eq!(answered(csv), ("text/csv".to_owned(), "a,b".to_owned()));
        let png = serde_json::json!({"contentMediaType": "image/x", "contentEncoding": "base64", "examples": ["aGk="]});
        assert_eq!(answered(png), ("image/x".to_owned(), "hi".to_owned()));
        let json = serde_json::json!({"type": "string", "examples": ["a,b"]});
        assert_eq!(answered(json), ("application/json".to_owned(), "\"a,b\"".to_owned()));
    }

    #[test]
    fn a_success_may_have_another_status_than_200() {
        let url = RequestUrl::parse("https://a.example/", 100).unwrap();
        for (schema, status) in
            [(r#"{"x-status": 202}"#, 202), (r#"{"x-status": 20000}"#, 200), (r#"{"x-status": "x"}"#, 200)]
        {
            assert_eq!(answered_with(&url, schema).status, status, "{schema}");
        }
    }

    #[test]
    fn bodies_are_shown_up_to_a_bound_and_long_ones_are_not_taken_apart() {
        let mut room = 100_000;
        assert_eq!(Body::new(b"[1]", &mut room), Body::Json(serde_json::json!([1]).into()));
        let long = format!("[{}1]", "1,".repeat(PARSED));
        assert!(matches!(Body::new(long.as_bytes(), &mut room), Body::Text(_)));
        assert_eq!(room, 100_000 - 3 - long.len());
        assert_eq!(Body::new(&[0; 70_000], &mut room), Body::Omitted(70_000));
        assert_eq!(Body::new(b"2", &mut room), Body::Json(serde_json::json!(2).into()));
    }
}
