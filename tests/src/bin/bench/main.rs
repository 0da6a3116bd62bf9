//! What a governed call costs, beside a bare one: `cargo xtask bench [--json] [--quick]`; and what a durable record costs:
//! `cargo xtask bench ledger`; and what a credential costs: `cargo xtask bench vault`.
//!
//! One run, one upstream in a process of its own, the contenders in turn and several times over, medians with their
//! spread: the machines this runs on are shared, and only ratios taken in one run mean anything.

mod ledger;
mod pure;
mod vault;

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use portcullis_runtime::{
    Adapter, Call, Caller, Compiler, Grant, Integration, Ledger, LedgerOptions, MemoryVault, NewIntegration, Runtime,
    Secret,
    store::{Embedded, Options},
};
use portcullis_sandbox::{Sandbox, SandboxOptions};
use portcullis_tests::{folder, guests};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

type Failure = Box<dyn Error + Send + Sync>;

/// Set in the environment of the process that is the upstream.
const UPSTREAM: &str = "PORTCULLIS_BENCH_UPSTREAM";
const TOKEN: &str = "bench-token-0123456789";
const CONCURRENCY: [usize; 3] = [1, 16, 64];

fn main() -> ExitCode {
    if let Some(code) = portcullis_runtime::compile_if_asked() {
        return code;
    }
    let upstream = env::var_os(UPSTREAM).is_some();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|tokio| tokio.block_on(async { if upstream { serve().await } else { run().await } }));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The upstream: answers every request with the same small JSON.
