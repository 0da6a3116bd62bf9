use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use jiff::ToSpan;
use tokio::sync::Notify;

use super::super::{Flight, Flights, TokenError};
use super::*;

type Kept = Arc<Mutex<Option<Arc<Token>>>>;

fn busy() -> TokenError {
    TokenError::Refused { status: 503, error: "status 503".into(), description: None }
}

fn failing(flights: &Flights, now: Timestamp, error: TokenError, count: &Arc<AtomicUsize>) -> Flight {
    let count = count.clone();
    flights.join(
        "key",
        1,
        now,
        || None,
        || async move {
            count.fetch_add(1, Ordering::SeqCst);
            Err(error)
        },
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_who_wait_make_one_exchange_and_all_get_its_token() {
    let (flights, count, open, kept) =
        (Flights::default(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()), Kept::default());
    // All of them have joined before there is a token.
    let joined: Vec<_> = (0..100)
        .map(|_| {
            let (count, open, kept) = (count.clone(), open.clone(), kept.clone());
            let look = kept.clone();
            let exchange = || async move {
                count.fetch_add(1, Ordering::SeqCst);
                open.notified().await;
                let token = Arc::new(token("access-1", None));
                *kept.lock().unwrap() = Some(token.clone());
                Ok(token)
            };
            flights.join("key", 1, now(), || look.lock().unwrap().clone(), exchange)
        })
        .collect();
    let waiting: Vec<_> = joined.into_iter().map(|flight| tokio::spawn(flight.landed())).collect();
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(count.load(Ordering::SeqCst), 1);
    open.notify_waiters();
    for one in waiting {
        assert_eq!(one.await.unwrap().unwrap().access.expose(), b"access-1");
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_waiter_that_goes_away_stops_nothing() {
    let (flights, open) = (Flights::default(), Arc::new(Notify::new()));
    let gate = open.clone();
    let exchange = || async move {
        gate.notified().await;
        Ok(Arc::new(token("access-1", None)))
    };
    let first = flights.join("key", 1, now(), || None, exchange);
    let waiter = tokio::spawn(first.landed());
    tokio::task::yield_now().await;
    waiter.abort();
    let second = flights.join("key", 1, now(), || None, || async { panic!("one is on its way") });
    open.notify_one();
    assert_eq!(second.landed().await.unwrap().access.expose(), b"access-1");
}

#[tokio::test]
async fn a_failure_is_remembered_twice_as_long_each_time_up_to_a_minute() {
    let (flights, count) = (Flights::default(), Arc::new(AtomicUsize::new(0)));
    let mut time = now();
    let mut pauses = Vec::new();
    for tried in 1..=8 {
        assert_eq!(failing(&flights, time, busy(), &count).landed().await.unwrap_err(), busy());
        assert_eq!(count.load(Ordering::SeqCst), tried);
        // Each second somebody asks; nobody is sent until the pause is over, which began when the exchange ended.
        let pause = (1..).find(|seconds| flights.remembered("key", 1, time + seconds.seconds()).is_none()).unwrap();
        let early = failing(&flights, time + (pause - 1).seconds(), busy(), &count);
        assert!(matches!(early, Flight::Landed(Err(_))));
        pauses.push(pause - 1);
        time += pause.seconds();
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[tokio::test]
async fn another_generation_and_a_slot_that_was_connected_anew_begin_anew() {
    let (flights, count) = (Flights::default(), Arc::new(AtomicUsize::new(0)));
    let refused = TokenError::Refused { status: 401, error: "invalid_client".into(), description: None };
    failing(&flights, now(), refused.clone(), &count).landed().await.unwrap_err();
    assert!(matches!(failing(&flights, now() + 20.seconds(), busy(), &count), Flight::Landed(Err(_))));
    let good = || async { Ok(Arc::new(token("access-1", None))) };
    assert!(flights.join("key", 2, now(), || None, good).landed().await.is_ok());
    flights.forget("key");
    assert!(flights.join("key", 1, now(), || None, good).landed().await.is_ok());
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_comes_just_too_late_gets_the_token_that_was_kept() {
    let kept = Arc::new(token("access-1", None));
    let flight = Flights::default().join("key", 1, now(), || Some(kept), || async { panic!("there is one") });
    assert!(matches!(flight, Flight::Landed(Ok(_))));
}

#[tokio::test]
async fn an_exchange_that_panics_leaves_nobody_waiting_and_the_next_one_begins_anew() {
    let flights = Flights::default();
    let broken = flights.join("key", 1, now(), || None, || async { panic!("on purpose") });
    assert!(broken.landed().await.is_err());
    let good = || async { Ok(Arc::new(token("access-1", None))) };
    assert!(flights.join("key", 1, now(), || None, good).landed().await.is_ok());
}
