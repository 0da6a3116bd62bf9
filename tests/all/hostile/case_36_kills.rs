//! Case 36: `kill -9` while calls run. What was acknowledged is the crash tests' to count; here it is a call's own story.

use std::sync::Arc;

use portcullis_ledger::{Kind, Ledger, LedgerOptions, Status};
use portcullis_store::{Embedded, EngineKind, Options};
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpListener, time::Duration};

use super::stores::{Folder, copy, records};
use crate::harness::{Case, call, everything, get};

fn options(kind: EngineKind) -> Options {
    Options { floor_bytes: 0, ..Options::default() }.engine(kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_under_way_is_closed_as_unknown_once_and_is_not_sent_again() {
    for kind in EngineKind::ALL {
        let (folder, case) = (Folder::new("case-36"), Case::new().await);
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = silent.local_addr().unwrap();
        let running = folder.path().join("running");
        let store = Arc::new(Embedded::open(&running, options(kind)).await.unwrap());
        let host = case.host_on(Ledger::open(store.clone(), LedgerOptions::default()).await.unwrap());
        let base = format!("http://{address}");
        let probe = case.probe_on(&host, &base, &everything(&base), &[address]).await;
        let steps = json!({"steps": [get(&format!("{base}/ok"))]});
        let under_way = tokio::spawn(async move { probe.call(call("probe", steps).live()).await });
        let (mut asked, _) = silent.accept().await.unwrap();
        assert!(asked.read(&mut [0; 64]).await.unwrap() > 0, "the request is on its way");

        let killed = folder.path().join("killed");
        copy(&running, &killed);
        for time in 1..=2 {
            let store = Arc::new(Embedded::open(&killed, options(kind)).await.unwrap());
            let ledger = Ledger::open(store.clone(), LedgerOptions::default()).await.unwrap();
            let kept = records(store.clone(), "acme").await;
            let of_call: Vec<_> = kept.iter().filter(|record| record.call.is_some()).collect();
            assert_eq!(of_call.len(), 2, "closed once, at start {time}");
            assert_eq!((of_call[0].kind, of_call[1].kind), (Kind::Intent, Kind::Outcome));
            assert_eq!((of_call[1].call, of_call[1].status), (of_call[0].call, Some(Status::Unknown)));
            drop(ledger);
            super::stores::close(store).await;
        }
        let again = tokio::time::timeout(Duration::from_millis(200), silent.accept()).await;
        assert!(again.is_err(), "nothing is sent a second time");
        under_way.abort();
    }
}
