//! The text over which a keyed hash is computed: a template of a request's parts.
//!
//! Nothing is put together here: each part goes where it is wanted, so that no copy of a secret in a URL stays behind.

use aws_lc_rs::digest;
use http::{HeaderName, header::HOST};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use url::Position;

use super::{Problem, hmac::hex};
use crate::outgoing::Outgoing;

/// A template, taken apart.
#[derive(Debug)]
pub(super) struct Template(Vec<Part>);

/// A part of a template.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Method,
    Host,
    Path,
    Query,
    Target,
    Url,
    Body,
    BodySha256,
    Header(HeaderName),
    /// One that says nothing of the request: `{timestamp}`, `{nonce}`, ...
    Fact(Fact),
}

/// What says nothing of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Timestamp,
    TimestampMs,
    Date,
    Nonce,
    KeyId,
    Signature,
}

/// What a signature knows beside the request. The same for the message and for the header fields.
#[derive(Debug, Default)]
pub(super) struct Facts {
    timestamp: String,
    timestamp_ms: String,
    date: String,
    nonce: String,
    key_id: Option<String>,
    pub(super) signature: Option<String>,
}

impl Facts {
    /// As of now, with a new nonce of 16 random bytes.
    pub(super) fn new(now: Timestamp, key_id: Option<&str>) -> Result<Self, Problem> {
        let mut nonce = [0_u8; 16];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| "there are no random numbers")?;
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        Ok(Self {
            timestamp: now.as_second().to_string(),
            timestamp_ms: now.as_millisecond().to_string(),
            date: date.map_err(|_| "the clock is set to no date that HTTP can write")?,
            nonce: hex(&nonce),
            key_id: key_id.map(str::to_owned),
            signature: None,
        })
    }

    fn get(&self, fact: Fact) -> Result<&str, Problem> {
        match fact {
            Fact::Timestamp => Ok(&self.timestamp),
            Fact::TimestampMs => Ok(&self.timestamp_ms),
            Fact::Date => Ok(&self.date),
            Fact::Nonce => Ok(&self.nonce),
            Fact::KeyId => {
                self.key_id.as_deref().ok_or_else(|| "its key has a name; give a credential of kind key-pair".into())
            }
            Fact::Signature => self.signature.as_deref().ok_or_else(|| "a signature does not sign itself".into()),
        }
    }
}

impl Template {
    /// Takes `text` apart. `\n` is a new line; a brace that begins nothing known is refused.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let plain = rest.find(['{', '}']).unwrap_or(rest.len());
            let (before, braced) = rest.split_at(plain);
            if !before.is_empty() {
                parts.push(Part::Text(before.replace("\\n", "\n")));
            }
            rest = braced;
            if !braced.is_empty() {
                let inside = braced.strip_prefix('{').and_then(|inside| inside.split_once('}'));
                let (name, behind) = inside.ok_or("its message has a brace without its other")?;
                parts.push(Part::of(name)?);
                rest = behind;
            }
        }
        Ok(Self(parts))
    }

    /// Whether the signature is in it.
    pub(super) fn is_signed(&self) -> bool {
        self.0.contains(&Part::Fact(Fact::Signature))
    }

    /// Gives each part of what it stands for to `write`. `outgoing` is none where nothing of the request may be written.
    pub(super) fn render(
        &self,
        facts: &Facts,
        outgoing: Option<&Outgoing>,
        write: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Problem> {
        for part in &self.0 {
            match (part, outgoing) {
                (Part::Text(text), _) => write(text.as_bytes()),
                (Part::Fact(fact), _) => write(facts.get(*fact)?.as_bytes()),
                (_, None) => return Err("its header fields say nothing of the request".into()),
                (part, Some(outgoing)) => part.render(outgoing, write),
            }
        }
        Ok(())
    }
}

impl Part {
    fn of(name: &str) -> Result<Self, Problem> {
        Ok(match name {
            "method" => Self::Method,
            "host" => Self::Host,
            "path" => Self::Path,
            "query" => Self::Query,
            "target" => Self::Target,
            "url" => Self::Url,
            "body" => Self::Body,
            "body-sha256" => Self::BodySha256,
            "timestamp" => Self::Fact(Fact::Timestamp),
            "timestamp-ms" => Self::Fact(Fact::TimestampMs),
            "date" => Self::Fact(Fact::Date),
            "nonce" => Self::Fact(Fact::Nonce),
            "key-id" => Self::Fact(Fact::KeyId),
            "signature" => Self::Fact(Fact::Signature),
            _ => match name.strip_prefix("header:").map(|name| HeaderName::from_bytes(name.as_bytes())) {
                Some(Ok(name)) => Self::Header(name),
                _ => return Err(format!("its message knows no `{{{name}}}`").into()),
            },
        })
    }

    /// What it is of this request, as it is sent.
    fn render(&self, outgoing: &Outgoing, write: &mut dyn FnMut(&[u8])) {
        let url = &outgoing.url;
        let body = outgoing.body.as_deref().unwrap_or_default();
        match self {
            Self::Method => write(outgoing.method.as_str().as_bytes()),
            // With its port where that is not the scheme's own, as the Host field has it.
            Self::Host => write(url[Position::BeforeHost..Position::AfterPort].as_bytes()),
            Self::Path => write(url.path().as_bytes()),
            Self::Query => write(url.query().unwrap_or_default().as_bytes()),
            Self::Target => write(url[Position::BeforePath..Position::AfterQuery].as_bytes()),
            Self::Url => write(url[..Position::AfterQuery].as_bytes()),
            Self::Body => write(body),
            Self::BodySha256 => write(hex(digest::digest(&digest::SHA256, body).as_ref()).as_bytes()),
            Self::Header(name) => {
                let mut values = outgoing.headers.get_all(name).iter().peekable();
                if values.peek().is_none() && name == HOST {
                    Self::Host.render(outgoing, write);
                }
                // Several are one with commas (RFC 9110, section 5.3); none is an empty text.
                for (number, value) in values.enumerate() {
                    if number > 0 {
                        write(b", ");
                    }
                    write(value.as_bytes());
                }
            }
            Self::Text(_) | Self::Fact(_) => {}
        }
    }
}
