//! What the three cost: a table from the runtime's own receipts, medians of many calls.
//!
//! How long compiling takes is measured once for each component, and kept: it is the one figure that is seconds.

use std::{fs, time::Instant};

use portcullis_runtime::{CompileLimits, Compiler, Receipt, code_keys};
use portcullis_sandbox::{Sandbox, SandboxOptions};
use portcullis_tests::{folder, upstream::Answer};
use serde_json::{Value, json};

use super::twins::{Twin, Twins, compiled};
use crate::{
    bench::call,
    progress::step,
    report::{Checked, Checks, Stop},
};

/// Calls of which the median is told, after some that are not counted.
const CALLS: usize = 101;
const WARMING: usize = 10;

pub(super) async fn measure(twins: &Twins, checks: &mut Checks) -> Checked {
    let (cache, keys) = (Some(compiled()), Some(code_keys(folder::cache_key())));
    let options = SandboxOptions { calls_at_once: 2, cache, keys, ..SandboxOptions::default() };
    let sandbox = Sandbox::new(options).map_err(Stop::failed)?;
    let answer = json!({ "id": 7, "title": "Water the plants", "done": false });
    twins.answer(&[Answer::json(&answer)]);
    let mut rows = Vec::new();
    for twin in &twins.all {
        let compile_ms = compile_ms(twin).await?;
        let start_us = start_us(&sandbox, twin).await?;
        let receipts = receipts(twins, twin).await?;
        let median_of = |part: fn(&Receipt) -> u64| median(receipts.iter().map(part).collect());
        rows.push(json!({
            "language": twin.language,
            "bytes": twin.wasm.len(),
            "compile_ms": compile_ms,
            "start_us": start_us,
            "call_guest_cpu_us": median_of(|receipt| receipt.guest_cpu_us),
            "call_host_cpu_us": median_of(|receipt| receipt.host_cpu_us),
            "call_wall_us": median_of(|receipt| receipt.wall_us),
            "fuel": median_of(|receipt| receipt.fuel),
            "peak_memory_bytes": median_of(|receipt| receipt.peak_memory_bytes),
        }));
    }
    table(&rows).iter().for_each(|line| checks.note(line));
    checks.figures(Value::Array(rows));
    Ok(())
}

/// CPU time in the bounded child process that an upload is compiled in: wall time would be the machine's.
async fn compile_ms(twin: &Twin) -> Checked<u64> {
    let kept = folder::conformance().join("figures");
    let file = kept.join(format!("compile-{}", twin.adapter.digest().replace(':', "-")));
    if let Some(known) = fs::read_to_string(&file).ok().and_then(|text| text.parse().ok()) {
        return Ok(known);
    }
    let before = childrens_cpu_ms()?;
    let label = format!("compile {} once more, timed", twin.language);
    let (compiler, limits) = (Compiler::default(), CompileLimits::default());
    step(&label, compiler.compile(&twin.wasm, &limits)).await.map_err(Stop::failed)?;
    let took = childrens_cpu_ms()?.saturating_sub(before);
    fs::create_dir_all(kept)?;
    fs::write(&file, took.to_string())?;
    Ok(took)
}

/// CPU time of all children that have ended, from the kernel's own account of this process.
fn childrens_cpu_ms() -> Checked<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    cpu_of_children_ms(&stat).ok_or_else(|| Stop::Failed(format!("/proc/self/stat is not as expected: {stat}")))
}

/// The fields `cutime` and `cstime` (proc_pid_stat(5)), in hundredths of a second.
fn cpu_of_children_ms(stat: &str) -> Option<u64> {
    // The program's name comes before them, in brackets, and may hold blanks.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(13);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) * 10)
}

/// An instance, made and dropped.
async fn start_us(sandbox: &Sandbox, twin: &Twin) -> Checked<u64> {
    let adapter = sandbox.load(&twin.wasm, &CompileLimits::default()).await.map_err(Stop::failed)?;
    let mut taken = Vec::new();
    for turn in 0..WARMING + CALLS {
        let started = Instant::now();
        sandbox.instantiate(&adapter).await.map_err(Stop::failed)?;
        if turn >= WARMING {
            taken.push(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
    }
    Ok(median(taken))
}

async fn receipts(twins: &Twins, twin: &Twin) -> Checked<Vec<Receipt>> {
    let integration = twins.integrate(twin, twins.upstream.address, |_| {}).await?;
    let mut receipts = Vec::new();
    for turn in 0..WARMING + CALLS {
        let outcome = integration.call(call("getTask", json!({ "id": 7 })).live()).await;
        outcome.result.map_err(Stop::failed)?;
        if turn >= WARMING {
            receipts.push(outcome.receipt);
        }
    }
    Ok(receipts)
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// The table, in Markdown.
fn table(rows: &[Value]) -> Vec<String> {
    let mut lines = vec![
        "| language | size | compile, CPU | start | call: guest CPU | host CPU | fuel | peak memory |".to_owned(),
        "| --- | --- | --- | --- | --- | --- | --- | --- |".to_owned(),
    ];
    for row in rows {
        let number = |name: &str| row.get(name).and_then(Value::as_f64).unwrap_or_default();
        let language = row.get("language").and_then(Value::as_str).unwrap_or_default();
        lines.push(format!(
            "| {language} | {:.2} MB | {:.1} s | {:.0} µs | {:.0} µs | {:.0} µs | {:.0} k | {:.1} MiB |",
            number("bytes") / 1e6,
            number("compile_ms") / 1e3,
            number("start_us"),
            number("call_guest_cpu_us"),
            number("call_host_cpu_us"),
            number("fuel") / 1e3,
            number("peak_memory_bytes") / 1_048_576.0,
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_one_in_the_middle() {
        assert_eq!((median(vec![9, 1, 5]), median(Vec::new())), (5, 0));
    }

    #[test]
    fn the_cpu_time_of_children_is_found_behind_a_name_with_blanks() {
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 20 0";
        assert_eq!(cpu_of_children_ms(stat), Some(270));
        assert_eq!(cpu_of_children_ms("7 (a) S 1"), None);
    }

    #[test]
    fn the_table_has_a_line_for_each_language_in_units_for_people() {
        let lines = table(&[json!({"language": "rust", "bytes": 352_346, "compile_ms": 480, "fuel": 91_000})]);
        assert_eq!(lines.len(), 3);
        assert!(lines[2].starts_with("| rust | 0.35 MB | 0.5 s |") && lines[2].contains("| 91 k |"), "{}", lines[2]);
    }
}
