//! AWS Signature Version 4: signs the method, the URL, the header fields that arrive as they were sent, and the body.
//!
//! What differs between services is here; the signing itself is Amazon's own library. It copies the key and the session
//! token into buffers of its own (`SECURITY.md` names them), and writes requests into traces, which are switched off for it.

use std::{borrow::Cow, time::SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use jiff::Timestamp;
use tracing::subscriber::{NoSubscriber, with_default};

use super::{Problem, header};
use crate::{outgoing::Outgoing, secret::Secret, usable::Usable};

/// What this scheme writes. What stands there before is not signed and not sent.
const OWN: [&str; 4] = ["authorization", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

/// Fields that the HTTP library or a proxy writes or changes, so that a signature of them would not hold.
const NOT_SIGNED: [&str; 9] = [
    "accept-encoding",
    "authorization",
    "connection",
    "expect",
    "te",
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
    "x-forwarded-for",
];

/// In what services differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Dots and double slashes are taken out of the path before it is signed.
    pub(super) path_normalised: bool,
    /// The path is escaped once more before it is signed.
    pub(super) path_escaped_twice: bool,
    /// The hash of the body has a field of its own.
    pub(super) body_hash: bool,
}

impl Rules {
    /// S3 signs paths as they are sent, for a key may be `a//../b`, and wants the body's hash; so does OpenSearch Serverless.
    fn of(service: &str) -> Self {
        let s3 = matches!(service, "s3" | "s3express" | "s3-object-lambda" | "s3-outposts");
        Self { path_normalised: !s3, path_escaped_twice: !s3, body_hash: s3 || service == "aoss" }
    }
}

/// Signs the request, and gives the signature.
pub(super) fn attach(
    service: &str,
    region: &str,
    usable: &Usable,
    now: Timestamp,
    outgoing: &mut Outgoing,
) -> Result<Secret, Problem> {
    attach_by(Rules::of(service), (service, region), usable, now, outgoing)
}

/// Signs the request by these rules.
pub(super) fn attach_by(
    rules: Rules,
    (service, region): (&str, &str),
    usable: &Usable,
    now: Timestamp,
    outgoing: &mut Outgoing,
) -> Result<Secret, Problem> {
    let Usable::KeyPair(pair) = usable else {
        return Err(
            "give a credential of kind key-pair: `id` is the access key id, `secret` the secret access key".into()
        );
    };
    let (key, token) = (text(&pair.secret)?, pair.session_token.as_ref().map(text).transpose()?);
    // The library takes these copies over, and wipes them.
    let identity = Credentials::new(pair.id.as_str(), key, token.map(str::to_owned), None, "portcullis").into();
    for name in OWN {
        outgoing.headers.remove(name);
    }
    let mut settings = SigningSettings::default();
    if !rules.path_normalised {
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    }
    if !rules.path_escaped_twice {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
    }
    if rules.body_hash {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let mut not_signed: Vec<_> = NOT_SIGNED.map(Cow::Borrowed).to_vec();
    if service == "aoss" {
        // OpenSearch Serverless refuses signatures that cover it.
        not_signed.push(Cow::Borrowed("content-length"));
    }
    settings.excluded_headers = Some(not_signed);
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::from(now))
        .settings(settings)
        .build()
        .map_err(|_| "the signature lacks a part")?
        .into();
    let fields = outgoing.headers.iter().map(|(name, value)| {
        let value = std::str::from_utf8(value.as_bytes()).map_err(|_| "a signed header field is ASCII text")?;
        Ok((name.as_str(), value))
    });
    let fields: Vec<_> = fields.collect::<Result<_, Problem>>()?;
    let body = SignableBody::Bytes(outgoing.body.as_deref().unwrap_or_default());
    let made = with_default(NoSubscriber::default(), || {
        let request = SignableRequest::new(outgoing.method.as_str(), outgoing.url.as_str(), fields.into_iter(), body)?;
        sign(request, &params)
    });
    // The library's own words may hold a part of the request.
    let (made, signature) = made.map_err(|_| "its URL or a header field is not one that can be signed")?.into_parts();
    for (name, value) in made.headers() {
        let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| "the signature has an odd field")?;
        outgoing.headers.insert(name, header::value(&[value.as_bytes()])?);
    }
    Ok(Secret::stored(signature.as_bytes()))
}

fn text(secret: &Secret) -> Result<&str, Problem> {
    std::str::from_utf8(secret.expose()).map_err(|_| "AWS's keys are ASCII text".into())
}
