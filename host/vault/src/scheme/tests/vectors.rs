//! Published vectors: AWS's test suite for its signatures, and RFC 2202 and RFC 4231 for keyed hashes. Where the files are
//! from stands in `tests/data/SOURCE.md`.

use std::{fs, path::PathBuf};

use portcullis_gate::MacEncoding;
use serde_json::Value;

use super::*;
use crate::scheme::sigv4::{self, Rules};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/sigv4")
}

/// A request as the suite writes it.
fn read(case: &str) -> Outgoing {
    let text = fs::read_to_string(folder().join(case).join("request.txt")).unwrap();
    // A line that begins with a space goes on with the one before it.
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let head = head.replace("\n ", " ");
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    let (method, target) = first.strip_suffix(" HTTP/1.1").unwrap().split_once(' ').unwrap();
    let headers: Vec<_> = lines.map(|line| line.split_once(':').unwrap()).collect();
    let host = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).unwrap().1;
    let body = Some(body).filter(|body| !body.is_empty());
    request(method, &format!("https://{host}{target}"), &headers, body)
}

fn aws(id: &str, secret: &str, token: Option<&str>) -> Usable {
    let session_token = token.map(|token| Secret::try_from(token).unwrap());
    Usable::KeyPair(KeyPair { id: id.into(), secret: Secret::try_from(secret).unwrap(), session_token })
}

fn signature(outgoing: &Outgoing) -> &str {
    outgoing.headers["authorization"].to_str().unwrap().rsplit_once("Signature=").unwrap().1
}

#[test]
fn every_case_of_the_aws_suite_has_the_published_signature() {
    let (mut through_attach, mut by_rules) = (0, 0);
    for entry in fs::read_dir(folder()).unwrap() {
        let case = entry.unwrap().file_name().into_string().unwrap();
        let Ok(context) = fs::read_to_string(folder().join(&case).join("context.json")) else { continue };
        let context: Value = serde_json::from_str(&context).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let keys = &context["credentials"];
        let usable = aws(&text(&keys["access_key_id"]), &text(&keys["secret_access_key"]), keys["token"].as_str());
        let (service, region) = (text(&context["service"]), text(&context["region"]));
        let now: Timestamp = context["timestamp"].as_str().unwrap().parse().unwrap();
        let expected = fs::read_to_string(folder().join(&case).join("header-signature.txt")).unwrap();
        let mut outgoing = read(&case);
        let rules = Rules {
            path_normalised: context["normalize"].as_bool().unwrap(),
            // The suite signs paths with one escape, as S3 does, whether it normalises them or not.
            path_escaped_twice: false,
            body_hash: context["sign_body"].as_bool().unwrap(),
        };
        // What the rules of a service say is used as it is, where it is what the case wants.
        if rules.path_normalised && !rules.body_hash && !outgoing.url.path().contains('%') {
            attach(Scheme::Sigv4 { service, region }, None, usable, &mut outgoing).unwrap();
            through_attach += 1;
        } else {
            sigv4::attach_by(rules, (&service, &region), &usable, now, &mut outgoing).unwrap();
            by_rules += 1;
        }
        assert_eq!(signature(&outgoing), expected.trim(), "{case}");
        assert_eq!(outgoing.headers["x-amz-date"], "20150830T123600Z");
    }
    assert_eq!((through_attach, by_rules), (26, 7));
}

