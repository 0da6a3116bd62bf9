//! The workhorse: does the input's `steps` one after another and says of each what came of it.
//!
//! Input: `{"steps": [STEP, …]}`. Output: `{"results": [RESULT, …]}`, one for each step; a step that fails does not
//! stop the others.
//!
//! | step (`do`) | fields | result |
//! | --- | --- | --- |
//! | `send` | `method`, `url`, `headers` (`[[name, value], …]`), `body`, `slot` or `slots` | `{"ok": {status, headers, body}}` or `{"error": {"kind": …}}` |
//! | `sendAll` | `requests`: the fields of `send`, each | `{"results": [as above, …]}` |
//! | `log` | `level`, `message` | `{"ok": true}` |
//! | `print` | `message` (to stdout) | `{"ok": true}` |
//! | `value` | `slot`, `name` | `{"ok": text}` or `{"error": …}` |
//! | `open` | `slot` | `{"ok": slot's name}` or `{"error": …}` |
//! | `sign` | `slot`, `algorithm`, `message` | `{"ok": MAC in hex}` or `{"error": …}` |
//! | `verify` | and `mac` in hex | `{"ok": boolean}` or `{"error": …}` |
//! | `scan` | `needle`: hex of the bytes, each XOR 0x5a | `{"found": how often}` in this guest's memory |
//! | `environment` | | `{"variables": [[name, value], …], "arguments": […]}` |
//! | `clock` | | `{"wall": {seconds, nanoseconds}, "monotonic": nanoseconds}` |
//! | `random` | | `{"bytes": 16 bytes in hex}` |
//!
//! Without a `slot` (or with null) and without `slots` no credential is attached. A name that stands in `slots` twice is one
//! handle that is attached twice, with a `+` at its end two handles of one slot. Operation `probe`; config `{"baseUrl": …, "elsewhere": …}`,
//! where `elsewhere` is a second base URL with the same routes.
#![cfg(target_arch = "wasm32")]

use std::io::Write;

use portcullis_guests::{
    Call, Error, Guest, base_url,
    credentials::{self, Credential, CredentialError, MacAlgorithm},
    http::{self, Phase},
    log, only, parse, route,
};
use portcullis_sdk::{
    Descriptor, Effect, Method,
    bindings::{
        self,
        portcullis::adapter::descriptor::{
            Body, HeaderScheme, HmacScheme, LinkPlace, MacEncoding, Oauth, Operation, Parameter, PathScheme, Route,
            Scheme, SignedHeader, Sigv4Scheme, Slot, Values,
        },
    },
    prelude::{Value, json},
};

struct Component;

impl Guest for Component {
    fn config_schema() -> String {
        json!({
            "type": "object",
            "properties": {"baseUrl": {"type": "string"}, "elsewhere": {"type": "string"}},
            "additionalProperties": false,
        })
        .to_string()
    }

    fn describe(config: String) -> Result<Descriptor, Error> {
        let mut declared = routes(&base_url(&config));
        if let Some(elsewhere) = parse(&config).get("elsewhere").and_then(Value::as_str) {
            declared.extend(
                routes(elsewhere).into_iter().map(|route| Route { id: format!("elsewhere-{}", route.id), ..route }),
            );
        }
        Ok(Descriptor {
            name: "puppet-probe".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: "A guest for tests that does what it is told.".to_owned(),
            slots: slots(&base_url(&config)),
            operations: vec![Operation {
                name: "probe".to_owned(),
                description: "Does the steps in the input.".to_owned(),
                effect: Effect::Read,
                input: json!({"type": "object"}).to_string(),
                output: json!({"type": "object"}).to_string(),
                routes: declared.iter().map(|route| route.id.clone()).collect(),
            }],
            routes: declared,
        })
    }

    fn invoke(call: Call) -> Result<String, Error> {
        only("probe", &call)?;
        let input = parse(&call.input);
        let results: Vec<Value> = list(&input, "steps").iter().map(step).collect();
        Ok(json!({"results": results}).to_string())
    }
}

bindings::export!(Component with_types_in bindings);

/// One parameter that may have any value.
fn any(name: &str) -> Vec<Parameter> {
    vec![Parameter { name: name.to_owned(), values: Values::Any }]
}

