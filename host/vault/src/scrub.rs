//! Finds an integration's secrets in what an upstream sends back, and replaces them before a guest sees it.
//!
//! Debug endpoints, error pages and proxies echo requests. What is looked for is the secret itself and the ways such
//! echoes usually write it: base64 and base64url wherever in a longer text it stands (three alignments), hex, URL
//! escapes, JSON escapes, and the password half of a Basic credential. It is a net, not a proof: an upstream that wants to
//! hand a secret to a guest can encode it in a way of its own. Such an upstream holds the secret already.

use std::fmt;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD},
};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Shortest pattern, in bytes: shorter ones would be found everywhere.
const MIN_PATTERN: usize = 4;

/// What finds a vault's secrets.
#[derive(Default)]
pub struct Scrubber {
    /// None where there is nothing to find.
    automaton: Option<AhoCorasick>,
    /// What each pattern is replaced by.
    replacements: Vec<String>,
}

/// What is left of a text after scrubbing.
#[derive(Debug, PartialEq, Eq)]
pub struct Scrubbed {
    /// The text with each find replaced by `[redacted:SLOT]`.
    pub bytes: Vec<u8>,
    /// How many were found.
    pub found: u32,
}

impl Scrubber {
    /// For these secrets, each with its slot's name.
    pub fn new<'a>(secrets: impl Iterator<Item = (&'a String, &'a Secret)>) -> Self {
        let mut patterns: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        let mut replacements = Vec::new();
        for (slot, secret) in secrets {
            for form in forms(secret.expose()) {
                if form.len() >= MIN_PATTERN && !patterns.contains(&form) {
                    patterns.push(form);
                    replacements.push(format!("[redacted:{slot}]"));
                }
            }
        }
        if patterns.is_empty() {
            return Self::default();
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            // Header names arrive in lower case, and escapes in either.
            .ascii_case_insensitive(true)
            .build(patterns.iter().map(|pattern| pattern.as_slice()))
            .ok();
        debug_assert!(automaton.is_some(), "a few short patterns always fit");
        Self { automaton, replacements }
    }

    /// Replaces what is found; none if there is nothing, so that a clean text costs no copy.
    pub fn scrub(&self, bytes: &[u8]) -> Option<Scrubbed> {
        let automaton = self.automaton.as_ref()?;
        let mut out = Vec::new();
        let mut done = 0;
        let mut found = 0;
        for hit in automaton.find_iter(bytes) {
            out.extend_from_slice(bytes.get(done..hit.start()).unwrap_or_default());
            let replacement = self.replacements.get(hit.pattern().as_usize());
            out.extend_from_slice(replacement.map_or(&b"[redacted]"[..], |text| text.as_bytes()));
            done = hit.end();
            found += 1;
        }
        if found == 0 {
            return None;
        }
        out.extend_from_slice(bytes.get(done..).unwrap_or_default());
        Some(Scrubbed { bytes: out, found })
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scrubber({} patterns)", self.replacements.len())
    }
}

/// The ways a secret is usually written.
fn forms(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut all = written(secret);
    // Of `user:password` the password alone is secret too; with an empty password, as some providers have it, the user.
    if let Some(colon) = secret.iter().position(|b| *b == b':') {
        let (user, password) = secret.split_at(colon);
        let part = password.get(1..).filter(|p| !p.is_empty()).unwrap_or(user);
        if part.len() >= MIN_PATTERN {
            all.extend(written(part));
        }
    }
    all
}

