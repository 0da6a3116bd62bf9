//! Cost against price, for the tests of the crates that charge: whatever the shape, what work costs grows no faster than what
//! is charged for it.
//!
//! Each shape is made in sizes that double. The cost is the CPU time of this thread, the least of a few tries and of many more
//! where these were too slow, so that a busy or slow machine does not matter; the price is what was charged. Where cost grew by more than the price did, with
//! room for what is measured badly, a shape was found whose price is wrong, and larger sizes of it cost as much as one likes.
#![allow(clippy::panic, clippy::print_stdout, unreachable_pub, missing_docs)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "these are measurements")]
#![allow(dead_code, reason = "not every program uses all of it")]

use std::{thread, time::Duration};

use portcullis_gate::Work;
use rustix::time::{ClockId, clock_gettime};

/// So much CPU time at least is worth comparing, in nanoseconds.
const MEASURABLE: f64 = 1_000_000.0;
/// A size that costs so much is the last one.
const ENOUGH: f64 = 100_000_000.0;
/// By how much the cost of a unit may grow from the smallest measurable size to any larger one.
const GROWTH: f64 = 4.0;
/// What a unit may cost at most, in nanoseconds. Fifty, in a build that is optimised.
pub const UNIT: f64 = if cfg!(debug_assertions) { 1_500.0 } else { 150.0 };
pub const ENDLESS: u64 = 1 << 50;

pub fn cpu_ns() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// The least CPU time of a few tries, in nanoseconds. Where that does not fit, of more tries over some seconds: the system counts
/// as ours what other machines took of a processor that is shared with them, and that passes.
pub fn least(fits: impl Fn(f64) -> bool, mut once: impl FnMut()) -> f64 {
    let mut least = f64::MAX;
    for round in 0..40 {
        thread::sleep(Duration::from_millis(round * 5));
        for _ in 0..3 {
            let before = cpu_ns();
            once();
            least = least.min(cpu_ns() - before);
            if least > ENOUGH {
                break;
            }
        }
        if fits(least) {
            break;
        }
    }
    least
}

/// Holds what is done with each size against what is charged for it.
pub fn check<T>(name: &str, sizes: &[usize], make: impl Fn(usize) -> T, run: impl Fn(&T, &Work)) {
    let mut first: Option<f64> = None;
    let (mut last, mut counted) = (0.0, false);
    let mut told = String::new();
    for size in sizes {
        let made = make(*size);
        let work = Work::new(ENDLESS);
        run(&made, &work);
        let price = work.used().max(1) as f64;
        // Small sizes are charged a bound, larger ones a count, which is less: from there on units are others. That happens once.
        if price < last && !counted {
            (first, counted) = (None, true);
        }
        last = price;
        let most = first.map_or(UNIT, |first| UNIT.min(first * GROWTH));
        let cost = least(|cost| cost <= MEASURABLE || cost / price < most, || run(&made, &Work::new(ENDLESS)));
        let unit = cost / price;
        told += &format!("\n  {size:>8}: {:>12.0} ns {price:>14.0} units {unit:>8.2} ns a unit", cost);
        if cost > MEASURABLE {
            assert!(unit < UNIT, "{name}: a unit costs too much{told}");
            let first = *first.get_or_insert(unit.max(UNIT / 15.0));
            assert!(unit < first * GROWTH, "{name}: cost grows faster than price{told}");
        }
        if cost > ENOUGH {
            break;
        }
    }
    println!("{name}{told}");
}

pub fn doubling(from: usize, times: u32) -> Vec<usize> {
    (0..times).map(|n| from << n).collect()
}
