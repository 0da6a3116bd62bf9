//! A listener that nobody may touch.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::net::TcpListener;

/// Counts connections on a loopback port.
#[derive(Debug)]
pub struct Canary {
    /// Where it listens.
    pub address: SocketAddr,
    touched: Arc<AtomicUsize>,
}

impl Canary {
    /// Starts to listen.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let touched = Arc::new(AtomicUsize::new(0));
        let count = touched.clone();
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Ok(Self { address, touched })
    }

    /// How often somebody connected.
    pub fn touched(&self) -> usize {
        self.touched.load(Ordering::SeqCst)
    }
}