fn written(secret: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut all = vec![secret.to_vec()];
    for offset in 0..3 {
        // What of the base64 text depends on the secret alone, whatever stands around it.
        let mut padded = Zeroizing::new(vec![0; offset]);
        padded.extend_from_slice(secret);
        let first = (offset * 8).div_ceil(6);
        let last = (padded.len() * 8) / 6;
        for text in [BASE64_STANDARD_NO_PAD.encode(&padded), BASE64_URL_SAFE_NO_PAD.encode(&padded)] {
            let text = Zeroizing::new(text);
            // As JSON encoders write it that escape the slash.
            if text.contains('/') {
                let text = Zeroizing::new(text.get(first..last).unwrap_or_default().replace('/', "\\/"));
                all.push(text.as_bytes().to_vec());
            }
            all.push(text.as_bytes().get(first..last).unwrap_or_default().to_vec());
        }
    }
    let each = |write: &dyn Fn(u8) -> Vec<u8>| secret.iter().flat_map(|b| write(*b)).collect::<Vec<u8>>();
    let kept = |b: u8| vec![b];
    let slashed = |b: u8| vec![b'\\', b];
    all.push(each(&|b| format!("{b:02x}").into_bytes()));
    all.push(each(&|b| format!("{b:02X}").into_bytes()));
    // URL escapes: all but the unreserved characters (RFC 3986), in either case; and as forms write them.
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let form = |b: u8| b.is_ascii_alphanumeric() || b"-._*".contains(&b);
    all.push(each(&|b| if unreserved(b) { kept(b) } else { format!("%{b:02X}").into_bytes() }));
    all.push(each(&|b| if unreserved(b) { kept(b) } else { format!("%{b:02x}").into_bytes() }));
    all.push(each(&|b| match b {
        b' ' => kept(b'+'),
        _ if form(b) => kept(b),
        _ => format!("%{b:02X}").into_bytes(),
    }));
    // JSON escapes (RFC 8259): the short ones, with and without the slash, and HTML-safe encoders' `\u0026`.
    all.push(each(&|b| if b"\"\\".contains(&b) { slashed(b) } else { kept(b) }));
    all.push(each(&|b| if b"\"\\/".contains(&b) { slashed(b) } else { kept(b) }));
    // JSON inside of a JSON string, as debug endpoints give back a request's body.
    all.push(each(&|b| match b {
        b'"' => b"\\\\\\\"".to_vec(),
        b'\\' => b"\\\\\\\\".to_vec(),
        _ => kept(b),
    }));
    all.push(each(&|b| match b {
        b'<' | b'>' | b'&' | b'\'' | b'"' => format!("\\u{b:04x}").into_bytes(),
        b'\\' => slashed(b),
        _ => kept(b),
    }));
    // HTML escapes, as error pages write them.
    all.push(each(&|b| match b {
        b'<' => b"&lt;".to_vec(),
        b'>' => b"&gt;".to_vec(),
        b'&' => b"&amp;".to_vec(),
        b'"' => b"&quot;".to_vec(),
        b'\'' => b"&#39;".to_vec(),
        _ => kept(b),
    }));
    all.into_iter().map(Zeroizing::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cr3t/+&\"token\"<x>~ümlaut";
    const ASCII: &str = "sk_live/4eC39+HqLy&j\"Wd\\arj'tT1<z>dp 7dc";

    fn scrub(secret: &str, text: &[u8]) -> Option<String> {
        let secret = Secret::try_from(secret).unwrap();
        let slot = "key".to_owned();
        let scrubber = Scrubber::new([(&slot, &secret)].into_iter());
        scrubber.scrub(text).map(|scrubbed| String::from_utf8_lossy(&scrubbed.bytes).into_owned())
    }

    #[test]
    fn a_clean_text_is_left_alone() {
        assert_eq!(scrub(SECRET, b"nothing to see"), None);
        assert_eq!(Scrubber::default().scrub(b"abc"), None);
    }

    #[test]
    fn the_secret_itself_is_found_wherever_it_stands() {
        for secret in [SECRET, ASCII] {
            assert_eq!(scrub(secret, format!("a {secret} b").as_bytes()).unwrap(), "a [redacted:key] b");
        }
    }

    #[test]
    fn base64_is_found_in_every_alignment_and_alphabet() {
        for secret in [SECRET, ASCII] {
            for around in ["", "x", "xy", "xyz", "user:"] {
                let plain = format!("{around}{secret}{around}");
                for text in [BASE64_STANDARD_NO_PAD.encode(&plain), BASE64_URL_SAFE_NO_PAD.encode(&plain)] {
                    let left = scrub(secret, text.as_bytes()).unwrap_or_else(|| panic!("{around}"));
                    assert!(left.len() < text.len(), "{left}");
                }
            }
        }
    }

    #[test]
    fn escapes_are_found() {
        let json = serde_json_like(ASCII);
        let twice = serde_json_like(&json);
        let url: String = url::form_urlencoded::byte_serialize(ASCII.as_bytes()).collect();
        let percent: String = ASCII
            .bytes()
            .map(|b| {
                if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                    char::from(b).to_string()
                } else {
                    format!("%{b:02X}")
                }
            })
            .collect();
        let hex: String = ASCII.bytes().map(|b| format!("{b:02x}")).collect();
        for text in [
            json,
            twice,
            url,
            percent.clone(),
            hex.clone(),
            hex.to_uppercase(),
            ASCII
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&#39;"),
        ] {
            assert_eq!(scrub(ASCII, text.as_bytes()).as_deref(), Some("[redacted:key]"), "{text}");
        }
        let percent: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        assert!(scrub(SECRET, percent.as_bytes()).is_some());
    }

    #[test]
    fn the_password_half_of_a_basic_credential_is_found_and_a_lone_user_too() {
        assert_eq!(scrub("user:hunter22", b"pw=hunter22").unwrap(), "pw=[redacted:key]");
        assert_eq!(scrub("user:hunter22", b"hello user"), None);
        assert_eq!(scrub("sk_live_1:", b"sk_live_1").unwrap(), "[redacted:key]");
    }

    fn serde_json_like(text: &str) -> String {
        text.replace('\\', "\\\\").replace('"', "\\\"")
    }
}
