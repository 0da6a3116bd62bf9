//! What an authorization server's answer says (RFC 6749, sections 5.1 and 5.2), and what servers make of that: numbers as
//! text, errors with status 200 (Slack, GitHub), a token that is called `token` (GitHub), a life of 0 seconds that means
//! none is named (Mailchimp), names of their own for bearer tokens (eBay, Apigee), a byte order mark.

use std::{collections::BTreeMap, fmt};

use jiff::{SignedDuration, Timestamp};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor},
};
use zeroize::Zeroizing;

use super::{
    error::{MAX_CODE, TokenError, shown},
    member::{Hidden, Plain, Whole},
};
use crate::{client::TokenResponse, scrub::Scrubber, secret::Secret, usable::Token};

/// Largest answer, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// Longest value beside the token, in bytes.
const MAX_VALUE: usize = 2048;
/// Longest life of a token that is believed, in seconds: ten years.
const MAX_LIFE: i64 = 10 * 365 * 86_400;
/// What Slack calls its bearer tokens.
const SLACK: [&str; 2] = ["bot", "user"];

/// The members that mean something, as they came.
#[derive(Default)]
struct Members {
    access: Option<Zeroizing<Vec<u8>>>,
    refresh: Option<Zeroizing<Vec<u8>>>,
    token_type: Option<String>,
    expires_in: Option<i64>,
    expires_at: Option<String>,
    error: Option<String>,
    description: Option<String>,
    message: Option<String>,
    values: BTreeMap<String, String>,
}

/// What an answer to a client is held against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// The names of what the adapter may read beside the token.
    pub(super) values: &'a [String],
    /// What the operator says that the server calls its bearer tokens.
    pub(super) token_type: Option<&'a str>,
}

/// Reads an answer to a request that held what `scrubber` finds.
pub(super) fn read(
    answer: &TokenResponse,
    expected: Expected<'_>,
    scrubber: &Scrubber,
    now: Timestamp,
) -> Result<Token, TokenError> {
    let unreadable = |problem: &str| TokenError::unreadable(answer, problem);
    if answer.body.len() > MAX_ANSWER {
        return Err(unreadable("it is larger than 1 MiB"));
    }
    let good = (200..300).contains(&answer.status);
    let members = match parse(&answer.body, expected.values) {
        Ok(members) => members,
        // A page of some proxy says nothing.
        Err(_) if !good => return Err(TokenError::refused(answer.status, "", None, scrubber)),
        Err(problem) => return Err(unreadable(problem)),
    };
    if members.error.is_some() || !good {
        // Beside a token, the server's words may be one.
        let silent = members.access.is_some() || members.refresh.is_some();
        let told = |text: Option<String>| text.filter(|_| !silent);
        let (description, error) = (told(members.description.or(members.message)), told(members.error));
        let (description, error) = (description.as_deref(), error.as_deref().unwrap_or_default());
        return Err(TokenError::refused(answer.status, error, description, scrubber));
    }
    token(members, expected, scrubber, now).map_err(|problem| unreadable(&problem))
}

fn token(members: Members, expected: Expected<'_>, scrubber: &Scrubber, now: Timestamp) -> Result<Token, String> {
    let access = members.access.ok_or("it holds no `access_token`")?;
    let access =
        Secret::new(access.to_vec()).map_err(|error| format!("its `access_token` cannot go on the wire: {error}"))?;
    let refresh = match members.refresh.filter(|refresh| !refresh.is_empty()) {
        None => None,
        Some(refresh) => Some(
            Secret::new(refresh.to_vec())
                .map_err(|error| format!("its `refresh_token` cannot go on the wire: {error}"))?,
        ),
    };
    let secrets = [Some(&access), refresh.as_ref()];
    let echoes = |value: &String| {
        secrets
            .iter()
            .flatten()
            .any(|secret| value.as_bytes().windows(secret.expose().len()).any(|w| w == secret.expose()))
    };
    if let Some(sort) = &members.token_type
        && !sort.eq_ignore_ascii_case("bearer")
        && !SLACK.contains(&sort.as_str())
        && !expected.token_type.is_some_and(|named| named.eq_ignore_ascii_case(sort))
    {
        let sort = if echoes(sort) { "the token".to_owned() } else { shown(sort, MAX_CODE, scrubber) };
        return Err(format!(
            "its `token_type` is `{sort}` and not bearer (RFC 6749, section 7.1); if the server means a bearer token by \
             that, say so with the field `token-type={sort}` of the credential"
        ));
    }
    let expires = match (members.expires_in, members.expires_at) {
        (Some(seconds @ 1..=MAX_LIFE), _) => now.checked_add(SignedDuration::from_secs(seconds)).ok(),
        // Given this moment, it is not over: those who write 0 or less mean that they name no end. A 401 tells.
        (Some(..=0), _) => None,
        (_, Some(text)) => text.parse().or_else(|_| Timestamp::from_second(text.parse().unwrap_or(i64::MAX))).ok(),
        _ => None,
    };
    if members.values.values().any(echoes) {
        return Err("a value beside the token holds the token".to_owned());
    }
    if members.values.values().any(|value| scrubber.scrub(value.as_bytes()).is_some()) {
        return Err("a value beside the token holds a secret of the request".to_owned());
    }
    Ok(Token { access, refresh, received: now, expires, values: members.values })
}

