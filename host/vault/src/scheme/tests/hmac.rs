//! Canonical strings and where their signatures go.

use aws_lc_rs::hmac as reference;

use super::*;

/// The signature, in hex, that this message has.
fn expected(key: &str, message: &str) -> String {
    let key = reference::Key::new(reference::HMAC_SHA256, key.as_bytes());
    super::super::hmac::hex(reference::sign(&key, message.as_bytes()).as_ref())
}

const URL: &str = "https://a.example:8443/p%20q/r?b=2&a=1";

fn signed(message: &str, headers: &[(&str, &str)], usable: Usable) -> Result<HeaderMap, VaultError> {
    let fields = [("x-two", "1"), ("x-two", "2"), ("content-type", "text/plain")];
    let mut outgoing = request("POST", URL, &fields, Some("the body"));
    attach(hmac_scheme(message, headers), None, usable, &mut outgoing)?;
    Ok(outgoing.headers)
}

#[test]
fn each_placeholder_stands_for_its_part_of_the_request() {
    let hash = super::super::hmac::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"the body").as_ref());
    for (message, stands_for) in [
        ("{method}", "POST"),
        ("{host}", "a.example:8443"),
        ("{path}", "/p%20q/r"),
        ("{query}", "b=2&a=1"),
        ("{target}", "/p%20q/r?b=2&a=1"),
        ("{url}", URL),
        ("{body}", "the body"),
        ("{body-sha256}", hash.as_str()),
        ("{timestamp}", "1440938160"),
        ("{timestamp-ms}", "1440938160000"),
        ("{date}", "Sun, 30 Aug 2015 12:36:00 GMT"),
        ("{key-id}", "the-id"),
        ("{header:content-type}", "text/plain"),
        ("{header:X-Two}", "1, 2"),
        ("{header:x-none}", ""),
        ("{header:host}", "a.example:8443"),
        ("{method}\\n{path}\\n\\n{body}.", "POST\n/p%20q/r\n\nthe body."),
        ("plain", "plain"),
    ] {
        let headers = signed(message, &[("X-Signature", "v1={signature}")], pair("the-id", "s3cret")).unwrap();
        assert_eq!(headers["x-signature"], format!("v1={}", expected("s3cret", stands_for)), "{message}");
    }
}

#[test]
fn a_path_without_a_query_has_no_question_mark() {
    let mut outgoing = get("https://a.example/x");
    attach(hmac_scheme("{target}|{query}|{body}", &[("s", "{signature}")]), None, secret("s3cret"), &mut outgoing)
        .unwrap();
    assert_eq!(outgoing.headers["s"], expected("s3cret", "/x||"));
}

#[test]
fn fields_are_written_with_what_was_signed() {
    let headers = [
        ("Authorization", "HMAC {key-id}:{signature}"),
        ("X-Time", "{timestamp}"),
        ("X-Nonce", "{nonce}"),
        ("Date", "{date}"),
    ];
    let made = signed("{header:date}|{nonce}|{timestamp}", &headers, pair("the-id", "s3cret")).unwrap();
    let nonce = made["x-nonce"].to_str().unwrap();
    assert!(nonce.len() == 32 && nonce.bytes().all(|b| b.is_ascii_hexdigit()), "{nonce}");
    let message = format!("Sun, 30 Aug 2015 12:36:00 GMT|{nonce}|1440938160");
    assert_eq!(made["authorization"], format!("HMAC the-id:{}", expected("s3cret", &message)));
    assert_eq!(made["x-time"], "1440938160");
    let again = signed("{nonce}", &headers, pair("the-id", "s3cret")).unwrap();
    assert_ne!(again["x-nonce"], made["x-nonce"], "a nonce is used once");
}

#[test]
fn a_template_that_is_not_one_is_refused() {
    let refused = |message: &str, headers: &[(&str, &str)]| {
        signed(message, headers, pair("id", "s3cret")).unwrap_err().to_string()
    };
    for message in ["{", "}", "{method", "{{method}}", "{nothing}", "{header:}", "{header:a b}", "{signature}"] {
        refused(message, &[("X-Signature", "{signature}")]);
    }
    assert!(refused("{nothing}", &[]).contains("{nothing}"));
    for template in ["{body}", "{url}", "{header:content-type}", "{signature}\\n"] {
        refused("x", &[("X-Signature", template)]);
    }
    assert!(signed("x{key-id}", &[], secret("s3cret")).unwrap_err().to_string().contains("key-pair"));
}

#[test]
fn a_signature_is_written_in_the_encoding_that_the_scheme_names() {
    // RFC 4231, test case 2.
    let written = |encoding| {
        let scheme = Scheme::Hmac(HmacScheme {
            algorithm: MacAlgorithm::HmacSha256,
            message: "what do ya want for nothing?".into(),
            encoding,
            headers: vec![("S".into(), "{signature}".into())],
        });
        headers_with(scheme, secret("Jefe")).unwrap()["s"].clone()
    };
    assert_eq!(written(MacEncoding::Hex), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_eq!(written(MacEncoding::Base64), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    assert_eq!(written(MacEncoding::Base64Url), "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM");
}

#[test]
fn what_signs_comes_last_whatever_the_order_of_the_slots() {
    let scrubber = Arc::new(crate::Scrubber::default());
    let mut ready = crate::Ready::new(0, scrubber, Timestamp::UNIX_EPOCH);
    for (name, scheme) in [
        ("mac", hmac_scheme("{target}|{header:authorization}", &[("X-Signature", "{signature}")])),
        ("query", Scheme::Query { name: "key".into() }),
        ("bearer", Scheme::Bearer),
    ] {
        let slot = OpenSlot { name: name.into(), scheme, segment: None };
        ready.slots.push((slot, Arc::new(Live::new(secret(&format!("{name}-secret"))))));
    }
    let mut outgoing = get("https://a.example/x");
    ready.attach(&mut outgoing).unwrap();
    let message = "/x?key=query-secret|Bearer bearer-secret";
    assert_eq!(outgoing.headers["x-signature"], expected("mac-secret", message));
}