fn routes(base: &str) -> Vec<Route> {
    let with_slot = |id: &str, method, path: &str, slot: &str| Route {
        slots: vec![slot.to_owned()],
        ..route(id, method, &format!("{base}{path}"))
    };
    let text = || Some(Body::Raw(vec!["text/plain".to_owned()]));
    vec![
        route("ok", Method::Get, &format!("{base}/ok")),
        Route { request: text(), headers: any("X-Trace"), ..with_slot("echo", Method::Post, "/echo", "token") },
        Route {
            query: any("q"),
            headers: any("X-Trace"),
            ..route("items", Method::Get, &format!("{base}/items/{{id}}"))
        },
        route("look", Method::Head, &format!("{base}/ok")),
        Route { request: text(), ..route("replace", Method::Put, &format!("{base}/items/{{id}}")) },
        with_slot("basic", Method::Get, "/basic", "basic"),
        Route { headers: any("X-Go"), ..with_slot("header", Method::Get, "/header", "key") },
        with_slot("query", Method::Get, "/query", "query-key"),
        Route {
            slots: ["token", "key", "query-key", "cookie"].map(str::to_owned).to_vec(),
            ..route("several", Method::Get, &format!("{base}/several"))
        },
        with_slot("path", Method::Get, "/bot/{bot}/send/{to}", "bot"),
        with_slot("free", Method::Get, "/free", "free"),
        Route {
            request: Some(Body::Json("true".to_owned())),
            ..with_slot("member", Method::Post, "/member", "member")
        },
        Route { request: text(), ..with_slot("aws", Method::Post, "/aws", "aws") },
        Route { request: text(), ..with_slot("mac", Method::Post, "/mac", "mac") },
        with_slot("certificate", Method::Get, "/certificate", "certificate"),
        Route {
            query: any("*"),
            links: vec![
                LinkPlace::Header("next".to_owned()),
                LinkPlace::Body("/next".to_owned()),
                LinkPlace::Body("/link/*/url".to_owned()),
            ],
            ..with_slot("pages", Method::Get, "/pages/{link*}", "token")
        },
        Route {
            query: any("*"),
            links: vec![LinkPlace::Body("/next".to_owned())],
            ..with_slot("keyed", Method::Get, "/keyed/{link*}", "query-key")
        },
    ]
}

/// Tokens for the slot `token`, where an operator gives what they are asked for with.
fn oauth(base: &str) -> Oauth {
    Oauth {
        token_url: Some(format!("{base}/oauth/token")),
        authorize_url: None,
        revoke_url: None,
        metadata_url: None,
        scopes: Vec::new(),
        values: vec!["instance_url".to_owned(), "id".to_owned()],
    }
}

/// Tokens for the slot `free`: where from is the operator's to say.
fn anywhere() -> Oauth {
    Oauth {
        token_url: None,
        authorize_url: None,
        revoke_url: None,
        metadata_url: None,
        scopes: Vec::new(),
        values: Vec::new(),
    }
}

/// A signature over method, target and body.
fn hmac() -> HmacScheme {
    HmacScheme {
        algorithm: MacAlgorithm::HmacSha256,
        message: "{method}\\n{target}\\n{timestamp}\\n{body}".to_owned(),
        encoding: MacEncoding::Hex,
        headers: [("X-Signature", "{key-id}:{timestamp}:{signature}")]
            .map(|(name, value)| SignedHeader { name: name.to_owned(), value: value.to_owned() })
            .to_vec(),
    }
}

fn slots(base: &str) -> Vec<Slot> {
    let header = HeaderScheme { name: "X-Api-Key".to_owned(), prefix: String::new() };
    [
        ("token", Scheme::Bearer),
        ("basic", Scheme::Basic),
        ("key", Scheme::Header(header)),
        ("query-key", Scheme::Query("api_key".to_owned())),
        ("cookie", Scheme::Cookie("sid".to_owned())),
        ("bot", Scheme::Path(PathScheme { name: "bot".to_owned(), prefix: "bot".to_owned() })),
        ("signing", Scheme::SigningKey),
        ("free", Scheme::Bearer),
        ("member", Scheme::Body("client_key".to_owned())),
        ("aws", Scheme::Sigv4(Sigv4Scheme { service: "execute-api".to_owned(), region: "eu-central-1".to_owned() })),
        ("mac", Scheme::Hmac(hmac())),
        ("certificate", Scheme::ClientCertificate),
    ]
    .into_iter()
    .map(|(name, scheme)| Slot {
        name: name.to_owned(),
        description: format!("The slot `{name}`."),
        oauth: match name {
            "token" => Some(oauth(base)),
            "free" => Some(anywhere()),
            _ => None,
        },
        scheme,
    })
    .collect()
}

