//! Many at once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use portcullis_store::{Batch, Scan, StoreError};
use tokio::task::JoinSet;

use super::{Bench, Open, by_name};

const WRITERS: u64 = 64;

pub(crate) async fn run(name: &str, bench: &dyn Bench) {
    by_name! { name, bench;
        no_update_of_64_writers_is_lost
        what_is_read_was_current_between_call_and_answer
        of_two_that_want_the_same_one_gets_it
        a_commit_that_nobody_waits_for_is_applied_as_a_whole
    }
}

fn number(value: Option<Vec<u8>>) -> u64 {
    value.map_or(0, |value| String::from_utf8(value).unwrap().parse().unwrap())
}

/// Adds one to a counter, however often it takes. Says what it became.
async fn add_one(store: &Open, key: &str) -> u64 {
    loop {
        let found = store.get(key.as_bytes()).await.unwrap();
        let next = number(found.clone()) + 1;
        match store.commit(Batch::new().check(key, found).put(key, next.to_string())).await {
            Ok(()) => return next,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn no_update_of_64_writers_is_lost(bench: &dyn Bench) {
    const EACH: u64 = 12;
    let store = bench.fresh().await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut became = Vec::new();
            for turn in 0..EACH {
                let key = format!("counter{}", (writer + turn) % 4);
                became.push((key.clone(), add_one(&store, &key).await));
            }
            became
        });
    }
    let mut became: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    became.sort();
    let mut counters = BTreeMap::<String, u64>::new();
    for (key, value) in became {
        let last = counters.entry(key).or_default();
        assert_eq!(value, *last + 1, "every number was made once");
        *last = value;
    }
    assert_eq!(counters.values().sum::<u64>(), WRITERS * EACH);
    for (key, last) in counters {
        assert_eq!(number(store.get(key.as_bytes()).await.unwrap()), last);
    }
}

/// One thing that was done to a register: from when until when, and what it read or wrote.
struct Event {
    called: u64,
    answered: u64,
    wrote: bool,
    value: u64,
}

/// Each value is written once, by compare-and-set from the one before, so the register's history is known: value `n` was
/// current from its own write until that of `n + 1`. A read must overlap with that.
async fn what_is_read_was_current_between_call_and_answer(bench: &dyn Bench) {
    const EACH: usize = 10;
    let store = bench.fresh().await;
    let clock = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for task in 0..WRITERS {
        let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
        tasks.spawn(async move {
            let tick = || clock.fetch_add(1, Ordering::SeqCst);
            let mut events = Vec::new();
            for _ in 0..EACH {
                if task % 2 == 0 {
                    let called = tick();
                    let value = match task % 4 {
                        0 => number(store.get(b"register").await.unwrap()),
                        _ => {
                            let page = store.scan(&Scan::prefix("register")).await.unwrap();
                            number(page.entries.into_iter().next().map(|(_, value)| value))
                        }
                    };
                    events.push(Event { called, answered: tick(), wrote: false, value });
                    continue;
                }
                loop {
                    let called = tick();
                    let found = store.get(b"register").await.unwrap();
                    events.push(Event { called, answered: tick(), wrote: false, value: number(found.clone()) });
                    let next = number(found.clone()) + 1;
                    let called = tick();
                    match store.commit(Batch::new().check("register", found).put("register", next.to_string())).await {
                        Ok(()) => {
                            events.push(Event { called, answered: tick(), wrote: true, value: next });
                            break;
                        }
                        Err(StoreError::Conflict { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            events
        });
    }
    let events: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let writes: BTreeMap<u64, &Event> =
        events.iter().filter(|event| event.wrote).map(|event| (event.value, event)).collect();
    assert_eq!(writes.len(), 32 * EACH);
    for (value, write) in &writes {
        // Writes happen in the order of their values.
        let next = writes.get(&(value + 1));
        assert!(next.is_none_or(|next| write.called < next.answered), "{value} was written after its follower");
    }
    for read in events.iter().filter(|event| !event.wrote) {
        let written = writes.get(&read.value).map_or(0, |write| write.called);
        assert!(written <= read.answered, "{} was read before anybody wrote it", read.value);
        let replaced = writes.get(&(read.value + 1)).map_or(u64::MAX, |write| write.answered);
        assert!(read.called < replaced, "{} was read after its follower was acknowledged", read.value);
    }
    // And no read goes back behind one that was answered before it was called.
    let mut reads: Vec<&Event> = events.iter().filter(|event| !event.wrote).collect();
    reads.sort_by_key(|read| read.called);
    for late in &reads {
        let newest = reads.iter().filter(|early| early.answered < late.called).map(|early| early.value).max();
        assert!(newest.is_none_or(|newest| late.value >= newest), "a read went back in time");
    }
}

async fn of_two_that_want_the_same_one_gets_it(bench: &dyn Bench) {
    let store = bench.fresh().await;
    for round in 0..20 {
        let mut both = JoinSet::new();
        for who in 0..2_u8 {
            let store = Arc::clone(&store);
            both.spawn(async move {
                let key = format!("place{round}");
                store.commit(Batch::new().check(key.clone(), None).put(key, [who]).put([who, round], "mine")).await
            });
        }
        let done = both.join_all().await;
        assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
        let winner = store.get(format!("place{round}").as_bytes()).await.unwrap().unwrap()[0];
        assert!(store.get(&[winner, round]).await.unwrap().is_some());
        assert!(store.get(&[1 - winner, round]).await.unwrap().is_none(), "the loser's batch left something behind");
    }
}

async fn a_commit_that_nobody_waits_for_is_applied_as_a_whole(bench: &dyn Bench) {
    let store = bench.fresh().await;
    for round in 0..40_u8 {
        let task = {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(Batch::new().put([round, 0], "a").put([round, 1], "b")).await })
        };
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        task.abort();
        let _ = task.await;
    }
    store.commit(Batch::new().put("after", "wards")).await.unwrap();
    for round in 0..40_u8 {
        let one = store.get(&[round, 0]).await.unwrap().is_some();
        let other = store.get(&[round, 1]).await.unwrap().is_some();
        assert_eq!(one, other, "half of a batch");
    }
}
