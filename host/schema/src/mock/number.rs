//! Integers and numbers: small and plausible, within the bounds, on the grid.

use serde_json::{Map, Number, Value};

use super::rng::Rng;

/// Usual range by property name, for numbers without bounds. The first row whose text is in the name decides.
const RANGES: &[(&str, i128, i128)] = &[
    // An answer that is made up is a success.
    ("errorcode", 0, 0),
    ("error_code", 0, 0),
    ("created", 1_704_067_200, 1_767_225_599),
    ("timestamp", 1_704_067_200, 1_767_225_599),
    ("_at", 1_704_067_200, 1_767_225_599),
    ("amount", 100, 9_999),
    ("price", 100, 9_999),
    ("year", 2024, 2026),
    ("month", 1, 12),
    ("day", 1, 28),
    ("port", 1024, 49_151),
    ("offset", 0, 0),
    ("count", 1, 20),
    ("total", 1, 20),
];
const USUAL: (i128, i128) = (1, 100);

pub(crate) fn integer(schema: &Map<String, Value>, name: &str, rng: &mut Rng) -> Result<Value, String> {
    let low = lower(schema, f64::ceil, 1);
    let high = upper(schema, f64::floor, 1);
    let step = match schema.get("multipleOf") {
        None => 1,
        Some(step) => whole_step(step).ok_or("no small integer is on the grid of `multipleOf`")?,
    };
    let (from, to) = window(low, high, name, step);
    // Grid points within the window; then, if the window is too narrow, within the bounds.
    let points =
        |from: i128, to: i128| (from.div_euclid(step) + i128::from(from.rem_euclid(step) != 0), to.div_euclid(step));
    let (mut first, mut last) = points(from, to);
    if first > last {
        let widest = i128::from(i64::MAX);
        (first, last) = points(low.unwrap_or(-widest).max(-widest), high.unwrap_or(widest).min(widest));
        last = last.min(first.saturating_add(100));
    }
    if first > last {
        return Err("no integer lies within its bounds".into());
    }
    let span = usize::try_from(last - first + 1).unwrap_or(usize::MAX);
    let value = (first + i128::try_from(rng.below(span)).unwrap_or(0)).saturating_mul(step);
    let number = i64::try_from(value).map(Number::from).or_else(|_| u64::try_from(value).map(Number::from));
    number.map(Value::Number).map_err(|_| "its bounds lie outside 64-bit integers".into())
}

pub(crate) fn number(schema: &Map<String, Value>, name: &str, rng: &mut Rng) -> Result<Value, String> {
    let step = schema.get("multipleOf").and_then(Value::as_f64);
    let whole = integer(schema, name, rng);
    if step.is_some_and(|step| step.fract() == 0.0) {
        return whole;
    }
    let bound = |key| schema.get(key).and_then(Value::as_f64);
    let low = [bound("minimum"), bound("exclusiveMinimum")].into_iter().flatten().reduce(f64::max);
    let high = [bound("maximum"), bound("exclusiveMaximum")].into_iter().flatten().reduce(f64::min);
    let fits = |x: f64| {
        bound("minimum").is_none_or(|b| x >= b)
            && bound("exclusiveMinimum").is_none_or(|b| x > b)
            && bound("maximum").is_none_or(|b| x <= b)
            && bound("exclusiveMaximum").is_none_or(|b| x < b)
    };
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low + 100.0),
        (None, Some(high)) => (high.min(0.0).min(high - 100.0), high),
        (None, None) => (1.0, 100.0),
    };
    for _ in 0..32 {
        let share = f64::from(u32::try_from(rng.below(10_001)).unwrap_or(0)) / 10_000.0;
        let raw = low + (high - low) * share;
        let candidates = match step {
            Some(step) => [(raw / step).round() * step, (raw / step).ceil() * step, (raw / step).floor() * step],
            None => [(raw * 100.0).round() / 100.0, raw, low + (high - low) / 2.0],
        };
        if let Some(number) = candidates.into_iter().filter(|x| fits(*x)).find_map(Number::from_f64) {
            return Ok(Value::Number(number));
        }
    }
    if step.is_some() { Err("no multiple lies within its bounds".into()) } else { whole }
}

fn window(low: Option<i128>, high: Option<i128>, name: &str, step: i128) -> (i128, i128) {
    let name = name.to_lowercase();
    let usual = RANGES.iter().find(|(part, ..)| name.contains(part)).map_or(USUAL, |(_, from, to)| (*from, *to));
    let (from, to) = (usual.0.max(low.unwrap_or(usual.0)), usual.1.min(high.unwrap_or(usual.1)));
    if from <= to {
        return (from, to);
    }
    let width = step.saturating_mul(100);
    match (low, high) {
        (Some(low), high) => (low, high.unwrap_or(i128::from(u64::MAX)).min(low.saturating_add(width))),
        (None, Some(high)) => (high.saturating_sub(width).max(i128::from(i64::MIN)), high),
        (None, None) => usual,
    }
}

/// The smallest whole number on the grid of `multipleOf`.
fn whole_step(step: &Value) -> Option<i128> {
    let step = step.as_f64().filter(|step| *step > 0.0)?;
    (1..=10_000).map(|n| step * f64::from(n)).find(|x| x.fract() == 0.0).map(to_i128)
}

fn lower(schema: &Map<String, Value>, round: fn(f64) -> f64, gap: i128) -> Option<i128> {
    let closed = schema.get("minimum").and_then(|b| exact(b, round));
    let open = schema.get("exclusiveMinimum").and_then(|b| exact(b, f64::floor)).map(|b| b + gap);
    [closed, open].into_iter().flatten().max()
}

fn upper(schema: &Map<String, Value>, round: fn(f64) -> f64, gap: i128) -> Option<i128> {
    let closed = schema.get("maximum").and_then(|b| exact(b, round));
    let open = schema.get("exclusiveMaximum").and_then(|b| exact(b, f64::ceil)).map(|b| b - gap);
    [closed, open].into_iter().flatten().min()
}

/// A bound as an integer; whole numbers of 64 bits exactly.
fn exact(bound: &Value, round: fn(f64) -> f64) -> Option<i128> {
    let whole = bound.as_i64().map(i128::from).or_else(|| bound.as_u64().map(i128::from));
    whole.or_else(|| bound.as_f64().map(round).map(to_i128))
}

fn to_i128(x: f64) -> i128 {
    // A float-to-integer cast saturates; what is left of the range still adds and multiplies without overflow.
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is clamped to far beyond 64 bits")]
    let whole = x as i128;
    whole.clamp(-(1 << 96), 1 << 96)
}
