//! `portcullis audit verify`: is what is recorded what was kept, and how far? Of the store, or of an exported file.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use portcullis_runtime::{
    LiveWrong,
    ledger::{
        heads::PublicKey,
        verify::{
            ChainVerdict, ExportOptions, HeadsVerdict, Outside, PayloadWrong, PayloadsVerdict, Progress, Verdict,
            VerifyOptions, verify_export, verify_store,
        },
    },
    printable,
};
use serde_json::{Value, json};

use crate::{
    arguments::Arguments,
    audit::{
        arguments::Verify,
        keys,
        live::{self, Live},
        open::reading,
        row::second,
    },
    exit::{self, Code, DAMAGED, DONE, UNSIGNED, Usage},
    file,
    ledger::Places,
    look,
    progress::Bar,
};

pub(super) async fn run(arguments: &Arguments, wanted: &Verify) -> anyhow::Result<Code> {
    let places = Places::looked_at(arguments).await?;
    let keys = match wanted.key[..] {
        [] => keys::own(&places)?,
        _ => keys::read_public(&wanted.key)?,
    };
    let heads = Heads::open(arguments, &places)?;
    let (verdict, live) = match &wanted.file {
        Some(file) => (of_file(arguments, file, wanted, &keys, heads)?, Vec::new()),
        None => of_store(arguments, wanted, &keys, heads).await?,
    };
    let code = match (verdict.holds() && live.is_empty(), verdict.is_signed()) {
        (false, _) => DAMAGED,
        (true, false) => UNSIGNED,
        (true, true) => DONE,
    };
    if arguments.json {
        let mut value = as_json(&verdict, &keys);
        if let Some(object) = value.as_object_mut() {
            object.insert("live".to_owned(), live::as_json(&live));
        }
        look::print_json(&value);
    } else {
        print(&verdict, &keys);
        live::tell(&live);
    }
    Ok(code)
}

/// Signed heads in a file.
struct Heads {
    place: String,
    lines: BufReader<File>,
}

impl Heads {
    /// Those that were named, or the data folder's own.
    fn open(arguments: &Arguments, places: &Places) -> anyhow::Result<Option<Self>> {
        let Some(path) = places.heads_to_read(arguments.heads.is_some())? else { return Ok(None) };
        let told =
            |error: &dyn std::fmt::Display| Usage(format!("--heads: {} cannot be read: {error}", path.display()));
        let mut lines = BufReader::new(file::open("--heads", &path)?);
        // Nothing to hold anything against is not what was asked for.
        if arguments.heads.is_some() && lines.fill_buf().map_err(|error| told(&error))?.is_empty() {
            return Err(Usage(format!("--heads: {} is empty; it has no signed heads", path.display())).into());
        }
        Ok(Some(Self { place: path.display().to_string(), lines }))
    }

    fn outside(heads: &mut Option<Self>) -> Vec<Outside<'_>> {
        heads.iter_mut().map(|heads| Outside { place: heads.place.clone(), lines: &mut heads.lines }).collect()
    }
}

fn of_file(
    arguments: &Arguments,
    path: &Path,
    wanted: &Verify,
    keys: &[PublicKey],
    heads: Option<Heads>,
) -> anyhow::Result<Verdict> {
    let told = |error: &dyn std::fmt::Display| Usage(format!("--file: {} cannot be read: {error}", path.display()));
    let file = file::open("--file", path)?;
    let bar = Bar::start("verifying", 0);
    let mut progress = |at: Progress| bar.of(at.done, at.of);
    // The data folder's own heads are about its own store; a file may come from anywhere.
    let mut heads = heads.filter(|_| arguments.heads.is_some());
    let options = ExportOptions {
        keys,
        outside: Heads::outside(&mut heads),
        from: wanted.from,
        to: wanted.to,
        progress: Some(&mut progress),
    };
    Ok(verify_export(BufReader::new(file), options).map_err(|error| told(&error))?)
}

async fn of_store(
    arguments: &Arguments,
    wanted: &Verify,
    keys: &[PublicKey],
    mut heads: Option<Heads>,
) -> anyhow::Result<(Verdict, Vec<LiveWrong>)> {
    reading(arguments, async |opened| {
        let mut recorded = Live::default();
        let bar = Bar::start("verifying", 0);
        let mut progress = |at: Progress| bar.of(at.done, at.of);
        let mut each = |workspace: &str, _: u64, record: &[u8]| recorded.note(workspace, record);
        let options = VerifyOptions {
            keys,
            workspace: wanted.workspace.as_deref(),
            outside: Heads::outside(&mut heads),
            progress: Some(&mut progress),
            each: Some(&mut each),
            now: None,
        };
        let verdict = verify_store(opened.store().as_ref(), options).await?;
        let live = recorded.compare(opened.store().as_ref(), wanted.workspace.is_none()).await?;
        Ok((verdict, live))
    })
    .await
}

