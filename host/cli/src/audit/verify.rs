//! `portcullis audit verify`: is what is recorded what was kept, and how far? Of the store, or of an exported file.

use std::{fs::File, io::BufReader, path::Path};

use portcullis_runtime::{
    ledger::{
        heads::PublicKey,
        verify::{
            ChainVerdict, HeadWhy, HeadsVerdict, Outside, Progress, Verdict, VerifyOptions, verify_export, verify_store,
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
        open::{Opened, folder},
        row::second,
    },
    exit::{self, Code, DAMAGED, DONE, Usage},
    ledger::heads_file,
    look,
    progress::Bar,
};

pub(super) async fn run(arguments: &Arguments, wanted: &Verify) -> anyhow::Result<Code> {
    let keys = match wanted.key[..] {
        [] => keys::own(arguments)?,
        _ => keys::read_public(&wanted.key)?,
    };
    let verdict = match &wanted.file {
        Some(file) => of_file(file, &keys)?,
        None => of_store(arguments, wanted, &keys).await?,
    };
    let verdict = without_keys(verdict, &keys);
    let code = if verdict.holds() { DONE } else { DAMAGED };
    if arguments.json {
        look::print_json(&as_json(&verdict, &keys));
    } else {
        print(&verdict, &keys);
    }
    Ok(code)
}

fn of_file(path: &Path, keys: &[PublicKey]) -> anyhow::Result<Verdict> {
    let told = |error: &dyn std::fmt::Display| Usage(format!("--file: {} cannot be read: {error}", path.display()));
    let file = File::open(path).map_err(|error| told(&error))?;
    let bar = Bar::start("verifying", 0);
    let mut progress = |at: Progress| bar.of(at.done, at.of);
    Ok(verify_export(BufReader::new(file), keys, Some(&mut progress)).map_err(|error| told(&error))?)
}

async fn of_store(arguments: &Arguments, wanted: &Verify, keys: &[PublicKey]) -> anyhow::Result<Verdict> {
    let mut files = Vec::new();
    if let Some(path) = heads_file(arguments) {
        let told = |error| Usage(format!("--heads: {} cannot be read: {error}", path.display()));
        files.push((path.display().to_string(), BufReader::new(File::open(&path).map_err(told)?)));
    }
    let opened = Opened::open(&folder(arguments)).await?;
    let verdict = {
        let bar = Bar::start("verifying", 0);
        let mut progress = |at: Progress| bar.of(at.done, at.of);
        let outside = files.iter_mut().map(|(place, lines)| Outside { place: place.clone(), lines });
        let options = VerifyOptions {
            keys,
            workspace: wanted.workspace.as_deref(),
            outside: outside.collect(),
            progress: Some(&mut progress),
            each: None,
        };
        verify_store(opened.store().as_ref(), options).await
    };
    opened.close().await?;
    Ok(verdict?)
}

/// Without a key no signature is wrong: none was checked.
fn without_keys(mut verdict: Verdict, keys: &[PublicKey]) -> Verdict {
    if keys.is_empty() {
        for heads in &mut verdict.heads {
            heads.wrong = heads.wrong.take().filter(|wrong| !matches!(wrong.why, HeadWhy::UnknownKey { .. }));
        }
    }
    verdict
}

fn as_json(verdict: &Verdict, keys: &[PublicKey]) -> Value {
    let chain = |chain: &ChainVerdict| {
        json!({
            "workspace": chain.workspace, "from": chain.from, "records": chain.records, "holds_up_to": chain.holds,
            "wrong": chain.wrong.as_ref().map(|wrong| json!({
                "seq": wrong.seq, "line": wrong.line, "why": wrong.why.to_string(),
            })),
            "signed_up_to": chain.signed.map(|signed| json!({
                "seq": signed.seq, "head": signed.head, "time": signed.time,
            })),
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
        "holds": verdict.holds(), "records": verdict.records, "unsigned": verdict.unsigned(),
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
            Some(signed) => format!("record {} (head {} of {} UTC)", signed.seq, signed.head, second(signed.time)),
            None => "nothing".to_owned(),
        };
        let holds =
            if chain.holds < chain.from { "-".to_owned() } else { format!("{} to {}", chain.from, chain.holds) };
        let told = if chain.wrong.is_some() { "DAMAGED" } else { "holds" };
        vec![printable(&chain.workspace, 128), chain.records.to_string(), told.to_owned(), holds, signed]
    });
    anstream::println!("{}", look::table(&["workspace", "records", "verdict", "what holds", "signed up to"], rows));
    for wrong in wrongs(verdict) {
        exit::tell("damaged", &wrong, None);
    }
    if keys.is_empty() {
        let how = "No signature was checked, so whoever could write here could have hashed it all anew: --key PUB.pem checks \
                   them, and --heads FILE those that are kept elsewhere.";
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
