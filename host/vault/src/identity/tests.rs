use super::*;

/// A file of `tests/data/identity`.
pub(crate) fn test_file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/identity/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn document(name: &str) -> Secret {
    Secret::document(test_file(name)).unwrap()
}

fn joined(names: &[&str]) -> Secret {
    Secret::document(names.iter().flat_map(|name| test_file(name)).collect()).unwrap()
}

fn read(certificates: &str, key: &str) -> Result<Identity, MaterialError> {
    Identity::new(&document(certificates), &document(key))
}

/// Which field is refused, and why.
fn refused(made: Result<Identity, MaterialError>) -> (&'static str, String) {
    match made.unwrap_err() {
        MaterialError::Field { field, problem } => (field, problem),
        other => panic!("{other}"),
    }
}

#[test]
fn a_key_is_read_in_each_form_and_signs() {
    for (certificate, key) in [
        ("rsa.crt", "rsa.key"),
        ("rsa.crt", "rsa-pkcs1.key"),
        ("p256.crt", "p256.key"),
        ("p256.crt", "p256-sec1.key"),
        ("p256.crt", "p256-sec1-with-parameters.key"),
        ("p384.crt", "p384.key"),
        ("ed25519.crt", "ed25519.key"),
    ] {
        let identity = read(certificate, key).unwrap_or_else(|error| panic!("{key}: {error}"));
        let certified = identity.certified_key();
        let schemes = [
            rustls::SignatureScheme::RSA_PSS_SHA256,
            rustls::SignatureScheme::ECDSA_NISTP256_SHA256,
            rustls::SignatureScheme::ECDSA_NISTP384_SHA384,
            rustls::SignatureScheme::ED25519,
        ];
        let signer = certified.key.choose_scheme(&schemes).unwrap();
        assert!(!signer.sign(b"message").unwrap().is_empty());
    }
}

#[test]
fn when_it_expires_is_read_from_the_first_certificate() {
    let expires = |name: &str| read(name, "p256.key").unwrap().expires().to_string();
    assert_eq!(expires("until-2049.crt"), "2049-12-31T23:59:59Z");
    assert!(expires("p256.crt").starts_with("2126-10-28T"));
    assert_eq!(read("without-end.crt", "p256.key").unwrap().expires(), Timestamp::MAX);
    let chain = joined(&["until-2049.crt", "rsa.crt", "p384.crt"]);
    let identity = Identity::new(&chain, &document("p256.key")).unwrap();
    assert_eq!(identity.expires().to_string(), "2049-12-31T23:59:59Z");
    assert_eq!(identity.certified_key().cert.len(), 3);
}

#[test]
fn one_that_has_expired_is_refused() {
    let (field, problem) = refused(read("expired.crt", "p256.key"));
    assert_eq!(field, "certificates");
    assert!(problem.contains("2020-12-31T23:59:59Z"), "{problem}");
    let at = |time: &str| Identity::at(&document("expired.crt"), &document("p256.key"), time.parse().unwrap());
    assert!(at("2020-12-31T23:59:58Z").is_ok());
    assert!(at("2020-12-31T23:59:59Z").is_err());
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    for key in ["rsa.key", "p384.key", "ed25519.key"] {
        let (field, problem) = refused(read("p256.crt", key));
        assert_eq!(field, "key");
        assert!(problem.contains("not the key of the first certificate"), "{problem}");
    }
    let upside_down = joined(&["rsa.crt", "p256.crt"]);
    assert_eq!(refused(Identity::new(&upside_down, &document("p256.key"))).0, "key");
}

#[test]
fn an_encrypted_key_is_refused_with_what_decrypts_it() {
    for key in ["p256-encrypted.key", "rsa-encrypted.key"] {
        let (field, problem) = refused(read("p256.crt", key));
        assert_eq!(field, "key");
        assert!(problem.contains("openssl pkcs8"), "{problem}");
    }
}

