//! The promise, kept on one screen: `cargo xtask demo [--json]`.
//!
//! Everything that is shown is what calls returned and what a local upstream received; the demo adds words, no results.

use std::{
    env,
    error::Error,
    fs,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use anstyle::{AnsiColor, Style};
use portcullis_runtime::{
    Adapter, Call, Caller, Denial, Grant, Ledger, LedgerOptions, MemoryVault, NewIntegration, Outcome, Runtime, Secret,
    Sight, WouldSend,
    store::{Embedded, Options},
};
use portcullis_tests::{
    folder, guests,
    upstream::{Answer, Received, Upstream},
};
use serde_json::{Value, json};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    if let Some(code) = portcullis_runtime::compile_if_asked() {
        return code;
    }
    let json = env::args().any(|argument| argument == "--json");
    let told = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|tokio| tokio.block_on(run()));
    match told {
        Ok(story) if json => anstream::println!("{}", story.as_json()),
        Ok(story) => story.tell(),
        Err(error) => {
            anstream::eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// What happened.
struct Story {
    inspect: Value,
    sandbox: Outcome,
    live: Outcome,
    token: String,
    received: Vec<Received>,
    guest_saw: bool,
    scanned: Scan,
    denied: Vec<(String, Denial)>,
    leaked: usize,
}

/// A guest's search of its own memory, after a live call with a credential.
struct Scan {
    sent_with_credential: bool,
    found: u64,
}

/// Keeps every byte that the host hands to a guest.
#[derive(Default)]
struct Recorder(Mutex<Vec<Vec<u8>>>);

impl Sight for Recorder {
    fn lowered(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes.to_vec());
    }
}

impl Recorder {
    fn saw(&self, needle: &[u8]) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    }
}

async fn run() -> Result<Story, Failure> {
    let data = folder::cache();
    fs::create_dir_all(&data)?;
    let runtime = Runtime::builder(
        Ledger::open(
            Arc::new(Embedded::open(data.join("demo-store"), Options::default()).await?),
            LedgerOptions::default(),
        )
        .await?,
    )
    .cache(&data)
    .cache_key(folder::cache_key())
    .calls_at_once(8)
    .build()?;
    let postmark = runtime.load(&folder::adapter("postmark")?).await?;
    let probe = runtime.load(&folder::guest(guests::PUPPET_PROBE)?).await?;
    // A token that nobody can have written anywhere before.
    let token = format!(
        "pm-{:032x}",
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos() ^ u128::from(std::process::id()) << 64
    );
    let upstream = Upstream::start(answer).await?;

    let config = json!({ "baseUrl": upstream.origin() });
    let descriptor = runtime.describe(&postmark, &config).await?;
    let inspect = json!({
        "digest": postmark.digest(),
        "bytes": postmark.upload().bytes,
        "contract": postmark.upload().contract,
        "imports": postmark.upload().imports,
        "operations": descriptor.operations.iter().map(|o| json!({"name": o.name, "effect": o.effect})).collect::<Vec<_>>(),
        "routes": descriptor.routes.iter().map(|r| json!({"method": r.method, "url": r.url, "slots": r.slots})).collect::<Vec<_>>(),
        "slots": descriptor.slots.iter().map(|s| json!({"name": s.name, "scheme": s.scheme})).collect::<Vec<_>>(),
    });

    let vault = MemoryVault::new();
    vault.put("server-token", Secret::try_from(token.as_str())?);
    let route = format!("method = \"POST\"\nurl = \"{}/email\"\nslots = [\"server-token\"]", upstream.origin());
    let grant = grant(&postmark, "sendEmail", &upstream.address.to_string(), &[&route])?;
    let mail = runtime
        .integrate(NewIntegration::new("demo", "mail", postmark, grant).config(config).vault(Arc::new(vault)))
        .await?;
    let call = || {
        let input = json!({
            "From": "orders@acme.example",
            "To": "ada@example.com",
            "Subject": "Your order",
            "TextBody": "It is on its way.",
        });
        Call::new(Caller::principal("user:demo"), "sendEmail", input)
    };
    let sandbox = mail.call(call()).await;
    let before = upstream.received().len();
    let recorder = Arc::new(Recorder::default());
    let live = mail.call(call().live().sight(recorder.clone())).await;
    let received = upstream.received();
    if before != 0 {
        return Err("sandbox mode sent something".into());
    }
    let sent = received.len();
    let scanned = scan(&runtime, probe.clone(), &upstream, &token).await?;
    let denied = attempts(&runtime, probe, &upstream).await?;
    // Only the scan's own request may have come after the live call.
    let leaked = upstream.received().len() - sent - usize::from(scanned.sent_with_credential);
    Ok(Story {
        inspect,
        sandbox,
        live,
        guest_saw: recorder.saw(token.as_bytes()),
        token,
        received,
        scanned,
        denied,
        leaked,
    })
}

