//! What every store must do, whatever is behind it. A store is held to all of it by `conformance!`.

mod ordering;
mod writers;

use std::{future::Future, pin::Pin, sync::Arc};

use portcullis_store::Store;

/// A store under test.
pub(crate) type Open = Arc<dyn Store>;
/// A future that any runtime can carry.
pub(crate) type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Makes stores and opens them again.
pub(crate) trait Bench: Send + Sync {
    /// An empty one.
    fn fresh(&self) -> Later<Open>;
    /// Ends one and opens what it kept; none where it keeps nothing.
    fn again(&self, store: Open) -> Later<Option<Open>>;
}

/// Everything in a store.
pub(crate) async fn all(store: &dyn Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    let mut scan = portcullis_store::Scan::prefix("");
    loop {
        let page = store.scan(&scan).await.unwrap();
        found.extend(page.entries);
        match page.next {
            Some(cursor) => scan = scan.after(cursor),
            None => return found,
        }
    }
}

/// Holds a store to the whole suite: `conformance!(a_bench());`.
macro_rules! conformance {
    ($bench:expr; $($module:ident: $($name:ident)*;)*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                $crate::conformance::$module(stringify!($name), &$bench).await;
            }
        )*)*
    };
    ($bench:expr) => {
        $crate::conformance::conformance! { $bench;
            ordering:
                keys_are_ordered_as_bytes
                a_prefix_ends_where_it_ends
                a_scan_goes_both_ways_page_by_page
                a_page_ends_at_its_bytes
                an_empty_range_is_empty
                a_batch_is_applied_as_a_whole_or_not_at_all
                checks_see_the_store_before_the_batch
                the_limits_are_kept
                what_was_committed_is_there_when_it_is_opened_again;
            writers:
                no_update_of_64_writers_is_lost
                what_is_read_was_current_between_call_and_answer
                of_two_that_want_the_same_one_gets_it
                a_commit_that_nobody_waits_for_is_applied_as_a_whole;
        }
    };
}
pub(crate) use conformance;

/// Runs a test of the suite by its name.
macro_rules! by_name {
    ($name:expr, $bench:expr; $($test:ident)*) => {
        match $name {
            $(stringify!($test) => $test($bench).await,)*
            other => panic!("there is no test `{other}`"),
        }
    };
}
use by_name;

pub(crate) use ordering::run as ordering;
pub(crate) use writers::run as writers;
