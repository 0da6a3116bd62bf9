//! Names that resolve to what a test says, and count how often they are asked for.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use portcullis_egress::Resolver;

/// A resolver with a table. Answers of one name are given in turn, the last one for ever.
#[derive(Debug, Default)]
pub struct Names {
    table: Mutex<HashMap<String, Vec<Arc<[IpAddr]>>>>,
    asked: AtomicUsize,
    own: Mutex<Vec<IpAddr>>,
}

impl Names {
    /// `name` resolves to these addresses; called again, to the next ones the next time.
    pub fn add(&self, name: &str, addresses: &[IpAddr]) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.entry(name.to_owned()).or_default().push(addresses.into());
    }

    /// As if this were an address of the host's own.
    pub fn own(&self, address: IpAddr) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).push(address);
    }

    /// How many names were asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolver for Names {
    fn is_own(&self, address: IpAddr) -> bool {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).contains(&address)
    }

    async fn resolve(&self, name: &str) -> io::Result<Arc<[IpAddr]>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = table.get_mut(name).ok_or_else(|| io::Error::other("no such name"))?;
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers.first().cloned().unwrap_or_else(|| Arc::new([]))
        };
        Ok(answer)
    }
}