#[test]
fn what_is_no_pem_of_the_right_kind_is_refused_by_its_field_and_not_told() {
    let text = |text: &str| Secret::document(text.as_bytes().to_vec()).unwrap();
    let certificate = document("p256.crt");
    for pem in [
        "no pem at all",
        "-----BEGIN PRIVATE KEY",
        "-----BEGIN PRIVATE KEY-----\naGlkZGVu\n",
        "-----BEGIN PRIVATE KEY-----\naGlkZGVu\n-----END RSA PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nhidden=!\n-----END PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\naGlkZGVu\n-----END PRIVATE KEY-----\n",
        "-----BEGIN hidden-----\naGlkZGVu\n-----END hidden-----\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\naGlkZGVu\n-----END OPENSSH PRIVATE KEY-----\n",
    ] {
        let (field, problem) = refused(Identity::new(&certificate, &text(pem)));
        assert_eq!(field, "key", "{pem}");
        assert!(!problem.contains("hidden") && !problem.contains("aGlk"), "{problem}");
        let (field, problem) = refused(Identity::new(&text(pem), &document("p256.key")));
        assert_eq!(field, "certificates", "{pem}");
        assert!(!problem.contains("hidden") && !problem.contains("aGlk"), "{problem}");
    }
    let (field, problem) = refused(Identity::new(&joined(&["p256.crt", "p256.key"]), &document("p256.key")));
    assert!(field == "certificates" && problem.contains("PRIVATE KEY"), "{problem}");
    let (_, problem) = refused(Identity::new(&certificate, &joined(&["p256.key", "rsa.key"])));
    assert!(problem.contains("two keys"), "{problem}");
    let long = joined(&["p256.crt"; MAX_CHAIN + 1]);
    assert!(refused(Identity::new(&long, &document("p256.key"))).1.contains("at most"));
}

#[test]
fn a_certificate_that_is_cut_or_changed_is_refused_and_never_a_panic() {
    let whole = document("p256.crt");
    let der = sections(&whole).unwrap().remove(0).1.to_vec();
    let expires = not_after(&der).unwrap();
    for length in 0..der.len() {
        assert_eq!(not_after(&der[..length]), None, "{length}");
    }
    for at in 0..der.len() {
        for bit in 0..8 {
            let mut changed = der.clone();
            changed[at] ^= 1 << bit;
            let _ = not_after(&changed);
        }
    }
    assert_eq!(not_after(&der), Some(expires));
    // The tags of the version, of the serial number, and of both sequences around them.
    for (at, tag) in [(0, 0x30), (4, 0x30), (8, 0xa0), (13, 0x02)] {
        let mut changed = der.clone();
        assert_eq!(changed[at], tag);
        changed[at] = 0x31;
        assert_eq!(not_after(&changed), None, "{at}");
    }
}

#[test]
fn a_time_has_all_its_digits_and_ends_with_z() {
    let time = |tag, text: &str| time_of(tag, text).map(|time| time.to_string());
    assert_eq!(time(0x17, "491231235959Z").as_deref(), Some("2049-12-31T23:59:59Z"));
    assert_eq!(time(0x17, "500101000000Z").as_deref(), Some("1950-01-01T00:00:00Z"));
    assert_eq!(time(0x18, "20500101000000Z").as_deref(), Some("2050-01-01T00:00:00Z"));
    for (tag, text) in [
        (0x17, "491231235959"),
        (0x17, "4912312359Z"),
        (0x17, "20491231235959Z"),
        (0x18, "491231235959Z"),
        (0x17, "+91231235959Z"),
        (0x17, "491331235959Z"),
        (0x04, "491231235959Z"),
    ] {
        assert_eq!(time(tag, text), None, "{text}");
    }
}

#[test]
fn an_identity_does_not_print_its_key() {
    assert!(format!("{:?}", read("p256.crt", "p256.key").unwrap()).starts_with("Identity { expires:"));
}
