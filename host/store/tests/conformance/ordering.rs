//! Order, ranges, batches, limits.

use std::ops::Bound;

use portcullis_store::{Batch, MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, Page, Scan, Store, StoreError};

use super::{Bench, all, by_name};

pub(crate) async fn run(name: &str, bench: &dyn Bench) {
    by_name! { name, bench;
        keys_are_ordered_as_bytes
        a_prefix_ends_where_it_ends
        a_scan_goes_both_ways_page_by_page
        a_page_ends_at_its_bytes
        an_empty_range_is_empty
        a_batch_is_applied_as_a_whole_or_not_at_all
        checks_see_the_store_before_the_batch
        the_limits_are_kept
        what_was_committed_is_there_when_it_is_opened_again
    }
}

fn keys(page: &Page) -> Vec<Vec<u8>> {
    page.entries.iter().map(|(key, _)| key.clone()).collect()
}

async fn put(store: &dyn Store, keys: &[&[u8]]) {
    let batch = keys.iter().fold(Batch::new(), |batch, key| batch.put(*key, [b"value of ", *key].concat()));
    store.commit(batch).await.unwrap();
}

async fn keys_are_ordered_as_bytes(bench: &dyn Bench) {
    let store = bench.fresh().await;
    let ordered: [&[u8]; 10] =
        [b"", b"\x00", b"\x00\x00", b"\x00\x01", b"\x01", b"a", b"a\x00", b"ab", b"\xff", b"\xff\xff"];
    let mut shuffled = ordered;
    shuffled.reverse();
    shuffled.swap(2, 7);
    for key in shuffled {
        put(&*store, &[key]).await;
    }
    assert_eq!(keys(&store.scan(&Scan::prefix("")).await.unwrap()), ordered);
    let mut backwards = ordered;
    backwards.reverse();
    assert_eq!(keys(&store.scan(&Scan::prefix("").descending()).await.unwrap()), backwards);
    for key in ordered {
        assert_eq!(store.get(key).await.unwrap(), Some([b"value of ", key].concat()), "{key:?}");
    }
    assert_eq!(store.get(b"b").await.unwrap(), None);
}