async fn serve() -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    anstream::println!("{}", listener.local_addr()?);
    // It ends with the bench: its standard input is a pipe that closes then.
    std::thread::spawn(|| {
        let _ = std::io::stdin().lock().lines().count();
        std::process::exit(0);
    });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
            let _ = request.into_body().collect().await;
            Response::builder()
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from_static(br#"{"id":"0a1b2c3d","status":"queued"}"#)))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

struct Stop(Child);

impl Drop for Stop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn run() -> Result<(), Failure> {
    let options: Vec<String> = env::args().skip(1).collect();
    let has = |name: &str| options.iter().any(|option| option == name);
    if let Some((of @ ("ledger" | "vault"), options)) =
        options.split_first().map(|(first, rest)| (first.as_str(), rest))
    {
        if let Some(other) = options.iter().find(|option| !matches!(option.as_str(), "--json" | "--quick")) {
            return Err(format!("unknown option {other}; there are --json and --quick").into());
        }
        return match of {
            "vault" => vault::run(has("--json"), has("--quick")).await,
            _ => ledger::run(has("--json"), has("--quick")).await,
        };
    }
    // For a profiler: one contender at one concurrency.
    let only = options.iter().find_map(|option| option.strip_prefix("--only="));
    if let Some(other) =
        options.iter().find(|option| !matches!(option.as_str(), "--json" | "--quick") && only.is_none())
    {
        return Err(format!(
            "unknown option {other}; there are ledger, vault, --json, --quick and --only=pure or --only=sandbox:16"
        )
        .into());
    }
    if only == Some("pure") {
        print_pure(&pure::figures()?);
        return Ok(());
    }
    let (rounds, window) = if has("--quick") { (3, Duration::from_millis(700)) } else { (7, Duration::from_secs(2)) };

    let child = Command::new(env::current_exe()?)
        .env(UPSTREAM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Stop);
    let mut child = child?;
    let mut address = String::new();
    BufReader::new(child.0.stdout.take().ok_or("no upstream")?).read_line(&mut address)?;
    let origin = format!("http://{}", address.trim());

    let wasm = folder::guest(guests::BENCH_POST)?;
    let folder = env::temp_dir().join(format!("portcullis-bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let compile = Instant::now();
    let compiled = Compiler::ThisProgram.compile(&wasm, &portcullis_runtime::CompileLimits::default()).await?;
    let compile_ms = compile.elapsed().as_secs_f64() * 1e3;
    drop(compiled);
    let ledger = Ledger::open(
        Arc::new(Embedded::open(folder.join("store"), Options::default()).await?),
        LedgerOptions::default(),
    )
    .await?;
    let runtime = Runtime::builder(ledger).cache(folder.join("cache")).cache_key(folder::cache_key()).build()?;
    let adapter = runtime.load(&wasm).await?;
    let load_cached_ms = median(20, || async {
        let start = Instant::now();
        runtime.load(&wasm).await.map(|_| start.elapsed().as_secs_f64() * 1e3)
    })
    .await?;
    let integration = integration(&runtime, adapter.clone(), &origin).await?;
    let contenders = Contenders { integration, client: reqwest::Client::builder().no_proxy().build()?, origin };

    let mut samples: Vec<(&str, usize, Vec<Sample>)> =
        CONCURRENCY.iter().flat_map(|c| [("bare", *c, Vec::new()), ("sandbox", *c, Vec::new())]).collect();
    samples.retain(|(path, concurrency, _)| only.is_none_or(|only| only == format!("{path}:{concurrency}")));
    let total = rounds * samples.len();
    let mut done = 0;
    for round in 0..=rounds {
        for (path, concurrency, taken) in &mut samples {
            // The first round warms up and is not counted.
            let window = if round == 0 { window / 3 } else { window };
            let sample = contenders.sample(path, *concurrency, window).await?;
            if round > 0 {
                taken.push(sample);
                done += 1;
                anstream::eprint!("\rmeasuring {done}/{total} ");
            }
        }
    }
    anstream::eprintln!();
    let rows: Vec<Row> = samples.iter().map(|(path, concurrency, taken)| Row::new(path, *concurrency, taken)).collect();
    if only.is_some() {
        print_rows(&rows);
        return Ok(());
    }
    let micro = Micro {
        pure: pure::figures()?,
        instantiate_us: instantiate_us(&wasm, &folder).await?,
        noop_call_us: noop_us(&contenders.integration).await?,
        load_cached_ms,
        compile_ms,
    };
    drop(child);
    let _ = fs::remove_dir_all(&folder);
    if has("--json") {
        anstream::println!("{}", as_json(&rows, &micro));
    } else {
        print(&rows, &micro);
    }
    Ok(())
}

struct Contenders {
    integration: Integration,
    client: reqwest::Client,
    origin: String,
}

struct Sample {
    calls_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
    rss_mib: f64,
}

impl Contenders {
    async fn sample(&self, path: &str, concurrency: usize, window: Duration) -> Result<Sample, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let (cpu, start) = (process_cpu(), Instant::now());
        let mut tasks = Vec::new();
        for _ in 0..concurrency {
            let stop = stop.clone();
            let (integration, client, url) =
                (self.integration.clone(), self.client.clone(), format!("{}/post", self.origin));
            let sandboxed = path == "sandbox";
            tasks.push(tokio::spawn(async move {
                let mut latencies = Vec::with_capacity(16 * 1024);
                while !stop.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    if sandboxed {
                        governed(&integration).await?
                    } else {
                        bare(&client, &url).await?
                    }
                    latencies.push(start.elapsed().as_secs_f64() * 1e6);
                }
                Ok::<_, Failure>(latencies)
            }));
        }
        tokio::time::sleep(window).await;
        stop.store(true, Ordering::Relaxed);
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        let (elapsed, cpu) = (start.elapsed(), process_cpu() - cpu);
        let calls = latencies.len().max(1) as f64;
        latencies.sort_by(f64::total_cmp);
        Ok(Sample {
            calls_per_s: calls / elapsed.as_secs_f64(),
            p50_us: quantile(&latencies, 0.5),
            p99_us: quantile(&latencies, 0.99),
            cpu_us: cpu.as_secs_f64() * 1e6 / calls,
            rss_mib: rss_mib(),
        })
    }
}

fn input() -> Value {
    json!({"to": "ada@example.com", "subject": "Hello", "body": "A few words, as mail often has."})
}

async fn bare(client: &reqwest::Client, url: &str) -> Result<(), Failure> {
    let body = serde_json::to_vec(&input())?;
    let response = client
        .post(url)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(body)
        .send()
        .await?;
    let answer: Value = serde_json::from_slice(&response.bytes().await?)?;
    answer.get("id").map(|_| ()).ok_or_else(|| "no id".into())
}

async fn governed(integration: &Integration) -> Result<(), Failure> {
    let outcome = integration.call(Call::new(Caller::principal("user:bench"), "post", input()).live()).await;
    outcome.result.map(|_| ()).map_err(Failure::from)
}

async fn integration(runtime: &Runtime, adapter: Adapter, origin: &str) -> Result<Integration, Failure> {
    let address = origin.trim_start_matches("http://");
    let grant = Grant::parse(&format!(
        "adapter = \"{}\"\noperations = [\"post\", \"noop\"]\ncarve_outs = [\"{address}\"]\n\
         [[routes]]\nmethod = \"POST\"\nurl = \"{origin}/post\"\nslots = [\"token\"]\n[limits]\ncalls_at_once = 1024\n",
        adapter.digest()
    ))?;
    let vault = MemoryVault::new();
    vault.put("token", Secret::try_from(TOKEN)?);
    let new =
        NewIntegration::new("bench", "bench", adapter, grant).config(json!({"baseUrl": origin})).vault(Arc::new(vault));
    Ok(runtime.integrate(new).await?)
}

/// A call without a request, ledger included.
async fn noop_us(integration: &Integration) -> Result<f64, Failure> {
    median(2_000, || async {
        let call = Call::new(Caller::principal("user:bench"), "noop", json!({"n": 1}));
        let start = Instant::now();
        let outcome = integration.call(call).await;
        outcome.result.map(|_| start.elapsed().as_secs_f64() * 1e6)
    })
    .await
}

async fn instantiate_us(wasm: &[u8], at: &std::path::Path) -> Result<f64, Failure> {
    let (cache, keys) = (Some(at.join("cache")), Some(portcullis_runtime::code_keys(folder::cache_key())));
    let options = SandboxOptions { calls_at_once: 4, cache, keys, ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options)?;
    let adapter = sandbox.load(wasm, &portcullis_runtime::CompileLimits::default()).await?;
    median(2_000, || async {
        let start = Instant::now();
        sandbox.instantiate(&adapter).await.map(|()| start.elapsed().as_secs_f64() * 1e6)
    })
    .await
}

struct Row {
    path: String,
    concurrency: usize,
    median: Sample,
    /// Least and most CPU per call over the rounds.
    spread: (f64, f64),
}

impl Row {
    fn new(path: &str, concurrency: usize, taken: &[Sample]) -> Self {
        let of = |pick: fn(&Sample) -> f64| {
            let mut values: Vec<f64> = taken.iter().map(pick).collect();
            values.sort_by(f64::total_cmp);
            (quantile(&values, 0.5), quantile(&values, 0.0), quantile(&values, 1.0))
        };
        let (cpu_us, least, most) = of(|s| s.cpu_us);
        let median = Sample {
            calls_per_s: of(|s| s.calls_per_s).0,
            p50_us: of(|s| s.p50_us).0,
            p99_us: of(|s| s.p99_us).0,
            cpu_us,
            rss_mib: of(|s| s.rss_mib).2,
        };
        Self { path: path.to_owned(), concurrency, median, spread: (least, most) }
    }
}

struct Micro {
    pure: Vec<pure::Figure>,
    instantiate_us: f64,
    noop_call_us: f64,
    load_cached_ms: f64,
    compile_ms: f64,
}

/// CPU of the sandboxed call over CPU of the bare one, at one concurrency.
fn ratio(rows: &[Row], concurrency: usize) -> f64 {
    let cpu = |path: &str| {
        rows.iter()
            .find(|row| row.path == path && row.concurrency == concurrency)
            .map_or(f64::NAN, |row| row.median.cpu_us)
    };
    cpu("sandbox") / cpu("bare")
}

fn as_json(rows: &[Row], micro: &Micro) -> Value {
    let round = |value: f64| (value * 100.0).round() / 100.0;
    let rows_json: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "path": row.path,
                "concurrency": row.concurrency,
                "calls_per_s": round(row.median.calls_per_s),
                "p50_us": round(row.median.p50_us),
                "p99_us": round(row.median.p99_us),
                "cpu_us_per_call": round(row.median.cpu_us),
                "cpu_us_per_call_spread": [round(row.spread.0), round(row.spread.1)],
                "rss_mib": round(row.median.rss_mib),
            })
        })
        .collect();
    json!({
        "rows": rows_json,
        "ratios": {
            // The worse of the two that count.
            "sandbox_cpu_vs_bare": round(ratio(rows, 16).max(ratio(rows, 64))),
            "sandbox_cpu_vs_bare_16": round(ratio(rows, 16)),
            "sandbox_cpu_vs_bare_64": round(ratio(rows, 64)),
        },
        "micro": {
            "gate_decide_ns": micro.pure.iter().find(|f| f.name.contains("64 routes")).map(|f| round(f.value)),
            "instantiate_us": round(micro.instantiate_us),
            "noop_call_us": round(micro.noop_call_us),
            "load_cached_ms": round(micro.load_cached_ms),
            "compile_ms": round(micro.compile_ms),
        },
        "pure": pure::as_json(&micro.pure),
    })
}