fn as_json(verdict: &Verdict, keys: &[PublicKey]) -> Value {
    let chain = |chain: &ChainVerdict| {
        json!({
            "workspace": chain.workspace, "from": chain.from, "records": chain.records, "holds_up_to": chain.holds,
            "wrong": chain.wrong.as_ref().map(|wrong| json!({
                "seq": wrong.seq, "line": wrong.line, "why": wrong.why.to_string(),
            })),
            "signed_up_to": chain.signed.map(|signed| json!({
                "seq": signed.seq, "head": signed.head, "time": signed.time, "export": signed.export,
            })),
            "payloads": payloads_as_json(&chain.payloads),
        })
    };
    let heads = |heads: &HeadsVerdict| {
        json!({
            "place": heads.place, "heads": heads.heads, "last": heads.last,
            "wrong": heads.wrong.as_ref().map(|wrong| json!({
                "seq": wrong.seq, "line": wrong.line, "why": wrong.why.to_string(),
            })),
        })
    };
    let mut value = json!({
        "holds": verdict.holds(), "signed": verdict.is_signed(), "records": verdict.records, "unsigned": verdict.unsigned(),
        "keys": keys.iter().map(|key| key.id()).collect::<Vec<_>>(),
        "chains": verdict.chains.iter().map(chain).collect::<Vec<_>>(),
        "heads": verdict.heads.iter().map(heads).collect::<Vec<_>>(),
        "file": verdict.file.as_ref().map(|wrong| json!({ "line": wrong.line, "what": wrong.what })),
    });
    if let (false, Some(object)) = (verdict.holds(), value.as_object_mut()) {
        object.insert("error".to_owned(), json!({ "code": "damaged", "message": wrongs(verdict).join("; ") }));
    }
    value
}

fn payloads_as_json(payloads: &PayloadsVerdict) -> Value {
    let wrong =
        |wrong: &PayloadWrong| json!({ "seq": wrong.seq, "call": wrong.call, "side": wrong.side, "what": wrong.what });
    json!({
        "kept": payloads.kept, "expired": payloads.expired, "erased": payloads.erased,
        "wrong": payloads.wrong.iter().map(wrong).collect::<Vec<_>>(), "more_wrong": payloads.more_wrong,
    })
}

/// What there is beside the chains, in a sentence; nothing where there is nothing.
fn beside(verdict: &Verdict) -> Option<String> {
    let all = |count: fn(&PayloadsVerdict) -> u64| verdict.chains.iter().map(|chain| count(&chain.payloads)).sum();
    let (kept, expired, erased): (u64, u64, u64) = (all(|of| of.kept), all(|of| of.expired), all(|of| of.erased));
    (kept + expired + erased > 0).then(|| {
        format!(
            "Beside the chains: {kept} inputs and outputs are there as they were kept, {expired} more have expired and are \
             still there, {erased} were erased."
        )
    })
}

/// All that is wrong, a sentence each.
fn wrongs(verdict: &Verdict) -> Vec<String> {
    let mut told = Vec::new();
    for chain in &verdict.chains {
        if let Some(wrong) = &chain.wrong {
            let holds = if chain.holds < chain.from {
                "it is the first".to_owned()
            } else {
                format!("everything up to record {} holds", chain.holds)
            };
            told.push(format!("{}: {wrong}; {holds}", printable(&chain.workspace, 128)));
        }
        let (workspace, payloads) = (printable(&chain.workspace, 128), &chain.payloads);
        told.extend(payloads.wrong.iter().map(|wrong| format!("{workspace}: {wrong}")));
        if payloads.more_wrong > 0 {
            told.push(format!("{workspace}: {} inputs and outputs more are not what was kept", payloads.more_wrong));
        }
    }
    for heads in &verdict.heads {
        told.extend(heads.wrong.as_ref().map(|wrong| format!("{}: {wrong}", printable(&heads.place, 200))));
    }
    told.extend(verdict.file.as_ref().map(|wrong| format!("the file: {wrong}")));
    told.iter().map(|line| printable(line, 2_000)).collect()
}

fn print(verdict: &Verdict, keys: &[PublicKey]) {
    let rows = verdict.chains.iter().map(|chain| {
        let signed = match chain.signed {
            Some(signed) if signed.export => {
                format!("record {} (the export of {} UTC)", signed.seq, second(signed.time))
            }
            Some(signed) => format!("record {} (head {} of {} UTC)", signed.seq, signed.head, second(signed.time)),
            None => "nothing".to_owned(),
        };
        let holds =
            if chain.holds < chain.from { "-".to_owned() } else { format!("{} to {}", chain.from, chain.holds) };
        let told = if chain.wrong.is_some() || !chain.payloads.holds() { "DAMAGED" } else { "holds" };
        vec![printable(&chain.workspace, 128), chain.records.to_string(), told.to_owned(), holds, signed]
    });
    anstream::println!("{}", look::table(&["workspace", "records", "verdict", "what holds", "signed up to"], rows));
    for wrong in wrongs(verdict) {
        exit::tell("damaged", &wrong, None);
    }
    if let Some(told) = beside(verdict) {
        anstream::println!("\n{}", look::wrapped(&told, 0));
    }
    if keys.is_empty() {
        let how = "No signature was checked, so whoever could write here could have hashed it all anew: --key PUB.pem checks \
                   them, and --heads FILE those that are kept elsewhere.";
        anstream::println!("\n{}", look::wrapped(how, 0));
    } else if verdict.holds() && !verdict.is_signed() {
        let how = "No signature vouches for one of these chains, so whoever could write here could have made all of it: \
                   --heads FILE holds it against signed heads that are kept elsewhere.";
        anstream::println!("\n{}", look::wrapped(how, 0));
    } else if verdict.holds() {
        let unsigned = match verdict.unsigned() {
            0 => "All of it is signed.".to_owned(),
            1 => "1 record at the end is not signed yet: only its own hash vouches for it.".to_owned(),
            records => {
                format!("{records} records at the end are not signed yet: only their own hashes vouch for them.")
            }
        };
        anstream::println!("\n{unsigned}");
    }
}