#[test]
fn services_other_than_s3_escape_the_path_twice() {
    let not_real = aws("ANOTREAL", "notrealrnrELgWzOk3IfjzDKtFBhDby", None);
    let example = aws("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None);
    for (case, keys, service, region, time) in [
        ("double-encode-path", not_real, "service", "us-east-1", "2015-08-30T12:36:00Z"),
        ("double-url-encode", example, "lambda", "us-east-2", "2021-05-11T15:40:45Z"),
    ] {
        let mut outgoing = read(case);
        sigv4::attach(service, region, &keys, time.parse().unwrap(), &mut outgoing).unwrap();
        let published = fs::read_to_string(folder().join(case).join("header-signed-request.txt")).unwrap();
        assert!(published.contains(signature(&outgoing)), "{case}: {}", signature(&outgoing));
    }
}

#[test]
fn s3_gets_the_hash_of_the_body_and_signs_the_path_as_it_is() {
    // "Signature Calculations for the Authorization Header", Amazon S3 API Reference: GET Bucket (List Objects), PUT Object.
    let keys = || aws("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
    let now: Timestamp = "2013-05-24T00:00:00Z".parse().unwrap();
    let sign = |outgoing: &mut Outgoing| sigv4::attach("s3", "us-east-1", &keys(), now, outgoing).unwrap();
    let mut list = get("https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J");
    sign(&mut list);
    assert_eq!(signature(&list), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(list.headers["x-amz-content-sha256"], empty);
    let fields = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
    let body = "Welcome to Amazon S3.";
    let mut put = request("PUT", "https://examplebucket.s3.amazonaws.com/test%24file.text", &fields, Some(body));
    sign(&mut put);
    assert_eq!(signature(&put), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

#[test]
fn what_stood_in_the_fields_of_a_signature_is_neither_signed_nor_sent() {
    let scheme = || Scheme::Sigv4 { service: "service".into(), region: "us-east-1".into() };
    let keys = || aws("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None);
    let mut outgoing = read("get-vanilla");
    for name in ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "user-agent", "te"] {
        outgoing.headers.append(name, HeaderValue::from_static("mine"));
    }
    attach(scheme(), None, keys(), &mut outgoing).unwrap();
    assert_eq!(signature(&outgoing), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    assert_eq!(outgoing.headers.get("x-amz-security-token"), None);
    assert_eq!(outgoing.headers.get_all("x-amz-date").iter().count(), 1);
    // The Host field is made later, of the URL: what is signed is the same.
    let mut without_host = read("get-vanilla");
    without_host.headers.remove("host");
    attach(scheme(), None, keys(), &mut without_host).unwrap();
    assert_eq!(signature(&without_host), signature(&outgoing));
    let mut odd = read("get-vanilla");
    odd.headers.insert("x-odd", HeaderValue::from_bytes(b"\xff").unwrap());
    assert!(attach(scheme(), None, keys(), &mut odd).is_err());
}

#[test]
fn a_signature_writes_nothing_into_traces() {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let subscriber = Seen(seen.clone());
    tracing::subscriber::with_default(subscriber, || {
        tracing::trace!("it is heard");
        let mut outgoing = request("GET", "https://a.example/", &[("x-api-key", "another-slots")], None);
        attach(
            Scheme::Sigv4 { service: "s3".into(), region: "x".into() },
            None,
            aws("id", "hidden-key", Some("hidden-token")),
            &mut outgoing,
        )
        .unwrap();
    });
    assert_eq!(*seen.lock().unwrap(), [module_path!()]);
}

/// Notes where everything that it is told comes from.
struct Seen(Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Seen {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push(event.metadata().target().to_owned());
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

/// The hash that our scheme writes for this key and these bytes.
fn mac(algorithm: MacAlgorithm, key: &[u8], data: &[u8]) -> String {
    let headers = vec![("S".to_owned(), "{signature}".to_owned())];
    let scheme = HmacScheme { algorithm, message: "{body}".into(), encoding: MacEncoding::Hex, headers };
    let mut outgoing = get("https://a.example/");
    outgoing.body = Some(data.to_vec().into());
    let usable = Usable::Secret(Secret::of_any_bytes(key));
    attach(Scheme::Hmac(scheme), None, usable, &mut outgoing).unwrap();
    outgoing.headers["s"].to_str().unwrap().to_owned()
}

#[test]
fn keyed_hashes_are_those_of_rfc_2202_and_rfc_4231() {
    let counting: Vec<u8> = (1..=25).collect();
    let (aa20, aa80, aa131) = ([0xaa; 20], [0xaa; 80], [0xaa; 131]);
    let larger = "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be \
                  hashed before being used by the HMAC algorithm.";
    let sha1: [(&[u8], &[u8], &str); 7] = [
        (&[0x0b; 20], b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
        (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (&aa20, &[0xdd; 50], "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
        (&counting, &[0xcd; 50], "4c9007f4026250c6bc8414f9bf50c86c2d7235da"),
        (&[0x0c; 20], b"Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"),
        (&aa80, b"Test Using Larger Than Block-Size Key - Hash Key First", "aa4ae5e15272d00e95705637ce8a3b55ed402112"),
        (
            &aa80,
            b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
            "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
        ),
    ];
    for (key, data, expected) in sha1 {
        assert_eq!(mac(MacAlgorithm::HmacSha1, key, data), expected);
    }
    // Key, data, SHA-256, SHA-512; case 5 is cut off in the RFC.
    let sha2: [(&[u8], &[u8], &str, &str); 7] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        (
            &aa20,
            &[0xdd; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
        ),
        (
            &counting,
            &[0xcd; 50],
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
        ),
        (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b", "415fad6271580a531d4179bc891d87a6"),
        (
            &aa131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
        ),
        (
            &aa131,
            larger.as_bytes(),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            "e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58",
        ),
    ];
    for (key, data, sha256, sha512) in sha2 {
        assert!(mac(MacAlgorithm::HmacSha256, key, data).starts_with(sha256));
        assert!(mac(MacAlgorithm::HmacSha512, key, data).starts_with(sha512));
    }
}
