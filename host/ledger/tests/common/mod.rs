//! Records as a host keeps them, and exports of them.

#![allow(dead_code, reason = "each test needs another part of it")]

use std::{collections::BTreeMap, sync::Arc};

use portcullis_gate::Method;
use portcullis_ledger::{
    CallId, Caller, Ending, Entry, Exchange, ExportEnd, ExportHeader, Hash, Ledger, Mode, Payload, Receipt, Status,
    Subject, heads::SignedHead,
};

/// The two records of a call.
pub(crate) fn one_call(workspace: &str) -> [Entry; 2] {
    let caller = Caller {
        agent: Some("agent:support-triage".to_owned()),
        known_by: None,
        principal: "user:ada@example.com".to_owned(),
        run: Some("run-2026-11-21-000417".to_owned()),
        step: Some("send-receipt".to_owned()),
        workflow: Some("order-paid".to_owned()),
    };
    let adapter = Hash::of(b"an adapter").to_string();
    let grant = Hash::of(b"a grant").to_string();
    let cost = BTreeMap::from([("team".to_owned(), "payments".to_owned())]);
    let subject = Subject {
        call: CallId::generate(),
        workspace,
        integration: "postmark-receipts",
        integration_version: 7,
        adapter: &adapter,
        grant: &grant,
        grantor: "user:grace@example.com",
        operation: "send-email",
        mode: Mode::Live,
        caller: &caller,
        cost: &cost,
    };
    let payload = || Payload { bytes: 512, hash: Some(Hash::of(b"salted")), ..Payload::default() };
    let exchange = Exchange {
        attempt: 1,
        duration_us: 48_211,
        error: None,
        method: Method::Post,
        origin: "https://api.postmarkapp.com".to_owned(),
        payload: Some(Hash::of(b"body")),
        redactions: 0,
        route: "send".to_owned(),
        slots: vec!["server-token".to_owned()],
        status: Some(200),
        template: "/email".to_owned(),
    };
    let ending = Ending {
        status: Status::Done,
        error: None,
        exchanges: vec![exchange],
        bounds: BTreeMap::new(),
        output: Some(payload()),
        words: None,
        receipt: Receipt::default(),
    };
    [Entry::intent(&subject, payload()), Entry::outcome(&subject, ending)]
}

/// The whole chain of a workspace as an export, its lines each with a line's end.
pub(crate) async fn export(ledger: &Ledger, workspace: &str, from: u64, heads: &[SignedHead]) -> Vec<String> {
    let reader = ledger.reader();
    let head = reader.chain(workspace).await.unwrap().unwrap();
    let prev = reader.get(workspace, from).await.unwrap().filter(|_| from > 1).map(|(_, record)| record.prev);
    let header = ExportHeader { from, prev, time: head.time, to: head.seq, v: 1, workspace: workspace.to_owned() };
    let mut lines = vec![header.line()];
    let mut next = from;
    while next <= head.seq {
        for line in reader.lines(workspace, next).await.unwrap() {
            next = line.seq + 1;
            lines.push(line.text);
        }
    }
    lines.extend(heads.iter().map(SignedHead::line));
    lines.iter_mut().for_each(|line| line.push('\n'));
    end(lines)
}

/// The lines with a last one that fits them: it takes no key to make.
pub(crate) fn end(mut lines: Vec<String>) -> Vec<String> {
    lines.retain(|line| !line.starts_with("{\"end\""));
    let records =
        lines.iter().filter(|line| !line.starts_with("{\"export\"") && !line.starts_with("{\"head\"")).count();
    let end = ExportEnd::unsigned(records as u64, Hash::of(lines.concat().as_bytes()));
    lines.push(end.line() + "\n");
    lines
}

/// A ledger in a store that forgets.
pub(crate) async fn ledger() -> Ledger {
    let store = Arc::new(portcullis_store::MemoryStore::new());
    Ledger::open(store, portcullis_ledger::LedgerOptions::default()).await.unwrap()
}

/// So many records in a workspace's chain: twice as many as calls.
pub(crate) async fn calls(ledger: &Ledger, workspace: &str, calls: usize) {
    for _ in 0..calls {
        ledger.append(one_call(workspace).into()).await.unwrap();
    }
}
