//! What a durable record costs: `cargo xtask bench ledger [--json] [--quick]`.
//!
//! Group commit at 1, 16 and 64 callers on each engine, with what the disk's own flush gives in the same run beside it; then
//! the same, and questions, at 10 thousand, 100 thousand and 1 million records: both must cost the same at each size.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use portcullis_runtime::{
    CallId, Caller, Exchange, Ledger, LedgerOptions, Method, Mode, Receipt, Status,
    ledger::{Ending, Entry, Field, Hash, Kept, Payload, Query, Reader, Subject},
    store::{Embedded, EngineKind, Options},
};
use serde_json::{Value, json};

use crate::{Failure, process_cpu};

const CALLERS: [usize; 3] = [1, 16, 64];

/// Measures, tells, and ends.
pub(crate) async fn run(as_json: bool, quick: bool) -> Result<(), Failure> {
    let folder = std::env::current_dir()?.join("target").join(format!("bench-ledger-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = measure(&folder, quick).await;
    std::fs::remove_dir_all(&folder)?;
    let figures = measured?;
    if as_json {
        anstream::println!("{}", Value::Array(figures.iter().map(Figures::as_json).collect()));
    } else {
        figures.iter().for_each(Figures::print);
    }
    Ok(())
}

async fn measure(folder: &Path, quick: bool) -> Result<Vec<Figures>, Failure> {
    let sizes: &[u64] = if quick { &[10_000, 50_000] } else { &[10_000, 100_000, 1_000_000] };
    let window = Duration::from_secs(if quick { 1 } else { 3 });
    let mut all = Vec::new();
    for engine in [EngineKind::Sled, EngineKind::Redb] {
        anstream::eprintln!("{engine}: group commit");
        let store = Arc::new(Embedded::open(folder.join(engine.to_string()), Options::default().engine(engine)).await?);
        let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await?;
        let mut figures = Figures { engine: engine.to_string(), ..Figures::default() };
        figures.flushes_before = flushes(folder)?;
        for callers in CALLERS {
            figures.commits.push((callers, write(&ledger, callers, Until::Time(window)).await?));
        }
        for size in sizes {
            let have = count(&ledger).await?;
            if have < *size {
                anstream::eprintln!("{engine}: up to {size} records");
                write(&ledger, 64, Until::Records(size - have)).await?;
            }
            let append = write(&ledger, 64, Until::Records(10_000)).await?;
            figures.sizes.push(Size { records: *size, append, questions: questions(&ledger.reader()).await? });
        }
        figures.flushes_after = flushes(folder)?;
        let records = count(&ledger).await?;
        drop((ledger, store));
        tokio::time::sleep(Duration::from_millis(500)).await;
        figures.bytes_per_record = bytes(&folder.join(engine.to_string()))? as f64 / records as f64;
        all.push(figures);
    }
    Ok(all)
}

async fn count(ledger: &Ledger) -> Result<u64, Failure> {
    Ok(ledger.reader().chain("bench").await?.map_or(0, |head| head.seq))
}

/// How often a second this disk makes 32 KiB durable, one after the other.
fn flushes(folder: &Path) -> Result<f64, Failure> {
    let path = folder.join("flushes");
    let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
    let block = vec![7; 32 * 1024];
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(1) {
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    std::fs::remove_file(path)?;
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

fn bytes(path: &Path) -> Result<u64, Failure> {
    let metadata = path.symlink_metadata()?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    std::fs::read_dir(path)?.map(|entry| bytes(&entry?.path())).sum()
}

#[derive(Clone, Copy)]
enum Until {
    Time(Duration),
    Records(u64),
}

/// What writing came to.
#[derive(Clone, Copy)]
struct Written {
    records_per_s: f64,
    cpu_us: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Callers that each record a call's intent, and then its outcome, as calls do.
async fn write(ledger: &Ledger, callers: usize, until: Until) -> Result<Written, Failure> {
    let (stop, left) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(match until {
            Until::Time(_) => u64::MAX,
            Until::Records(records) => records,
        })),
    );
    let (start, cpu) = (Instant::now(), process_cpu());
    let running: Vec<_> = (0..callers)
        .map(|number| {
            let (ledger, stop, left) = (ledger.clone(), stop.clone(), left.clone());
            tokio::spawn(async move {
                let mut took = Vec::new();
                while !stop.load(Ordering::Relaxed)
                    && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(2)).is_ok()
                {
                    for entry in call(number) {
                        let start = Instant::now();
                        ledger.append(vec![entry]).await?;
                        took.push(start.elapsed().as_secs_f64() * 1e6);
                    }
                }
                Ok::<_, Failure>(took)
            })
        })
        .collect();
    if let Until::Time(window) = until {
        tokio::time::sleep(window).await;
        stop.store(true, Ordering::Relaxed);
    }
    let mut took = Vec::new();
    for caller in running {
        took.extend(caller.await??);
    }
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), process_cpu() - cpu);
    took.sort_by(f64::total_cmp);
    let count = took.len().max(1) as f64;
    Ok(Written {
        records_per_s: count / elapsed,
        cpu_us: cpu.as_secs_f64() * 1e6 / count,
        p50_us: crate::quantile(&took, 0.5),
        p99_us: crate::quantile(&took, 0.99),
    })
}

