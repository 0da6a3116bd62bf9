//! What commits cost: how many a second at 1, 16 and 64 writers, what CPU each takes, beside the bare flush of this disk.
//!
//! `cargo run --release -p portcullis-store --example commits [FOLDER]`
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use portcullis_store::{Batch, Embedded, EngineKind, Options, Store};

const FOR: Duration = Duration::from_secs(3);
/// What a record of the ledger is long.
const VALUE_BYTES: usize = 700;

fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("bare: append {VALUE_BYTES} bytes and flush: {:.0} a second", bare(&folder));
    for kind in EngineKind::ALL {
        for writers in [1, 16, 64] {
            runtime.block_on(measure(&folder, kind, writers));
        }
    }
}

fn bare(folder: &Path) -> f64 {
    let path = folder.join("portcullis-bare");
    let mut file = File::create(&path).unwrap();
    let (started, mut flushes) = (Instant::now(), 0);
    while started.elapsed() < FOR {
        file.write_all(&[7; VALUE_BYTES]).unwrap();
        file.sync_data().unwrap();
        flushes += 1;
    }
    std::fs::remove_file(path).unwrap();
    f64::from(flushes) / started.elapsed().as_secs_f64()
}

async fn measure(folder: &Path, kind: EngineKind, writers: usize) {
    let path = folder.join(format!("portcullis-commits-{kind}-{writers}"));
    let _ = std::fs::remove_dir_all(&path);
    let store =
        Arc::new(Embedded::open(&path, Options { floor_bytes: 0, ..Options::default() }.engine(kind)).await.unwrap());
    let (cpu, started) = (cpu_seconds(), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut commits = 0_u64;
            while started.elapsed() < FOR {
                let key = format!("{commits:012}/{writer:03}");
                store.commit(Batch::new().put(key, vec![7; VALUE_BYTES])).await.unwrap();
                commits += 1;
            }
            commits
        });
    }
    let commits: u64 = tasks.join_all().await.into_iter().sum();
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let rounds = store.verify(|_| {}).await.unwrap().commits;
    Arc::into_inner(store).unwrap().close().await.unwrap();
    let count = commits as f64;
    println!(
        "{kind}: {writers:2} writers: {:6.0} a second, {:4.1} a flush, {:5.1} µs of CPU each, {:.0} bytes each on disk",
        count / seconds,
        count / rounds as f64,
        cpu * 1e6 / count,
        on_disk(&path) as f64 / count,
    );
    std::fs::remove_dir_all(&path).unwrap();
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit_once(") ").unwrap().1;
    let ticks: f64 = after.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}

fn on_disk(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let found = entry.metadata().unwrap();
            if found.is_dir() { on_disk(&entry.path()) } else { found.len() }
        })
        .sum()
}
