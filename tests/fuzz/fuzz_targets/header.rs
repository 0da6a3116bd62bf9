//! Header fields as a guest writes them: a name up to the first NUL, then the value. What is accepted is what the HTTP
//! library would send as it is, and never a field that is the host's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_gate::{HeaderRefusal, OpenSlot, Scheme, judge_header};

/// Spelt another time, and in another way than the gate has it: without `-` and `_`.
const HOSTS: &[&str] = &[
    "acceptencoding",
    "authorization",
    "connection",
    "contentlength",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2settings",
    "ifrange",
    "keepalive",
    "maxforwards",
    "range",
    "te",
    "trailer",
    "transferencoding",
    "upgrade",
    "via",
    "xhost",
    "xhttpdestinationurl",
    "xmethodoverride",
    "xoverrideurl",
    "xrealip",
];

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    let (name, value) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    let Ok(name) = std::str::from_utf8(name) else { return };
    let scheme = Scheme::Header { name: "X-Api_Key".to_owned(), prefix: String::new() };
    let slot = |scheme| OpenSlot { name: "key".to_owned(), scheme, segment: None };
    let plain = judge_header(name, value, &[]);
    let judged = judge_header(name, value, &[slot(Scheme::Bearer), slot(scheme)]);
    for other in [Scheme::Bearer, Scheme::Basic, Scheme::SigningKey, Scheme::Query { name: name.to_owned() }] {
        assert_eq!(judge_header(name, value, &[slot(other)]), plain);
    }
    let lower = name.to_ascii_lowercase();
    let spelt = lower.replace('_', "-");
    assert_eq!(judged, if plain.is_ok() && spelt == "x-api-key" { Err(HeaderRefusal::Slot) } else { plain });
    if plain.is_ok() {
        let sent = http::HeaderName::from_bytes(name.as_bytes()).expect("the library does not take this name");
        assert_eq!(sent.as_str(), lower);
        let sent = http::HeaderValue::from_bytes(value).expect("the library does not take this value");
        assert_eq!(sent.as_bytes(), value);
        assert!(!value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)));
        let hyphens = spelt.matches('-').count();
        let bare = spelt.replace('-', "");
        let known = HOSTS.iter().any(|host| *host == bare);
        // The same letters with hyphens elsewhere are another field.
        assert!(!known || hyphens != usual_hyphens(&bare) || !is_usual(&spelt), "{name:?} is the host's to write");
        for prefix in ["proxy", "x-forwarded", "x-http-method", "x-original-", "x-rewrite-"] {
            assert!(!spelt.starts_with(prefix), "{name:?} is the host's to write");
        }
    }
    if plain == Err(HeaderRefusal::Name) {
        let token =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !br#"(),/:;<=>?@[\]{}""#.contains(&b));
        assert!(!token || name.len() > 128, "{name:?} is a token");
    }
    if plain == Err(HeaderRefusal::Value) {
        assert!(value.iter().any(|b| b.is_ascii_control() && *b != b'\t'), "{value:?}");
    }
});

fn usual_hyphens(bare: &str) -> usize {
    match bare {
        "xhttpdestinationurl" | "xmethodoverride" | "xoverrideurl" | "xrealip" => 2,
        "acceptencoding" | "contentlength" | "http2settings" | "ifrange" | "keepalive" | "maxforwards" => 1,
        "transferencoding" | "xhost" => 1,
        _ => 0,
    }
}

/// Whether the hyphens stand where the field has them.
fn is_usual(spelt: &str) -> bool {
    const SPELT: &[&str] = &[
        "accept-encoding",
        "content-length",
        "http2-settings",
        "if-range",
        "keep-alive",
        "max-forwards",
        "transfer-encoding",
        "x-host",
        "x-http-destinationurl",
        "x-method-override",
        "x-override-url",
        "x-real-ip",
    ];
    !spelt.contains('-') || SPELT.contains(&spelt)
}