fn print(rows: &[Row], micro: &Micro) {
    print_rows(rows);
    anstream::println!("\nCPU, sandbox ÷ bare: {:.2} at 16 callers, {:.2} at 64", ratio(rows, 16), ratio(rows, 64));
    print_pure(&micro.pure);
    anstream::println!(
        "fresh instance {:.1} µs; call without a request {:.1} µs",
        micro.instantiate_us,
        micro.noop_call_us
    );
    anstream::println!("load from cache {:.2} ms; compile {:.0} ms", micro.load_cached_ms, micro.compile_ms);
}

fn print_pure(figures: &[pure::Figure]) {
    for figure in figures {
        let allocations =
            figure.allocations.map_or_else(String::new, |count| format!("{count} allocations in 900,000 times"));
        anstream::println!("{:<38}{:>10.1} {:<6}{allocations}", figure.name, figure.value, figure.unit);
    }
}

fn print_rows(rows: &[Row]) {
    anstream::println!(
        "{:<9}{:>8}{:>11}{:>10}{:>10}{:>14}{:>16}{:>10}",
        "path",
        "callers",
        "calls/s",
        "p50 µs",
        "p99 µs",
        "CPU µs/call",
        "spread",
        "RSS MiB"
    );
    for row in rows {
        let Sample { calls_per_s, p50_us, p99_us, cpu_us, rss_mib } = &row.median;
        let spread = format!("{:.1}–{:.1}", row.spread.0, row.spread.1);
        anstream::println!(
            "{:<9}{:>8}{calls_per_s:>11.0}{p50_us:>10.0}{p99_us:>10.0}{cpu_us:>14.1}{spread:>16}{rss_mib:>10.0}",
            row.path,
            row.concurrency
        );
    }
}

async fn median<E: Into<Failure>, F: Future<Output = Result<f64, E>>>(
    times: usize,
    mut take: impl FnMut() -> F,
) -> Result<f64, Failure> {
    let mut values = Vec::with_capacity(times);
    for _ in 0..times {
        values.push(take().await.map_err(Into::into)?);
    }
    values.sort_by(f64::total_cmp);
    Ok(quantile(&values, 0.5))
}

fn quantile(sorted: &[f64], at: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * at).round() as usize).copied().unwrap_or(f64::NAN)
}

/// User and system time of this process: what getrusage(2) gives, with a finer grain.
fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn rss_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}
