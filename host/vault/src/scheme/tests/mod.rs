//! What each scheme writes, and what it refuses.

mod body;
mod hmac;
mod signed;
mod url;
mod vectors;

use std::sync::Arc;

use ::url::Url;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use portcullis_gate::{HmacScheme, MacAlgorithm, MacEncoding, OpenSlot, Scheme};

use crate::{
    Outgoing, Secret, VaultError,
    identity::Identity,
    ready::Live,
    usable::{KeyPair, Token, Usable},
};

/// A request, before its secrets are put on.
fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&str>) -> Outgoing {
    let mut fields = HeaderMap::new();
    for (name, value) in headers {
        fields.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    Outgoing {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        url: Url::parse(url).unwrap(),
        headers: fields,
        body: body.map(|body| body.to_owned().into()),
    }
}

fn get(url: &str) -> Outgoing {
    request("GET", url, &[], None)
}

fn attach(scheme: Scheme, segment: Option<usize>, usable: Usable, outgoing: &mut Outgoing) -> Result<(), VaultError> {
    let slot = OpenSlot { name: "key".into(), scheme, segment };
    super::attach(&slot, &Live::new(usable), Timestamp::from_second(1_440_938_160).unwrap(), outgoing).map(drop)
}

fn secret(text: &str) -> Usable {
    Usable::Secret(Secret::try_from(text).unwrap())
}

fn pair(id: &str, secret: &str) -> Usable {
    Usable::KeyPair(KeyPair { id: id.into(), secret: Secret::try_from(secret).unwrap(), session_token: None })
}

fn token(text: &str) -> Usable {
    let access = Secret::try_from(text).unwrap();
    let received = Timestamp::UNIX_EPOCH;
    Usable::Token(Arc::new(Token { access, refresh: None, received, expires: None, values: Default::default() }))
}

fn certificate() -> Usable {
    let read = |name: &str| Secret::document(crate::identity::test_file(name)).unwrap();
    Usable::Certificate(Arc::new(Identity::new(&read("p256.crt"), &read("p256.key")).unwrap()))
}

fn hmac_scheme(message: &str, headers: &[(&str, &str)]) -> Scheme {
    Scheme::Hmac(HmacScheme {
        algorithm: MacAlgorithm::HmacSha256,
        message: message.into(),
        encoding: MacEncoding::Hex,
        headers: headers.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
    })
}

fn every_scheme() -> Vec<Scheme> {
    vec![
        Scheme::Bearer,
        Scheme::Basic,
        Scheme::Header { name: "X-Key".into(), prefix: String::new() },
        Scheme::Query { name: "key".into() },
        Scheme::Path { name: "key".into(), prefix: String::new() },
        Scheme::Cookie { name: "key".into() },
        Scheme::Body { name: "key".into() },
        Scheme::Sigv4 { service: "s3".into(), region: "eu-central-1".into() },
        hmac_scheme("{method}", &[("X-Signature", "{signature}")]),
        Scheme::ClientCertificate,
        Scheme::SigningKey,
    ]
}

/// The header fields after `usable` was put on a GET.
fn headers_with(scheme: Scheme, usable: Usable) -> Result<HeaderMap, VaultError> {
    let mut outgoing = get("https://a.example/x?q=1");
    attach(scheme, None, usable, &mut outgoing)?;
    Ok(outgoing.headers)
}

#[test]
fn header_schemes_write_their_field_and_nothing_else() {
    let headers = headers_with(Scheme::Bearer, secret("s3cret")).unwrap();
    assert_eq!((headers.len(), &headers["authorization"]), (1, &HeaderValue::from_static("Bearer s3cret")));
    assert_eq!(headers_with(Scheme::Bearer, token("t0ken")).unwrap()["authorization"], "Bearer t0ken");
    let scheme = Scheme::Header { name: "X-Key".into(), prefix: "Token ".into() };
    assert_eq!(headers_with(scheme, secret("s3cret")).unwrap()["x-key"], "Token s3cret");
}

#[test]
fn basic_is_the_one_of_rfc_7617_and_either_part_may_be_empty() {
    for (pair, written) in [
        ("Aladdin:open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        // Section 2.1: UTF-8.
        ("test:123£", "Basic dGVzdDoxMjPCow=="),
        (":s3cret", "Basic OnMzY3JldA=="),
        ("s3cret:", "Basic czNjcmV0Og=="),
    ] {
        assert_eq!(headers_with(Scheme::Basic, secret(pair)).unwrap()["authorization"], written);
    }
}

#[test]
fn an_attached_header_does_not_print() {
    for scheme in [Scheme::Bearer, Scheme::Basic, Scheme::Cookie { name: "a".into() }] {
        let headers = headers_with(scheme, secret("user:s3cret")).unwrap();
        assert!(headers.values().all(HeaderValue::is_sensitive), "{headers:?}");
    }
}

#[test]
fn what_the_guest_wrote_into_the_field_is_replaced() {
    let mut outgoing = request("GET", "https://a.example/", &[("authorization", "mine"), ("authorization", "2")], None);
    attach(Scheme::Bearer, None, secret("s3cret"), &mut outgoing).unwrap();
    assert_eq!(outgoing.headers.get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer s3cret"]);
}

#[test]
fn cookies_of_several_slots_share_one_field() {
    let mut outgoing = get("https://a.example/");
    attach(Scheme::Cookie { name: "session".into() }, None, secret("s3cret="), &mut outgoing).unwrap();
    attach(Scheme::Cookie { name: "device".into() }, None, secret("d3vice"), &mut outgoing).unwrap();
    let fields: Vec<_> = outgoing.headers.get_all("cookie").iter().collect();
    assert_eq!(fields, ["session=s3cret=; device=d3vice"]);
    assert!(fields[0].is_sensitive());
}

#[test]
fn a_cookie_is_made_of_cookie_octets() {
    for text in ["two words", "a;b=c", "a,bcd", "qu\"ote", "back\\slash", "umläut"] {
        let error = headers_with(Scheme::Cookie { name: "a".into() }, secret(text)).unwrap_err().to_string();
        assert!(error.contains("printable ASCII") && !error.contains(text), "{error}");
    }
    assert!(headers_with(Scheme::Cookie { name: "a=b".into() }, secret("s3cret")).is_err());
}

#[test]
fn what_does_not_fit_says_what_would_and_never_the_secret() {
    let hidden = "h1dden-value";
    let usables = [
        ("secret", secret as fn(&str) -> Usable),
        ("key-pair", |text| pair("id", text)),
        ("token", token),
        ("certificate", |_| certificate()),
    ];
    for scheme in every_scheme() {
        let fits: &[&str] = match &scheme {
            Scheme::Bearer | Scheme::Header { .. } | Scheme::Query { .. } | Scheme::Cookie { .. } => {
                &["secret", "token"]
            }
            Scheme::Path { .. } | Scheme::Body { .. } => &["secret", "token"],
            // Its secret has no colon.
            Scheme::Basic | Scheme::SigningKey => &[],
            Scheme::Sigv4 { .. } => &["key-pair"],
            Scheme::Hmac(_) => &["secret", "key-pair"],
            Scheme::ClientCertificate => &["certificate"],
        };
        for (name, usable) in &usables {
            let json = [("content-type", "application/json")];
            let mut outgoing = request("POST", "https://a.example/-credential-", &json, Some("{}"));
            let attached = attach(scheme.clone(), Some(0), usable(hidden), &mut outgoing);
            assert_eq!(attached.is_ok(), fits.contains(name), "{scheme:?} {name} {attached:?}");
            if let Err(error) = attached {
                assert!(matches!(&error, VaultError::Unfit { slot, .. } if slot == "key"));
                assert!(!error.to_string().contains(hidden), "{error}");
            }
        }
    }
    let told = |scheme, usable| headers_with(scheme, usable).unwrap_err().to_string();
    assert!(told(Scheme::Basic, secret(hidden)).contains("user:password"));
    let sigv4 = || Scheme::Sigv4 { service: "s3".into(), region: "x".into() };
    assert!(told(sigv4(), secret(hidden)).contains("key-pair"));
    assert!(told(Scheme::ClientCertificate, secret(hidden)).contains("client-certificate"));
    assert!(told(Scheme::Bearer, pair("id", hidden)).contains("kind secret"));
}

#[test]
fn a_client_certificate_puts_nothing_on_the_request() {
    assert!(headers_with(Scheme::ClientCertificate, certificate()).unwrap().is_empty());
}

#[test]
fn a_field_that_was_made_for_one_scheme_is_not_used_for_another() {
    let live = Live::new(secret("user:s3cret"));
    let written = |scheme| {
        let slot = OpenSlot { name: "key".into(), scheme, segment: None };
        let mut outgoing = get("https://a.example/");
        super::attach(&slot, &live, Timestamp::UNIX_EPOCH, &mut outgoing).unwrap();
        outgoing.headers["authorization"].clone()
    };
    assert_eq!(written(Scheme::Bearer), "Bearer user:s3cret");
    assert_eq!(written(Scheme::Basic), "Basic dXNlcjpzM2NyZXQ=");
    assert_eq!(written(Scheme::Bearer), "Bearer user:s3cret");
}

#[test]
fn the_field_is_made_once_and_its_bytes_are_shared() {
    let live = Live::new(secret("s3cret"));
    let slot = OpenSlot { name: "key".into(), scheme: Scheme::Bearer, segment: None };
    let place = || {
        let mut outgoing = get("https://a.example/");
        super::attach(&slot, &live, Timestamp::UNIX_EPOCH, &mut outgoing).unwrap();
        outgoing.headers["authorization"].as_bytes().as_ptr()
    };
    assert_eq!(place(), place());
}
