//! Waiting that a person can watch, on stderr: a line when a step begins to take long, now and then while it goes on, and at
//! its end.

use std::{
    future::Future,
    pin::pin,
    time::{Duration, Instant},
};

use anstyle::{AnsiColor, Style};
use tokio::time::{sleep, timeout};

const GOOD: Style = AnsiColor::Green.on_default();
const DIM: Style = Style::new().dimmed();
/// What takes longer than this is worth a line.
const NOTEWORTHY: Duration = Duration::from_secs(2);
/// How often a step that runs on says so.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Carries out a step. Its end is told by whoever knows whether it was good, unless it took long.
pub(crate) async fn step<T>(label: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let started = Instant::now();
    let mut wait = NOTEWORTHY;
    loop {
        if let Ok(done) = timeout(wait, &mut work).await {
            let took = started.elapsed();
            if took >= NOTEWORTHY {
                anstream::eprintln!("{DIM}· {label}: {:.1} s{DIM:#}", took.as_secs_f32());
            }
            return done;
        }
        anstream::eprintln!("{DIM}… {label} {} s{DIM:#}", started.elapsed().as_secs());
        wait = HEARTBEAT;
    }
}

/// Says that something is there.
pub(crate) fn ready(what: &str, took: Duration) {
    anstream::eprintln!("{GOOD}✓{GOOD:#} {what} {DIM}{:.1} s{DIM:#}", took.as_secs_f32());
}

/// Asks again and again until there is an answer, at most this long.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(within: Duration, mut ask: impl FnMut() -> F) -> Option<T> {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(within, asking).await.ok()
}