fn step(step: &Value) -> Value {
    match text(step, "do") {
        "send" => send(step),
        "sendAll" => send_all(list(step, "requests")),
        "log" => {
            log::write(level(text(step, "level")), text(step, "message"));
            json!({"ok": true})
        }
        "print" => {
            let _ = writeln!(std::io::stdout(), "{}", text(step, "message"));
            json!({"ok": true})
        }
        "open" => match credentials::open(text(step, "slot")) {
            Ok(credential) => json!({"ok": credential.slot()}),
            Err(error) => json!({"error": credential_error(error)}),
        },
        "value" => match credentials::open(text(step, "slot")).and_then(|slot| slot.value(text(step, "name"))) {
            Ok(value) => json!({"ok": value}),
            Err(error) => json!({"error": credential_error(error)}),
        },
        "sign" => signed(step, |credential, algorithm, message| {
            credential.sign(algorithm, message).map(|mac| Value::String(hex(&mac)))
        }),
        "verify" => signed(step, |credential, algorithm, message| {
            credential.verify(algorithm, message, &unhex(text(step, "mac"))).map(Value::Bool)
        }),
        "scan" => json!({"found": scan(&unhex(text(step, "needle")))}),
        "environment" => json!({
            "variables": std::env::vars().map(|(name, value)| json!([name, value])).collect::<Vec<_>>(),
            "arguments": std::env::args().collect::<Vec<_>>(),
        }),
        "clock" => {
            let wall = wasip2::clocks::wall_clock::now();
            json!({
                "wall": {"seconds": wall.seconds, "nanoseconds": wall.nanoseconds},
                "monotonic": wasip2::clocks::monotonic_clock::now(),
            })
        }
        "random" => json!({"bytes": hex(&wasip2::random::random::get_random_bytes(16))}),
        other => json!({"error": {"kind": "unknown-step", "message": format!("there is no step `{other}`")}}),
    }
}

fn send(step: &Value) -> Value {
    let credential = match open(step) {
        Ok(credential) => credential,
        Err(error) => return outcome(Err(http::Error::Credential(error))),
    };
    match request(step) {
        Ok(request) => outcome(http::send(&request, &handles(step, &credential))),
        Err(problem) => problem,
    }
}

fn send_all(steps: &[Value]) -> Value {
    let mut opened = Vec::with_capacity(steps.len());
    for step in steps {
        match (request(step), open(step)) {
            (Ok(request), Ok(credential)) => opened.push((request, credential)),
            (Err(problem), _) => return problem,
            (_, Err(error)) => return outcome(Err(http::Error::Credential(error))),
        }
    }
    let requests: Vec<_> = opened
        .iter()
        .zip(steps)
        .map(|((request, credentials), step)| (request.clone(), handles(step, credentials)))
        .collect();
    json!({"results": http::send_all(&requests).into_iter().map(outcome).collect::<Vec<_>>()})
}

/// A handle of each slot that a step names.
fn open(step: &Value) -> Result<Vec<(String, Credential)>, CredentialError> {
    let mut opened: Vec<(String, Credential)> = Vec::new();
    for name in names(step) {
        if !opened.iter().any(|(known, _)| known == name) {
            opened.push((name.to_owned(), credentials::open(name.trim_end_matches('+'))?));
        }
    }
    Ok(opened)
}

fn names(step: &Value) -> impl Iterator<Item = &str> {
    step.get("slot").into_iter().chain(list(step, "slots")).filter_map(Value::as_str)
}

/// The handles in the order in which the step names them.
fn handles<'a>(step: &Value, opened: &'a [(String, Credential)]) -> Vec<&'a Credential> {
    names(step).filter_map(|name| opened.iter().find(|(known, _)| known == name)).map(|(_, handle)| handle).collect()
}

