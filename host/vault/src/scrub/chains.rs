//! Every secret of a set, in every encoding of every other, at every offset, is found, and nothing of it is left.

use std::fmt::Write;

use ::base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD},
};

use super::*;

type Encoder = (&'static str, fn(&[u8]) -> Vec<u8>);

/// A text, as the encoders of texts see it: UTF-8, or else Latin-1.
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| bytes.iter().map(|b| char::from(*b)).collect())
}

fn bytes(bytes: &[u8], each: impl Fn(u8) -> String) -> Vec<u8> {
    bytes.iter().flat_map(|b| each(*b).into_bytes()).collect()
}

fn chars(bytes: &[u8], each: impl Fn(char) -> String) -> Vec<u8> {
    text(bytes).chars().flat_map(|c| each(c).into_bytes()).collect()
}

fn unreserved(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~".contains(&b)
}

fn percent(b: u8, upper: bool) -> String {
    match (unreserved(b), upper) {
        (true, _) => char::from(b).to_string(),
        (_, true) => format!("%{b:02X}"),
        (_, false) => format!("%{b:02x}"),
    }
}

fn units(c: char) -> String {
    c.encode_utf16(&mut [0; 2]).iter().fold(String::new(), |mut out, unit| {
        write!(out, "\\u{unit:04x}").unwrap();
        out
    })
}

fn json(text_: &[u8], more: impl Fn(char) -> Option<String>) -> Vec<u8> {
    chars(text_, |c| match c {
        _ if more(c).is_some() => more(c).unwrap(),
        '"' | '\\' => format!("\\{c}"),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        '\0'..' ' => units(c),
        _ => c.into(),
    })
}

fn html(b: &[u8], quote: &str) -> Vec<u8> {
    chars(b, |c| match c {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '"' => quote.into(),
        '\'' => "&#39;".into(),
        'ü' => "&uuml;".into(),
        _ => c.into(),
    })
}

fn lines(b: &[u8], width: usize, end: &str) -> Vec<u8> {
    let text = BASE64_STANDARD.encode(b);
    let lines: Vec<&str> = text.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(end).into_bytes()
}

fn quoted_printable(b: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut column = 0;
    for byte in b {
        let plain = (b' '..=b'~').contains(byte) && *byte != b'=';
        let written = if plain { vec![*byte] } else { format!("={byte:02X}").into_bytes() };
        if column + written.len() > 75 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        column += written.len();
        out.extend(written);
    }
    out
}

fn latin1(b: &[u8]) -> Vec<u8> {
    let narrow = |text: &str| text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    std::str::from_utf8(b).ok().and_then(narrow).unwrap_or_else(|| b.to_vec())
}

fn hex_joined(b: &[u8], between: &str) -> Vec<u8> {
    b.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(between).into_bytes()
}

const ENCODERS: &[Encoder] = &[
    ("identity", |b| b.to_vec()),
    ("percent", |b| bytes(b, |b| percent(b, true))),
    ("percent, lower", |b| bytes(b, |b| percent(b, false))),
    ("percent, all", |b| bytes(b, |b| format!("%{b:02X}"))),
    ("form", |b| url::form_urlencoded::byte_serialize(b).collect::<String>().into_bytes()),
    ("serde", |b| json(b, |_| None)),
    ("go", |b| json(b, |c| "<>&\u{2028}\u{2029}".contains(c).then(|| units(c)))),
    ("php", |b| json(b, |c| if c == '/' { Some("\\/".into()) } else { (!c.is_ascii()).then(|| units(c)) })),
    ("python", |b| json(b, |c| (!c.is_ascii()).then(|| units(c)))),
    ("\\u", |b| chars(b, units)),
    ("json twice", |b| json(&json(b, |_| None), |_| None)),
    ("html", |b| html(b, "&quot;")),
    ("html, decimal", |b| html(b, "&#34;")),
    ("html, all decimal", |b| chars(b, |c| format!("&#{};", u32::from(c)))),
    ("html, all hex", |b| chars(b, |c| format!("&#x{:X};", u32::from(c)))),
    ("base64", |b| BASE64_STANDARD.encode(b).into_bytes()),
    ("base64, unpadded", |b| BASE64_STANDARD_NO_PAD.encode(b).into_bytes()),
    ("base64url", |b| BASE64_URL_SAFE.encode(b).into_bytes()),
    ("base64url, unpadded", |b| BASE64_URL_SAFE_NO_PAD.encode(b).into_bytes()),
    ("base64, 64 crlf", |b| lines(b, 64, "\r\n")),
    ("base64, 76 crlf", |b| lines(b, 76, "\r\n")),
    ("base64, 64 lf", |b| lines(b, 64, "\n")),
    ("base64, 76 lf", |b| lines(b, 76, "\n")),
    ("hex", |b| hex_joined(b, "")),
    ("HEX", |b| hex_joined(b, "").to_ascii_uppercase()),
    ("hex, colons", |b| hex_joined(b, ":")),
    ("hex, spaces", |b| hex_joined(b, " ")),
    ("hex, 0x", |b| bytes(b, |b| format!("0x{b:02x} "))),
    ("hex, \\x", |b| bytes(b, |b| format!("\\x{b:02x}"))),
    ("quoted-printable", quoted_printable),
    ("latin-1", latin1),
];

