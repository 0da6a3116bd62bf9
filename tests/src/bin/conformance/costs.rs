//! What the live calls of a suite cost, operation by operation: medians of their receipts.

use std::collections::BTreeMap;

use portcullis_runtime::{Outcome, Receipt};
use serde_json::{Value, json};

/// The receipts of live calls that ended well, by adapter and operation.
#[derive(Debug, Default, Clone)]
pub(crate) struct Costs {
    receipts: BTreeMap<(String, String), Vec<Receipt>>,
}

impl Costs {
    /// One more call. What was refused, what failed and what was in sandbox mode costs something else.
    pub(crate) fn add(&mut self, adapter: &str, operation: &str, outcome: &Outcome) {
        if outcome.result.is_ok() && outcome.would_send.is_empty() && outcome.receipt.requests > 0 {
            let key = (adapter.to_owned(), operation.to_owned());
            self.receipts.entry(key).or_default().push(outcome.receipt);
        }
    }

    /// All calls of others as well.
    pub(crate) fn join(&mut self, others: &Self) {
        for (key, receipts) in &others.receipts {
            self.receipts.entry(key.clone()).or_default().extend(receipts.iter().copied());
        }
    }

    /// A table with a heading; nothing where there was no call.
    pub(crate) fn table(&self) -> Vec<String> {
        let rows: Vec<[String; 7]> = self.receipts.iter().map(row).collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let heading = ["adapter", "operation", "calls", "requests", "fuel", "guest CPU", "memory"].map(str::to_owned);
        let rows: Vec<&[String; 7]> = std::iter::once(&heading).chain(&rows).collect();
        let mut widths = [0; 7];
        for row in &rows {
            widths.iter_mut().zip(*row).for_each(|(width, cell)| *width = cell.chars().count().max(*width));
        }
        let line = |row: &&[String; 7]| {
            let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
                if column < 2 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect()
    }

    /// The same for machines.
    pub(crate) fn as_json(&self) -> Value {
        let operation = |((adapter, operation), receipts): (&(String, String), &Vec<Receipt>)| {
            let of = |figure: fn(&Receipt) -> u64| median(receipts, figure);
            json!({
                "adapter": adapter, "operation": operation, "calls": receipts.len(),
                "requests": of(|receipt| receipt.requests.into()), "fuel": of(|receipt| receipt.fuel),
                "guest_cpu_us": of(|receipt| receipt.guest_cpu_us),
                "peak_memory_bytes": of(|receipt| receipt.peak_memory_bytes),
            })
        };
        Value::Array(self.receipts.iter().map(operation).collect())
    }
}

fn row(((adapter, operation), receipts): (&(String, String), &Vec<Receipt>)) -> [String; 7] {
    let of = |figure: fn(&Receipt) -> u64| median(receipts, figure);
    [
        adapter.clone(),
        operation.clone(),
        receipts.len().to_string(),
        of(|receipt| receipt.requests.into()).to_string(),
        format!("{} k", of(|receipt| receipt.fuel) / 1_000),
        format!("{} µs", of(|receipt| receipt.guest_cpu_us)),
        format!("{} KB", of(|receipt| receipt.peak_memory_bytes) / 1_000),
    ]
}

fn median(receipts: &[Receipt], figure: fn(&Receipt) -> u64) -> u64 {
    let mut figures: Vec<u64> = receipts.iter().map(figure).collect();
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operation_has_its_median_and_the_table_lines_up() {
        let receipt = |fuel: u64| Receipt { fuel, requests: 1, guest_cpu_us: fuel / 1_000, ..Receipt::default() };
        let mut costs = Costs::default();
        let mut others = Costs::default();
        let key = |operation: &str| ("stripe".to_owned(), operation.to_owned());
        costs.receipts.insert(key("getRefund"), vec![receipt(9_000), receipt(1_000)]);
        others.receipts.insert(key("getRefund"), vec![receipt(5_000)]);
        others.receipts.insert(key("list"), vec![receipt(2_000_000)]);
        costs.join(&others);
        assert_eq!(
            costs.table(),
            [
                "adapter  operation  calls  requests    fuel  guest CPU  memory",
                "stripe   getRefund      3         1     5 k       5 µs    0 KB",
                "stripe   list           1         1  2000 k    2000 µs    0 KB",
            ]
        );
        assert_eq!(costs.as_json()[0]["fuel"], 5_000);
        assert!(Costs::default().table().is_empty());
    }
}
