//! Strings: by `format`, by property name, or plain words. Everything here is visibly made up: example.com (RFC 2606),
//! documentation addresses (RFC 5737, RFC 3849), fictitious telephone numbers.

use serde_json::{Map, Value};

use super::MAX_MOCK_BYTES;
use super::pattern::Patterns;
use super::rng::Rng;

const WORDS: &[&str] =
    &["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "iris", "juniper", "lumen", "meadow"];
const PEOPLE: &[&str] = &["Ada Lovelace", "Alan Turing", "Grace Hopper", "Katherine Johnson", "Edsger Dijkstra"];

/// What a property's name suggests. The first row whose text is in the lower-case name decides.
const NAMES: &[(&str, &str)] = &[
    ("email", "email"),
    ("url", "uri"),
    ("uri", "uri"),
    ("href", "uri"),
    ("website", "uri"),
    ("password", "secret"),
    ("secret", "secret"),
    ("token", "secret"),
    ("uuid", "uuid"),
    ("phone", "phone"),
    ("country", "country"),
    ("currency", "currency"),
    ("created", "date-time"),
    ("updated", "date-time"),
    ("timestamp", "date-time"),
    ("date", "date-time"),
    ("hostname", "hostname"),
    ("domain", "hostname"),
    ("username", "word"),
    ("filename", "file"),
    ("name", "person"),
    ("ip_address", "ipv4"),
    ("html", "html"),
    ("subject", "sentence"),
    ("title", "sentence"),
    ("description", "sentence"),
    ("message", "sentence"),
    ("text", "sentence"),
    ("body", "sentence"),
];

pub(crate) fn string(
    schema: &Map<String, Value>,
    name: &str,
    rng: &mut Rng,
    patterns: &mut Patterns<'_>,
    steps: &mut usize,
) -> Result<String, String> {
    let length = |key, default| {
        schema.get(key).and_then(Value::as_f64).map_or(default, |n| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
            let n = n as usize;
            n
        })
    };
    let (min, max) = (length("minLength", 0), length("maxLength", usize::MAX));
    if min > max {
        return Err("`minLength` is above `maxLength`".into());
    }
    if min > MAX_MOCK_BYTES {
        return Err(format!("`minLength` asks for more than the {MAX_MOCK_BYTES} bytes that are made up"));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        return patterns.string(pattern, (min, max), rng, steps);
    }
    let encoded = schema.get("contentEncoding").and_then(Value::as_str);
    let format = schema.get("format").and_then(Value::as_str).or(encoded);
    let fits = |text: &String| (min..=max).contains(&text.chars().count());
    if let Some(text) = format.and_then(|format| by_kind(format, rng)) {
        return if fits(&text) { Ok(text) } else { padded(format, &text, min, max) };
    }
    let lower = name.to_lowercase();
    let is_id = lower == "id" || lower.ends_with("_id") || name.ends_with("Id") || name.ends_with("ID");
    let kind = match lower.as_str() {
        "to" | "from" | "cc" | "bcc" | "reply_to" | "replyto" => Some("email"),
        _ if is_id => Some("id"),
        _ => NAMES.iter().find(|(part, _)| lower.contains(part)).map(|(_, kind)| *kind),
    };
    for kind in [kind.unwrap_or("word"), "word", "letter"] {
        if let Some(text) = by_kind(kind, rng).filter(fits) {
            return Ok(text);
        }
    }
    let mut text = String::new();
    while text.len() < min {
        text.push_str(rng.pick(WORDS).copied().unwrap_or("word"));
    }
    Ok(text.chars().take(min).collect())
}

/// A format's text made longer where the format has room for it.
fn padded(format: Option<&str>, text: &str, min: usize, max: usize) -> Result<String, String> {
    let missing = min.saturating_sub(text.chars().count());
    let padded = match format {
        Some("uri" | "url" | "iri" | "uri-reference" | "iri-reference") => format!("{text}{}", "a".repeat(missing)),
        Some("base64" | "byte") => "QUJD".repeat(min.div_ceil(4).max(max.min(4) / 4)),
        Some("password" | "binary") => "x".repeat(min.max(1)),
        Some("email") if missing == 0 => "a@example.com".to_owned(),
        Some("email") => format!("{}{text}", "a".repeat(missing)),
        _ => String::new(),
    };
    let length = padded.chars().count();
    if length >= min && length <= max {
        Ok(padded)
    } else {
        Err(format!("no {} fits `minLength` and `maxLength`", format.unwrap_or("text")))
    }
}

/// A text of a kind: the formats of JSON Schema and OpenAPI, and the kinds of [`NAMES`].
fn by_kind(kind: &str, rng: &mut Rng) -> Option<String> {
    let word = |rng: &mut Rng| rng.pick(WORDS).copied().unwrap_or("word");
    let hex = |rng: &mut Rng, digits: usize| format!("{:016x}", rng.next()).chars().take(digits).collect::<String>();
    let date = |rng: &mut Rng| format!("{}-{:02}-{:02}", 2024 + rng.below(2), 1 + rng.below(12), 1 + rng.below(28));
    let time = |rng: &mut Rng| format!("{:02}:{:02}:{:02}Z", rng.below(24), rng.below(60), rng.below(60));
    Some(match kind {
        "date-time" | "datetime" => format!("{}T{}", date(rng), time(rng)),
        "date" => date(rng),
        "time" => time(rng),
        "duration" => format!("PT{}M", 1 + rng.below(59)),
        "email" | "idn-email" => format!("{}.{}@example.com", word(rng), word(rng)),
        "hostname" | "idn-hostname" => format!("{}.example.com", word(rng)),
        "ipv4" => format!("192.0.2.{}", 1 + rng.below(254)),
        "ipv6" => format!("2001:db8::{:x}", 1 + rng.below(0xffff)),
        "uri" | "url" | "iri" => format!("https://example.com/{}", word(rng)),
        "uri-reference" | "iri-reference" => format!("/{}", word(rng)),
        "uri-template" => format!("https://example.com/{}/{{id}}", word(rng)),
        "json-pointer" => format!("/{}", word(rng)),
        "relative-json-pointer" => format!("0/{}", word(rng)),
        "regex" => format!("^{}$", word(rng)),
        "uuid" => {
            format!("{}-{}-4{}-8{}-{}", hex(rng, 8), hex(rng, 4), hex(rng, 3), hex(rng, 3), hex(rng, 12))
        }
        "byte" | "base64" => (*rng.pick(&["SGVsbG8sIHdvcmxkIQ==", "RXhhbXBsZQ==", "TWFkZSB1cA=="])?).to_owned(),
        "binary" => "made up".to_owned(),
        "password" | "secret" => format!("not-a-real-secret-{}", hex(rng, 8)),
        "phone" => format!("+1-202-555-01{:02}", rng.below(100)),
        "country" => (*rng.pick(&["DE", "FR", "GB", "JP", "US"])?).to_owned(),
        "currency" => (*rng.pick(&["eur", "gbp", "usd"])?).to_owned(),
        "person" => (*rng.pick(PEOPLE)?).to_owned(),
        "file" => format!("{}.txt", word(rng)),
        "sentence" => format!("An example about {} and {}", word(rng), word(rng)),
        "html" => format!("<p>An example about {}</p>", word(rng)),
        "id" => hex(rng, 12),
        "word" => word(rng).to_owned(),
        "letter" => "a".to_owned(),
        _ => return None,
    })
}