fn parse(body: &[u8], values: &[String]) -> Result<Members, &'static str> {
    // RFC 8259, section 8.1: it may be ignored.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    // The parser's own words may show what it read.
    let mut parser = serde_json::Deserializer::from_slice(body);
    let members = Object { values }.deserialize(&mut parser).map_err(|error| match error.classify() {
        serde_json::error::Category::Data if error.to_string().starts_with(TWICE) => "it says something twice",
        serde_json::error::Category::Data => "it is no JSON object, or a member is of the wrong type",
        _ => what_it_is(body),
    })?;
    parser.end().map_err(|_| "something comes after its JSON")?;
    Ok(members)
}

/// What an answer is that is no JSON, as far as its beginning tells.
fn what_it_is(body: &[u8]) -> &'static str {
    let body = body.trim_ascii_start();
    let begins = |text: &[u8]| body.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    let is_form = [&b"access_token="[..], b"error=", b"token_type=", b"expires_in=", b"scope="].into_iter().any(begins);
    match body.first() {
        None => "it is empty",
        Some(b'<') if begins(b"<!doctype html") || begins(b"<html") => "it is no JSON, but a page of HTML",
        Some(b'<') => "it is no JSON, but XML or HTML",
        _ if is_form => "it is no JSON, but a form (application/x-www-form-urlencoded), which is not read",
        Some(b'{') => "its JSON is malformed",
        Some(_) => "it is no JSON",
    }
}

const TWICE: &str = "twice";

struct Object<'a> {
    values: &'a [String],
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Members;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Members, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        let mut seen = Vec::new();
        // Two tokens in one answer would be read differently by others.
        let mut once = |name: &'static str| match seen.contains(&name) {
            true => Err(A::Error::custom(TWICE)),
            false => {
                seen.push(name);
                Ok(())
            }
        };
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "access_token" | "token" => {
                    // GitHub's name for it counts as the same.
                    once("access_token")?;
                    members.access = map.next_value::<Hidden>()?.0;
                }
                "refresh_token" => {
                    once("refresh_token")?;
                    members.refresh = map.next_value::<Hidden>()?.0;
                }
                "token_type" => {
                    once("token_type")?;
                    members.token_type = map.next_value::<Plain>()?.0;
                }
                "expires_in" => {
                    once("expires_in")?;
                    members.expires_in = map.next_value::<Whole>()?.0;
                }
                "expires_at" => {
                    once("expires_at")?;
                    members.expires_at = map.next_value::<Plain>()?.0;
                }
                "error" => {
                    once("error")?;
                    // An object (Facebook) is an error, too, and `false` is none.
                    let error = map.next_value::<Option<Plain>>()?.map(|error| error.0.unwrap_or_default());
                    members.error = error.filter(|error| error != "false");
                }
                "error_description" => {
                    once("error_description")?;
                    members.description = map.next_value::<Plain>()?.0;
                }
                "message" => members.message = map.next_value::<Plain>()?.0,
                _ if self.values.contains(&name) => {
                    let value = map.next_value::<Plain>()?.0;
                    let fits = |value: &String| value.len() <= MAX_VALUE && !value.contains(char::is_control);
                    if let Some(value) = value.filter(fits)
                        && members.values.insert(name, value).is_some()
                    {
                        return Err(A::Error::custom(TWICE));
                    }
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(members)
    }
}