/// Secrets, each with another one of the same shape.
fn secrets() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let mut random = Random(7);
    let mut bytes = |count| (0..count).map(|_| u8::try_from(random.next() % 256).unwrap()).collect::<Vec<u8>>();
    let binary = bytes(40);
    let key = lines(&bytes(3072), 64, "\n");
    let pem = [b"-----BEGIN PRIVATE KEY-----\n", key.as_slice(), b"\n-----END PRIVATE KEY-----"].concat();
    let with_its_like = |name, secret: &[u8]| (name, secret.to_vec(), like(secret));
    vec![
        with_its_like("token", b"sk_live_4eC39HqLyjWDarjtT1zdp7dc"),
        with_its_like("base64", b"kX9/+Zq3+/8wLm2Vt7Qe/A0++9sD6g=="),
        ("quotes", b"p\"a\\n's<w>&o r+d/%41\\\"7".to_vec(), b"q\"b\\n't<x>&p s+e/%42\\\"8".to_vec()),
        with_its_like("utf-8", "schlüssel-größe-€-ключ".as_bytes()),
        with_its_like("latin", "schlüssel-für-größe".as_bytes()),
        with_its_like("binary", &binary),
        with_its_like("short", b"q7Zx"),
        with_its_like("pem", &pem),
    ]
}

