//! What an integration remembers of its traffic, over all of its calls.

use std::sync::{Mutex, PoisonError};

use crate::retry::Budget;

/// One integration's traffic.
#[derive(Debug, Default)]
pub struct Traffic {
    budget: Mutex<Budget>,
}

impl Traffic {
    pub(crate) fn budget<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        change(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