/// What Postmark answers, in its own shape.
fn answer(request: &Received) -> Answer {
    match request.target.as_str() {
        "/email" => Answer::json(&json!({
            "To": "ada@example.com",
            "SubmittedAt": "2026-01-05T10:00:00Z",
            "MessageID": "0a129aee-e1cd-480d-b08d-4f48548ff48d",
            "ErrorCode": 0,
            "Message": "OK",
        })),
        _ => Answer::json(&json!({ "ok": true })),
    }
}

fn grant(adapter: &Adapter, operation: &str, carve_out: &str, routes: &[&str]) -> Result<Grant, Failure> {
    let routes: String = routes.iter().map(|route| format!("[[routes]]\n{route}\n")).collect();
    let text = format!(
        "adapter = \"{}\"\noperations = [\"{operation}\"]\ncarve_outs = [\"{carve_out}\"]\n{routes}",
        adapter.digest()
    );
    Ok(Grant::parse(&text)?)
}

/// A guest sends with the credential, then looks for it in all of its memory.
async fn scan(runtime: &Runtime, probe: Adapter, upstream: &Upstream, token: &str) -> Result<Scan, Failure> {
    let route = format!("method = \"POST\"\nurl = \"{}/echo\"\nslots = [\"token\"]", upstream.origin());
    let grant = grant(&probe, "probe", &upstream.address.to_string(), &[&route])?;
    let vault = MemoryVault::new();
    vault.put("token", Secret::try_from(token)?);
    let config = json!({ "baseUrl": upstream.origin() });
    let spy = runtime
        .integrate(NewIntegration::new("demo", "spy", probe, grant).config(config).vault(Arc::new(vault)))
        .await?;
    // The needle is handed over in disguise, or handing it over would put it there.
    let needle: String = token.bytes().map(|b| format!("{:02x}", b ^ 0x5a)).collect();
    let input = json!({"steps": [
        {"do": "send", "method": "POST", "url": format!("{}/echo", upstream.origin()), "headers": [], "body": "{}", "slot": "token"},
        {"do": "scan", "needle": needle},
    ]});
    let outcome = spy.call(Call::new(Caller::principal("user:demo"), "probe", input).live()).await;
    let output = outcome.result?;
    let found =
        output.pointer("/results/1/found").and_then(Value::as_u64).ok_or_else(|| format!("no scan in {output}"))?;
    let bearer = format!("Bearer {token}");
    let sent_with_credential =
        upstream.received().last().and_then(|last| last.header("authorization")) == Some(bearer.as_str());
    Ok(Scan { sent_with_credential, found })
}

/// A guest tries what was not granted.
async fn attempts(runtime: &Runtime, probe: Adapter, upstream: &Upstream) -> Result<Vec<(String, Denial)>, Failure> {
    let route = format!("method = \"GET\"\nurl = \"{}/ok\"", upstream.origin());
    let local = upstream.address.to_string();
    let granted = grant(&probe, "probe", &local, &[&route])?;
    let config = json!({ "baseUrl": upstream.origin() });
    let greedy =
        runtime.integrate(NewIntegration::new("demo", "greedy", probe.clone(), granted).config(config)).await?;
    // This one is granted a name, and the name stands for an address of this machine.
    let name = format!("https://localhost:{}", upstream.address.port());
    let route = format!("method = \"GET\"\nurl = \"{name}/ok\"");
    let inner = grant(&probe, "probe", "127.0.0.1:1", &[&route])?;
    let inward = runtime
        .integrate(NewIntegration::new("demo", "inward", probe, inner).config(json!({ "baseUrl": name })))
        .await?;

    let mut denied = Vec::new();
    for (integration, url) in [
        (&greedy, "https://evil.example/collect".to_owned()),
        (&inward, format!("{name}/ok")),
        (&greedy, format!("{}/admin/users", upstream.origin())),
    ] {
        let input =
            json!({"steps": [{"do": "send", "method": "GET", "url": url, "headers": [], "body": null, "slot": null}]});
        let mut outcome = integration.call(Call::new(Caller::principal("user:demo"), "probe", input).live()).await;
        let denial = outcome.denials.pop().ok_or_else(|| format!("GET {url} was not denied: {:?}", outcome.result))?;
        denied.push((format!("GET {url}"), denial));
    }
    Ok(denied)
}

impl Story {
    fn upstream_saw(&self) -> bool {
        self.received.iter().any(|request| request.header("x-postmark-server-token") == Some(self.token.as_str()))
    }

    fn guest_saw(&self) -> bool {
        self.guest_saw || self.scanned.found > 0
    }

