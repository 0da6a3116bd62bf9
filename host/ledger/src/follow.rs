//! Records as they come.

use std::time::Duration;

use tokio::time::timeout;

use crate::{
    block::Line,
    error::LedgerError,
    query::{Cursor, Query},
    reader::Reader,
    record::Record,
};

/// How often is looked where nobody tells that there is something: another process may write.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The records that a query finds, from some place on, without an end.
#[derive(Debug)]
pub struct Follow {
    pub(crate) reader: Reader,
    pub(crate) query: Query,
}

impl Follow {
    /// The next ones, oldest first. Waits until there are some.
    pub async fn next(&mut self) -> Result<Vec<(Line, Record)>, LedgerError> {
        loop {
            let page = self.reader.query(&self.query).await?;
            if page.seen > 0 {
                self.query.after = Some(Cursor(page.seen));
            }
            if !page.records.is_empty() {
                return Ok(page.records);
            }
            if page.next.is_none() {
                self.reader.something_new(LOOK_EVERY).await;
            }
        }
    }
}

impl Reader {
    /// Waits until something was written, or for a while.
    async fn something_new(&mut self, most: Duration) {
        let told = match &mut self.written {
            Some(written) => !matches!(timeout(most, written.changed()).await, Ok(Err(_))),
            None => false,
        };
        if !told {
            tokio::time::sleep(most).await;
        }
    }
}