async fn a_prefix_ends_where_it_ends(bench: &dyn Bench) {
    let store = bench.fresh().await;
    put(&*store, &[b"a", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\x00", b"\xff\xff", b"\xff\xff\x01"]).await;
    for (prefix, expected) in [
        (&b"a"[..], &[&b"a"[..], b"a\xff", b"a\xff\xff"][..]),
        (b"a\xff", &[b"a\xff", b"a\xff\xff"]),
        (b"a\xff\xff", &[b"a\xff\xff"]),
        (b"\xff", &[b"\xff", b"\xff\x00", b"\xff\xff", b"\xff\xff\x01"]),
        (b"\xff\xff", &[b"\xff\xff", b"\xff\xff\x01"]),
        (b"c", &[]),
    ] {
        assert_eq!(keys(&store.scan(&Scan::prefix(prefix)).await.unwrap()), expected, "{prefix:?}");
        let mut backwards = expected.to_vec();
        backwards.reverse();
        assert_eq!(keys(&store.scan(&Scan::prefix(prefix).descending()).await.unwrap()), backwards, "{prefix:?}");
    }
}

async fn a_scan_goes_both_ways_page_by_page(bench: &dyn Bench) {
    let store = bench.fresh().await;
    let all: Vec<Vec<u8>> = (0..100_u32).map(|number| format!("key{number:03}").into_bytes()).collect();
    put(&*store, &all.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
    let bounds = [
        (Bound::Included(b"key010".to_vec()), Bound::Included(b"key090".to_vec()), 10..91),
        (Bound::Excluded(b"key010".to_vec()), Bound::Excluded(b"key090".to_vec()), 11..90),
        (Bound::Unbounded, Bound::Excluded(b"key0905".to_vec()), 0..91),
        (Bound::Excluded(b"key0105".to_vec()), Bound::Unbounded, 11..100),
    ];
    for (from, to, range) in bounds {
        for descending in [false, true] {
            for most in [1, 7, 80, 1000] {
                let mut scan = Scan::range(from.clone(), to.clone()).entries(most);
                scan.descending = descending;
                let (mut found, mut pages) = (Vec::new(), 0);
                loop {
                    let page = store.scan(&scan).await.unwrap();
                    assert!(page.entries.len() <= most);
                    found.extend(keys(&page));
                    pages += 1;
                    match page.next {
                        Some(cursor) => scan = scan.after(cursor),
                        None => break,
                    }
                }
                let mut expected = all[range.clone()].to_vec();
                if descending {
                    expected.reverse();
                }
                assert_eq!(found, expected);
                assert_eq!(pages, expected.len().div_ceil(most), "a cursor is given only where something follows");
            }
        }
    }
}

async fn a_page_ends_at_its_bytes(bench: &dyn Bench) {
    let store = bench.fresh().await;
    for key in ["a", "b", "c"] {
        store.commit(Batch::new().put(key, vec![7; 1000])).await.unwrap();
    }
    let page = store.scan(&Scan::prefix("").bytes(2100)).await.unwrap();
    assert_eq!(page.entries.len(), 2);
    // One is given in any case, or no scan would ever end.
    let page = store.scan(&Scan::prefix("").bytes(1)).await.unwrap();
    assert_eq!(page.entries.len(), 1);
    assert!(page.next.is_some());
}

async fn an_empty_range_is_empty(bench: &dyn Bench) {
    let store = bench.fresh().await;
    put(&*store, &[b"a", b"b", b"c"]).await;
    for (from, to) in [
        (Bound::Included(b"c".to_vec()), Bound::Included(b"a".to_vec())),
        (Bound::Excluded(b"b".to_vec()), Bound::Excluded(b"b".to_vec())),
        (Bound::Included(b"b".to_vec()), Bound::Excluded(b"b".to_vec())),
        (Bound::Excluded(b"a".to_vec()), Bound::Excluded(b"b".to_vec())),
        (Bound::Included(b"x".to_vec()), Bound::Unbounded),
    ] {
        for descending in [false, true] {
            let mut scan = Scan::range(from.clone(), to.clone());
            scan.descending = descending;
            assert_eq!(store.scan(&scan).await.unwrap(), Page::default(), "{from:?} {to:?}");
        }
    }
}

async fn a_batch_is_applied_as_a_whole_or_not_at_all(bench: &dyn Bench) {
    let store = bench.fresh().await;
    store.commit(Batch::new().put("a", "1").put("b", "1")).await.unwrap();
    let batch = Batch::new().put("a", "2").delete("b").put("c", "2").check("b", Some(b"other".to_vec()));
    assert_eq!(store.commit(batch).await, Err(StoreError::Conflict { key: "b".to_owned() }));
    assert_eq!(all(&*store).await, [(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), b"1".to_vec())]);
    let batch =
        Batch::new().put("a", "2").delete("b").put("c", "2").delete("never there").check("b", Some(b"1".to_vec()));
    store.commit(batch).await.unwrap();
    assert_eq!(all(&*store).await, [(b"a".to_vec(), b"2".to_vec()), (b"c".to_vec(), b"2".to_vec())]);
    store.commit(Batch::new()).await.unwrap();
}

async fn checks_see_the_store_before_the_batch(bench: &dyn Bench) {
    let store = bench.fresh().await;
    store.commit(Batch::new().check("a", None).put("a", "")).await.unwrap();
    // An empty value is a value.
    assert_eq!(store.get(b"a").await.unwrap(), Some(Vec::new()));
    let absent = Batch::new().check("a", None).put("b", "1");
    assert_eq!(store.commit(absent).await, Err(StoreError::Conflict { key: "a".to_owned() }));
    let longer = Batch::new().check("a", Some(b"1".to_vec())).put("b", "1");
    assert_eq!(store.commit(longer).await, Err(StoreError::Conflict { key: "a".to_owned() }));
    let there = Batch::new().check("nobody", Some(Vec::new())).put("b", "1");
    assert_eq!(store.commit(there).await, Err(StoreError::Conflict { key: "nobody".to_owned() }));
    let right = Batch::new().check("a", Some(Vec::new())).check("b", None).put("b", "1").delete("a");
    store.commit(right).await.unwrap();
    // Only checks.
    store.commit(Batch::new().check("a", None).check("b", Some(b"1".to_vec()))).await.unwrap();
    let odd = Batch::new().check(b"\xffodd\n".to_vec(), Some(Vec::new()));
    assert_eq!(store.commit(odd).await, Err(StoreError::Conflict { key: "\\xffodd\\n".to_owned() }));
}

async fn the_limits_are_kept(bench: &dyn Bench) {
    let store = bench.fresh().await;
    let longest = Batch::new().put(vec![b'k'; MAX_KEY_BYTES], vec![b'v'; MAX_VALUE_BYTES]);
    store.commit(longest).await.unwrap();
    assert_eq!(store.get(&[b'k'; MAX_KEY_BYTES]).await.unwrap(), Some(vec![b'v'; MAX_VALUE_BYTES]));
    let (bytes, limit) = (MAX_KEY_BYTES + 1, MAX_KEY_BYTES);
    for batch in [
        Batch::new().put(vec![b'k'; bytes], "v"),
        Batch::new().delete(vec![b'k'; bytes]),
        Batch::new().check(vec![b'k'; bytes], None),
    ] {
        assert_eq!(store.commit(batch).await, Err(StoreError::TooLarge { what: "a key", bytes, limit }));
    }
    let (bytes, limit) = (MAX_VALUE_BYTES + 1, MAX_VALUE_BYTES);
    let longer = Batch::new().put("k", vec![b'v'; bytes]);
    assert_eq!(store.commit(longer).await, Err(StoreError::TooLarge { what: "a value", bytes, limit }));
    let many = MAX_BATCH_BYTES / MAX_VALUE_BYTES;
    let batch = (0..many).fold(Batch::new(), |batch, number| batch.put([number as u8], vec![b'v'; MAX_VALUE_BYTES]));
    let (bytes, limit) = (MAX_BATCH_BYTES + many, MAX_BATCH_BYTES);
    assert_eq!(store.commit(batch).await, Err(StoreError::TooLarge { what: "a batch", bytes, limit }));
    let batch =
        (0..many).fold(Batch::new(), |batch, number| batch.put([number as u8], vec![b'v'; MAX_VALUE_BYTES - 1]));
    store.commit(batch).await.unwrap();
}

async fn what_was_committed_is_there_when_it_is_opened_again(bench: &dyn Bench) {
    let mut store = bench.fresh().await;
    for round in 0..3_u8 {
        for number in 0..50_u8 {
            store.commit(Batch::new().put([number], vec![round; usize::from(number) * 40])).await.unwrap();
        }
        store.commit(Batch::new().delete([round])).await.unwrap();
        let before = all(&*store).await;
        store = match bench.again(store).await {
            Some(store) => store,
            None => return,
        };
        assert_eq!(all(&*store).await, before);
    }
}