/// Another secret that each encoder writes equally long.
fn like(secret: &[u8]) -> Vec<u8> {
    let turned = |b: u8, first: u8, count: u8| first + (b - first + 1) % count;
    let other = |b: &u8| match *b {
        // Their decimal numbers have two digits, those of the others three.
        b @ b'a'..=b'c' => turned(b, b'a', 3),
        b @ b'd'..=b'z' => turned(b, b'd', 23),
        b @ b'A'..=b'Z' => turned(b, b'A', 26),
        b @ b'0'..=b'9' => turned(b, b'0', 10),
        b => b,
    };
    secret.iter().map(other).collect()
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// What is left of one must be what is left of the other: then nothing left is the secret's.
fn check(what: &str, secrets: &[(Scrubber, Vec<u8>); 2], chain: [&Encoder; 2], around: &str) -> Result<(), String> {
    let [inner, outer] = chain.map(|(_, encode)| encode);
    let behind = &b" ."[..];
    let around = around.as_bytes();
    // What is around it is encoded never, with it, or only the second time.
    type Wrap<'a> = &'a dyn Fn(&[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>);
    let wraps: [Wrap; 3] = [
        &|secret| (around.to_vec(), outer(&inner(secret)), behind.to_vec()),
        &|secret| (Vec::new(), outer(&inner(&[around, secret, behind].concat())), Vec::new()),
        &|secret| (Vec::new(), outer(&[around, &inner(secret), behind].concat()), Vec::new()),
    ];
    // The long ones in one of these ways only.
    let long = secrets[0].1.len() > 1000;
    for (number, wrap) in wraps.iter().enumerate().filter(|(number, _)| !long || *number == what.len() % 3) {
        let what = || format!("{what}, {}, {number}", around.escape_ascii());
        let left = secrets.each_ref().map(|(scrubber, secret)| {
            let (before, written, behind) = wrap(secret);
            let text = [before.as_slice(), &written, &behind].concat();
            let left = scrubber.scrub(&text).ok_or_else(|| format!("{} is not found", what()))?.bytes;
            let kept = left.starts_with(&before) && left.ends_with(&behind);
            if kept { Ok(left) } else { Err(format!("{} takes what is around: {}", what(), left.escape_ascii())) }
        });
        let [one, other] = left;
        let (one, other) = (one?, other?);
        if one != other {
            return Err(format!("{} leaves {}", what(), one.escape_ascii()));
        }
        let redactions = one.windows(14).filter(|part| *part == b"[redacted:key]").count();
        if redactions != 1 {
            return Err(format!("{} is {redactions} finds: {}", what(), one.escape_ascii()));
        }
    }
    Ok(())
}

/// All chains for one secret; a test each, so that they run at once.
fn every_chain(name: &str) {
    let (_, secret, like) = secrets().into_iter().find(|(known, ..)| *known == name).unwrap();
    let both = [secret, like].map(|secret| (Scrubber::of([("key", secret.as_slice())].into_iter()), secret));
    let long = both[0].1.len() > 1000;
    let mut failed = Vec::new();
    for (number, inner) in ENCODERS.iter().enumerate() {
        for (other, outer) in ENCODERS.iter().enumerate() {
            let what = format!("{name}: {} in {}", inner.0, outer.0);
            // The long one at one offset only, another each time.
            let all = if long { (number + other) % 4..(number + other) % 4 + 1 } else { 0..4 };
            let around = ["", "#", "# ", " (#"].get(all).unwrap();
            failed.extend(around.iter().filter_map(|around| check(&what, &both, [inner, outer], around).err()));
        }
    }
    let shown: Vec<_> = failed.iter().take(60).map(|text| text.chars().take(300).collect::<String>()).collect();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), shown.join("\n"));
}

macro_rules! chains {
    ($($test:ident: $secret:literal)*) => {
        $(#[test]
        fn $test() {
            every_chain($secret);
        })*
    };
}

chains! {
    a_token_is_found_in_every_encoding_of_every_encoding_and_nothing_of_it_is_left: "token"
    so_is_one_that_looks_like_base64: "base64"
    so_is_one_with_quotes_and_backslashes_and_what_looks_like_an_escape: "quotes"
    so_is_one_in_utf_8: "utf-8"
    so_is_one_that_fits_latin_1: "latin"
    so_are_bytes: "binary"
    so_is_one_of_four_bytes: "short"
    so_is_one_of_four_kilobytes_with_lines: "pem"
}

#[test]
fn what_only_begins_like_a_secret_is_left_alone_in_every_encoding() {
    for (name, secret, _) in secrets() {
        let scrubber = Scrubber::of([("key", secret.as_slice())].into_iter());
        let near = [secret.split_last().unwrap().1, b"~"].concat();
        for (encoder, encode) in ENCODERS {
            assert_eq!(scrubber.scrub(&encode(&near)), None, "{name}, {encoder}");
        }
    }
}

#[test]
fn random_bytes_and_random_texts_are_left_alone() {
    let mut random = Random(11);
    let all = secrets();
    let scrubber = Scrubber::of(all.iter().map(|(name, secret, _)| (*name, secret.as_slice())));
    let alphabets: [&[u8]; 4] = [
        &std::array::from_fn::<u8, 256, _>(|i| u8::try_from(i).unwrap()),
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/-_",
        b"0123456789abcdef",
        b"\\u0046%&#;= \"n/x1",
    ];
    for alphabet in alphabets {
        for length in (0..100).chain([10_000, 100_000]) {
            let pick = |_| alphabet[usize::try_from(random.next() % 1_000_000).unwrap() % alphabet.len()];
            let text: Vec<u8> = (0..length).map(pick).collect();
            assert_eq!(scrubber.scrub(&text), None, "{}", text.escape_ascii());
        }
    }
}