    fn as_json(&self) -> Value {
        json!({
            "inspect": self.inspect,
            "sandbox": {
                "output": self.sandbox.result.as_ref().ok(),
                "error": self.sandbox.result.as_ref().err().map(ToString::to_string),
                "would_send": self.sandbox.would_send,
                "receipt": self.sandbox.receipt,
            },
            "live": {
                "output": self.live.result.as_ref().ok(),
                "error": self.live.result.as_ref().err().map(ToString::to_string),
                "receipt": self.live.receipt,
                "upstream_saw_credential": self.upstream_saw(),
                "guest_saw_credential": self.guest_saw(),
                "copies_in_guest_memory": self.scanned.found,
            },
            "denied": self.denied.iter().map(|(attempt, denial)| json!({
                "attempt": attempt,
                "rule": denial.rule,
                "reason": denial.message,
                "allow_with": denial.allow_with,
            })).collect::<Vec<_>>(),
            "requests_that_leaked": self.leaked,
        })
    }

    fn tell(&self) {
        let bold = Style::new().bold();
        let good = Style::new().bold().fg_color(Some(AnsiColor::Green.into()));
        let bad = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let dim = Style::new().dimmed();
        let heading = |number: u8, text: &str| anstream::println!("\n{bold}{number}. {text}{bold:#}");
        let verdict = |right: bool, yes: &str, no: &str| {
            if right { format!("{good}{yes}{good:#}") } else { format!("{bad}{no}{bad:#}") }
        };

        heading(1, "Inspect: what the Postmark adapter can do, before it does anything");
        let text = |pointer: &str| self.inspect.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |name: &str| self.inspect.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let word = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        anstream::println!("   {} · contract portcullis:adapter@{}", short(&text("/digest")), text("/contract"));
        for effect in ["read", "write", "destructive"] {
            let named = list("operations");
            let named = named.iter().filter(|o| word(o, "effect") == effect).map(|o| word(o, "name"));
            let named: Vec<String> = named.collect();
            if !named.is_empty() {
                anstream::println!("   {effect:<11} {}", named.join(", "));
            }
        }
        let slots: Vec<String> = list("slots").iter().map(|s| word(s, "name")).collect();
        anstream::println!("   secrets     {} {dim}(used by handle, never read){dim:#}", slots.join(", "));
        anstream::println!("   granted     sendEmail, one route, one secret; everything else stays shut");

        heading(2, "Sandbox: the same component, the same gate, and nothing leaves");
        for would in &self.sandbox.would_send {
            anstream::println!("{}", would_have_sent(would));
        }
        anstream::println!(
            "   answer      {} {dim}made up from the declared schema{dim:#}",
            brief(&self.sandbox.result)
        );

        heading(3, "Live: the token goes on the wire, and never into the adapter");
        anstream::println!("   answer      {}", brief(&self.live.result));
        let line =
            self.received.first().map(|request| format!("{} {}", request.method, request.target)).unwrap_or_default();
        let token = format!("X-Postmark-Server-Token: {}", self.token);
        anstream::println!("   upstream    received {line} with {}", verdict(self.upstream_saw(), &token, "no token"));
        anstream::println!(
            "   adapter     {}; a guest that searched all its memory found {} copies",
            verdict(!self.guest_saw(), "was handed no byte of it", "WAS HANDED THE TOKEN"),
            self.scanned.found
        );

        heading(4, "Denied: what was not granted does not happen");
        for (attempt, denial) in &self.denied {
            anstream::println!("   {bad}✗{bad:#} {attempt}\n     {bold}{}{bold:#}: {}", denial.rule, denial.message);
        }
        anstream::println!("   {}", verdict(self.leaked == 0, "none of it reached anything", "SOMETHING LEAKED"));

        heading(5, "Receipt of the live call");
        let receipt = &self.live.receipt;
        let micros = |us: u64| format!("{:.2?}", Duration::from_micros(us));
        anstream::println!(
            "   fuel {} · guest CPU {} · host CPU {} · wall {} · peak memory {:.1} MiB · {} B out, {} B in",
            receipt.fuel,
            micros(receipt.guest_cpu_us),
            micros(receipt.host_cpu_us),
            micros(receipt.wall_us),
            receipt.peak_memory_bytes as f64 / 1_048_576.0,
            receipt.bytes_out,
            receipt.bytes_in
        );
    }
}

fn would_have_sent(would: &WouldSend) -> String {
    let mut text = format!("   would send  {} {}", would.method, would.url);
    for (name, value) in &would.headers {
        text += &format!("\n               {name}: {value}");
    }
    if let Some(portcullis_runtime::Body::Json(body)) = &would.body {
        text += &format!("\n               {body}");
    }
    text
}

fn brief(result: &Result<portcullis_runtime::Json, portcullis_runtime::CallError>) -> String {
    match result {
        Ok(output) => output.to_string(),
        Err(error) => format!("FAILED: {error}"),
    }
}

fn short(digest: &str) -> String {
    digest.chars().take(19).chain("…".chars()).collect()
}
