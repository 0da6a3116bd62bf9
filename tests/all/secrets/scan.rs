//! Files, logs, exports, events, receipts: after each credential was used, rotated, sealed under other keys and revoked, no
//! secret, no token and no key is in any of them.

use std::{fs, sync::Arc, time::Duration};

use jiff::Timestamp;
use portcullis_ledger::{Exporter, Format, Ledger, LedgerOptions, Query, Wanted};
use portcullis_runtime::{Credentials, DnsResolver, Given, NewOptions, Overlap, Runtime, Secret};
use portcullis_store::{Embedded, EngineKind, Options};
use portcullis_tests::{
    folder,
    upstream::{Answer, Received, Upstream},
};
use serde_json::json;

use super::{CountedKey, Hands, Server, WORKSPACE, by, echoes, fill, id, kept_routes, secret, token_route};
use crate::{
    guests,
    harness::{call, compiler, everything, load, tenant},
    hostile::stores::{Folder, close, files},
    needles, traces,
};

/// Everything that anybody can read of a host that did all that can be done with credentials: what it is, and its text.
async fn everything_readable(folder: &Folder, kind: EngineKind) -> Vec<(String, String)> {
    traces::watch();
    let mut shown: Vec<(String, String)> = Vec::new();
    let mut show = |what: &str, text: String| shown.push((what.to_owned(), text));
    let server = Arc::new(Server::default());
    let asked = server.clone();
    let upstream = Upstream::start(move |request: &Received| match request.target.as_str() {
        "/ok" => Answer::json(&json!({"ok": true})),
        target if target.starts_with("/oauth/") => asked.answer(request),
        _ => echoes::everything(request),
    })
    .await
    .unwrap();
    let options = Options { floor_bytes: 0, ..Options::default() }.engine(kind);
    let store = Arc::new(Embedded::open(folder.path(), options).await.unwrap());
    let clock = Arc::new(Hands::default());
    let options = LedgerOptions { clock: clock.clone(), ..LedgerOptions::default() };
    let ledger = Ledger::open(store.clone(), options).await.unwrap();
    let credentials = Credentials::open(ledger.clone(), CountedKey::new(b'k')).await.unwrap();
    let runtime = Runtime::builder(ledger.clone())
        .cache(folder::cache())
        .cache_key(folder::cache_key())
        .compiler(compiler())
        .resolver(Arc::new(DnsResolver::with_servers(&[]).unwrap()))
        .credentials(credentials.clone())
        .build()
        .unwrap();
    let mut events = runtime.events();
    let base = upstream.origin();
    fill(&credentials, &base).await;
    let tokens = [("token", "token"), ("revoke", "token"), ("token", "free")]
        .map(|(path, slot)| token_route(&format!("{base}/oauth/{path}"), slot))
        .concat();
    let routes = format!("{}{}{tokens}", everything(&base), kept_routes(&base));
    let probe = load(&runtime, &folder::guest(guests::PUPPET_PROBE).unwrap()).await.unwrap();
    let new = tenant(WORKSPACE, probe, &base, &routes, &[upstream.address]);
    let probe = runtime.integrate(new).await.unwrap();
    for round in 0..2 {
        let outcome = probe.call(call("probe", json!({"steps": echoes::each_slot(&base)})).live()).await;
        assert_eq!(outcome.exchanges.len(), 10, "{outcome:?}");
        show("outcome", format!("{outcome:?}"));
        show("receipt", serde_json::to_string(&outcome.receipt).unwrap());
        clock.pass(Duration::from_secs(4_000));
        if round == 0 {
            let another = || Given::secret(Secret::try_from(secret("another")).unwrap());
            for (slot, overlap) in [("key", Overlap::AtOnce), ("cookie", Overlap::For(Duration::from_hours(24)))] {
                credentials.rotate(&id(slot), another(), overlap, NewOptions::by(&by())).await.unwrap();
            }
            credentials.rewrap(CountedKey::new(b'l'), &by(), &mut |_, _| {}).await.unwrap();
            credentials.rotate_data_key(WORKSPACE, &by()).await.unwrap();
        }
    }
    let loaded = credentials.load(WORKSPACE, "probe").await.unwrap();
    show("Debug", format!("{credentials:?} {probe:?} {loaded:#?} {:?}", echoes::NAMES.map(|_| by())));
    show("descriptor", format!("{:?} {:?}", probe.descriptor(), probe.explain()));
    let listing = credentials.list(WORKSPACE, None).await.unwrap();
    for info in &listing.credentials {
        runtime.revoke(&info.id, &by(), "leaked").await.unwrap();
    }
    show("listing", format!("{listing:?} {}", serde_json::to_string(&listing.credentials).unwrap()));
    while let Ok(Ok(event)) = tokio::time::timeout(Duration::from_millis(100), events.recv()).await {
        show("event", format!("{event:?} {}", serde_json::to_string(&event).unwrap()));
    }
    for format in Format::ALL {
        let wanted = Wanted::new(Query::new(WORKSPACE), format);
        let mut exporter = Exporter::new(ledger.reader(), wanted, Timestamp::now()).await.unwrap();
        let mut text = Vec::new();
        while let Some(piece) = exporter.next().await.unwrap() {
            text.extend(piece);
        }
        show(format.as_str(), String::from_utf8_lossy(&text).into_owned());
    }
    drop((probe, runtime, credentials));
    ledger.close().await;
    close(store).await;
    for file in files(folder.path()) {
        show(&file, String::from_utf8_lossy(&fs::read(folder.path().join(&file)).unwrap()).into_owned());
    }
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn no_file_log_export_event_or_receipt_has_a_secret_a_token_or_a_key_in_it() {
    for kind in EngineKind::ALL {
        let folder = Folder::new("scan");
        let shown = everything_readable(&folder, kind).await;
        for (what, text) in &shown {
            assert_eq!(needles::found_in(text), None, "{kind}: {what}");
            for master in
                ["kkkkkkkkkkkkkkkk", "llllllllllllllll", "a2tra2tra2tr", "bGxsbGxsbGxs", "6b6b6b6b6b6b", "6c6c6c6c6c6c"]
            {
                assert!(!text.contains(master), "{kind}: a master key is in {what}");
            }
        }
        // The search does find what is there.
        let has = |what: &str, text: &str| shown.iter().any(|(name, shown)| name == what && shown.contains(text));
        assert!(has("event", "rotated") && has("event", "revoked") && has("listing", "AKIA123"));
        for format in Format::ALL {
            assert!(has(format.as_str(), "rewrap") || has(format.as_str(), "token"), "{}", format.as_str());
        }
        assert!(
            shown.iter().any(|(what, text)| what.contains('/') && text.contains("AKIA123")),
            "{kind}: the record is there"
        );
    }
    assert!(traces::lines() > 1_000, "something was logged");
    traces::are_clean();
}