/// The two records of a call as large as real ones are: about 900 bytes on average.
fn call(number: usize) -> [Entry; 2] {
    let caller = Caller {
        workflow: Some(format!("workflow-{}", number % 8)),
        run: Some(format!("run-{number}-{}", CallId::generate().to_string().get(..12).unwrap_or_default())),
        ..Caller::principal(format!("user:{number}"))
    };
    let call = CallId::generate();
    let rare = call.as_bytes().last().is_some_and(|byte| *byte == 7) && call.as_bytes().get(14) == Some(&7);
    let cost = BTreeMap::from([("team".to_owned(), "billing".to_owned())]);
    let subject = Subject {
        call,
        workspace: "bench",
        integration: "mail",
        integration_version: 3,
        adapter: "sha256:d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592",
        grant: "sha256:ef537f25c895bfa782526529a9b63d97aa631564d5d789c2b765448c8635fb6c",
        grantor: "user:root",
        operation: if rare { "rare" } else { "sendEmail" },
        mode: Mode::Live,
        caller: &caller,
        cost: &cost,
    };
    let kept = Payload {
        bytes: 420,
        hash: Some(Hash::of(call.as_bytes())),
        kept: Kept::Redacted,
        redacted: vec!["/To".to_owned(), "/TextBody".to_owned()],
        stored: Some(Hash::of(b"stored")),
    };
    let exchange = Exchange {
        attempt: 1,
        duration_us: 81_234,
        error: None,
        method: Method::Post,
        origin: "https://api.postmarkapp.com".to_owned(),
        payload: Some(Hash::of(b"body")),
        redactions: 0,
        route: "send-email".to_owned(),
        slots: vec!["server-token".to_owned()],
        status: Some(200),
        template: "/email".to_owned(),
    };
    let ending = Ending {
        status: Status::Done,
        error: None,
        exchanges: vec![exchange],
        bounds: BTreeMap::new(),
        output: Some(kept.clone()),
        words: None,
        receipt: Receipt { fuel: 148_123, guest_cpu_us: 545, wall_us: 90_000, requests: 1, ..Receipt::default() },
    };
    [Entry::intent(&subject, kept), Entry::outcome(&subject, ending)]
}

/// Medians of some questions, in microseconds.
async fn questions(reader: &Reader) -> Result<Vec<(&'static str, f64)>, Failure> {
    let head = reader.chain("bench").await?.ok_or("no records")?;
    let early = reader.get("bench", head.seq / 3).await?.ok_or("no record")?.1;
    let call = early.call.ok_or("no call")?;
    let span = jiff::SignedDuration::from_millis(20);
    let newest = Query::new("bench");
    let asked = [
        ("newest 50", newest.clone()),
        ("50 of a principal", newest.clone().field(Field::Principal, "user:7")),
        ("50 of a rare operation", newest.clone().field(Field::Operation, "rare")),
        ("a call", newest.clone().field(Field::Call, call.to_string())),
        ("nobody", newest.clone().field(Field::Principal, "user:nobody")),
        ("50 within 20 ms", newest.since(early.time).until(early.time + span)),
    ];
    let mut figures = Vec::new();
    for (name, query) in asked {
        let mut took = Vec::new();
        for _ in 0..41 {
            let start = Instant::now();
            reader.query(&query).await?;
            took.push(start.elapsed().as_secs_f64() * 1e6);
        }
        took.sort_by(f64::total_cmp);
        figures.push((name, crate::quantile(&took, 0.5)));
    }
    Ok(figures)
}

struct Size {
    records: u64,
    append: Written,
    questions: Vec<(&'static str, f64)>,
}

#[derive(Default)]
struct Figures {
    engine: String,
    flushes_before: f64,
    flushes_after: f64,
    commits: Vec<(usize, Written)>,
    sizes: Vec<Size>,
    bytes_per_record: f64,
}

impl Figures {
    fn as_json(&self) -> Value {
        let written = |written: &Written| {
            json!({"records_per_s": written.records_per_s.round(), "cpu_us": written.cpu_us,
                   "p50_us": written.p50_us, "p99_us": written.p99_us})
        };
        let commits: Vec<Value> =
            self.commits.iter().map(|(callers, took)| json!({"callers": callers, "took": written(took)})).collect();
        let sizes: Vec<Value> = self
            .sizes
            .iter()
            .map(|size| {
                let questions: BTreeMap<_, _> = size.questions.iter().copied().collect();
                json!({"records": size.records, "append": written(&size.append), "query_us": questions})
            })
            .collect();
        json!({"engine": self.engine, "flushes_per_s": [self.flushes_before.round(), self.flushes_after.round()],
               "group_commit": commits, "sizes": sizes, "bytes_per_record": self.bytes_per_record.round()})
    }

    fn print(&self) {
        let (before, after) = (self.flushes_before, self.flushes_after);
        anstream::println!(
            "\n{}: the disk alone flushes 32 KiB {before:.0} times a second, {after:.0} at the end",
            self.engine
        );
        anstream::println!(
            "  {:>12}  {:>10}  {:>8}  {:>8}  {:>8}",
            "callers",
            "records/s",
            "CPU µs",
            "p50 µs",
            "p99 µs"
        );
        let line = |name: String, took: &Written| {
            anstream::println!(
                "  {name:>12}  {:>10.0}  {:>8.1}  {:>8.0}  {:>8.0}",
                took.records_per_s,
                took.cpu_us,
                took.p50_us,
                took.p99_us
            );
        };
        self.commits.iter().for_each(|(callers, took)| line(callers.to_string(), took));
        anstream::println!("  64 callers, when there are");
        self.sizes.iter().for_each(|size| line(size.records.to_string(), &size.append));
        anstream::println!("  questions, median µs, when there are");
        for (i, (name, _)) in
            self.sizes.first().map(|size| size.questions.clone()).unwrap_or_default().iter().enumerate()
        {
            let at: Vec<String> = self
                .sizes
                .iter()
                .filter_map(|size| Some(format!("{:>9.0} ({})", size.questions.get(i)?.1, size.records)))
                .collect();
            anstream::println!("    {name:<24}{}", at.join("  "));
        }
        anstream::println!("  {:.0} bytes a record on disk, index and all", self.bytes_per_record);
    }
}