fn request(step: &Value) -> Result<http::Request, Value> {
    let method = match text(step, "method") {
        "" | "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        other => {
            let message = format!("the contract has no method `{other}`");
            return Err(json!({"error": {"kind": "unknown-method", "message": message}}));
        }
    };
    let part = |pair: &Value, index: usize| {
        pair.as_array().and_then(|pair| pair.get(index)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let headers = list(step, "headers")
        .iter()
        .map(|pair| http::Header { name: part(pair, 0), value: part(pair, 1).into_bytes() })
        .collect();
    let body = step.get("body").and_then(Value::as_str).map(|body| body.as_bytes().to_vec());
    Ok(http::Request { method, url: text(step, "url").to_owned(), headers, body })
}

fn outcome(result: Result<http::Response, http::Error>) -> Value {
    let response = match result {
        Ok(response) => response,
        Err(error) => return json!({"error": http_error(error)}),
    };
    let headers: Vec<_> =
        response.headers.iter().map(|header| json!([header.name, String::from_utf8_lossy(&header.value)])).collect();
    json!({"ok": {"status": response.status, "headers": headers, "body": String::from_utf8_lossy(&response.body)}})
}

fn http_error(error: http::Error) -> Value {
    let fault =
        |kind: &str, fault: http::Fault| json!({"kind": kind, "origin": fault.origin, "message": fault.message});
    match error {
        http::Error::Denied(denial) => json!({
            "kind": "denied", "rule": denial.rule, "message": denial.message, "allowWith": denial.allow_with,
        }),
        http::Error::Bound(bound) => json!({"kind": "bound", "name": bound.name, "limit": bound.limit}),
        http::Error::Credential(error) => json!({"kind": "credential", "error": credential_error(error)}),
        http::Error::Dns(found) => fault("dns", found),
        http::Error::Connect(found) => fault("connect", found),
        http::Error::Tls(found) => fault("tls", found),
        http::Error::Protocol(found) => fault("protocol", found),
        http::Error::Unavailable(at) => {
            let reason = match at.reason {
                http::UnavailableReason::RateLimited => "rate-limited",
                http::UnavailableReason::CircuitOpen => "circuit-open",
            };
            json!({"kind": "unavailable", "origin": at.origin, "reason": reason, "retryAfterMs": at.retry_after_ms})
        }
        http::Error::Timeout(timeout) => {
            let phase = match timeout.phase {
                Phase::Dns => "dns",
                Phase::Connect => "connect",
                Phase::FirstByte => "first-byte",
                Phase::Idle => "idle",
                Phase::Total => "total",
            };
            json!({"kind": "timeout", "phase": phase, "limitMs": timeout.limit_ms})
        }
    }
}

fn credential_error(error: CredentialError) -> Value {
    let (kind, message) = match error {
        CredentialError::NoSuchSlot(message) => ("no-such-slot", message),
        CredentialError::NotGranted(message) => ("not-granted", message),
        CredentialError::Unavailable(message) => ("unavailable", message),
        CredentialError::WrongUse(message) => ("wrong-use", message),
    };
    json!({"kind": kind, "message": message})
}

fn signed(step: &Value, work: impl Fn(&Credential, MacAlgorithm, &[u8]) -> Result<Value, CredentialError>) -> Value {
    let algorithm = match text(step, "algorithm") {
        "hmac-sha1" => MacAlgorithm::HmacSha1,
        "hmac-sha512" => MacAlgorithm::HmacSha512,
        _ => MacAlgorithm::HmacSha256,
    };
    let message = text(step, "message").as_bytes();
    match credentials::open(text(step, "slot")).and_then(|credential| work(&credential, algorithm, message)) {
        Ok(value) => json!({"ok": value}),
        Err(error) => json!({"error": credential_error(error)}),
    }
}

fn level(name: &str) -> log::Level {
    match name {
        "trace" => log::Level::Trace,
        "debug" => log::Level::Debug,
        "warn" => log::Level::Warn,
        "error" => log::Level::Error,
        _ => log::Level::Info,
    }
}

/// How often the masked bytes occur, unmasked, anywhere in this guest's linear memory.
///
/// The needle stays masked: each byte of memory is masked and compared, so that looking for a secret never writes it
/// down, neither in memory nor on the stack.
#[allow(unsafe_code, reason = "reads all of linear memory, which no safe code can")]
fn scan(masked: &[u8]) -> usize {
    const MASK: u8 = 0x5a;
    const PAGE: usize = 65_536;
    let Some((first, rest)) = masked.split_first() else { return 0 };
    let end = core::arch::wasm32::memory_size::<0>().saturating_mul(PAGE);
    // SAFETY: every address below `end` is in linear memory and holds a byte; volatile, so that the compiler neither
    // assumes what is there nor keeps a copy. Reading does not change what it reads, and there is only one thread.
    let masked_byte_at = |address: usize| unsafe { core::ptr::read_volatile(address as *const u8) } ^ MASK;
    (0..end.saturating_sub(rest.len()))
        .filter(|address| {
            masked_byte_at(*address) == *first
                && rest.iter().enumerate().all(|(index, byte)| masked_byte_at(address + 1 + index) == *byte)
        })
        .count()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).unwrap_or(0);
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | nibble(*digit)))
        .collect()
}
