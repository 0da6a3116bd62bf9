//! A listener that nobody may touch, and that gives itself away if somebody does.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// What it says to whoever asks, as a cloud's metadata service says it. No test may find it anywhere.
pub const LOOT: &str = "canary-role-credentials";

/// Counts connections on a loopback port, and the bytes they bring.
#[derive(Debug)]
pub struct Canary {
    /// Where it listens.
    pub address: SocketAddr,
    touched: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Canary {
    /// Starts to listen.
    pub async fn start() -> io::Result<Self> {
        Self::at("127.0.0.1:0".parse().map_err(io::Error::other)?).await
    }

    /// Starts to listen there.
    pub async fn at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (touched, bytes): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
        let (count, sum) = (touched.clone(), bytes.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let sum = sum.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{LOOT}", LOOT.len());
                    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                        sum.fetch_add(read, Ordering::SeqCst);
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Ok(Self { address, touched, bytes })
    }

    /// How often somebody connected.
    pub fn touched(&self) -> usize {
        self.touched.load(Ordering::SeqCst)
    }

    /// How many bytes came.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }
}
