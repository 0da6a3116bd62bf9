//! A DNS server on a loopback port, UDP and TCP, that answers as a test says and counts what it is asked.
//!
//! It reads one question of a message and writes what a resolver needs to see (RFC 1035, section 4): addresses, aliases,
//! "no such name", or nothing at all. What does not fit into 512 bytes is cut off by UDP and whole by TCP.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};

/// What is said about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Its addresses: those of the family that was asked for.
    Addresses(Vec<IpAddr>),
    /// It is another name (CNAME).
    Alias(String),
    /// There is no such name.
    NoSuchName,
    /// Nothing is said.
    Silence,
}

/// The server. It ends with the tokio runtime it was started on.
#[derive(Clone, Debug)]
pub struct DnsServer {
    /// Where it listens, for both UDP and TCP.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Replies to each name, in turn, the last one for ever.
    table: HashMap<String, Vec<Reply>>,
    /// How often each name was asked for each type.
    turns: HashMap<(String, u16), usize>,
    /// All questions, as they came.
    asked: Vec<(String, u16)>,
    given: Vec<IpAddr>,
    ttl: u32,
    by_tcp: usize,
}

const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const AAAA: u16 = 28;
const IN: u16 = 1;
/// Where the question's name is, as a compressed name: after the header of 12 bytes.
const NAME: u16 = 0xc00c;
/// Largest answer by UDP.
const UDP_BYTES: usize = 512;

impl DnsServer {
    /// Starts to listen.
    pub async fn start() -> io::Result<Self> {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await?;
            // The same port may be taken for TCP; another will not be.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr()?).await {
                break (udp, tcp);
            }
        };
        let server = Self { address: udp.local_addr()?, state: Arc::default() };
        let by_udp = server.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
                let query = buffer.get(..length).unwrap_or_default();
                if let Some(mut answer) = by_udp.answer(query, false) {
                    if answer.len() > UDP_BYTES {
                        answer = truncated(&answer);
                    }
                    let _ = udp.send_to(&answer, from).await;
                }
            }
        });
        let by_tcp = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = tcp.accept().await {
                tokio::spawn(by_tcp.clone().serve(stream));
            }
        });
        Ok(server)
    }

    async fn serve(self, mut stream: TcpStream) {
        while let Ok(length) = stream.read_u16().await {
            let mut query = vec![0; length.into()];
            if stream.read_exact(&mut query).await.is_err() {
                return;
            }
            let Some(answer) = self.answer(&query, true) else { continue };
            let mut message = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
            message.extend_from_slice(&answer);
            if stream.write_all(&message).await.is_err() {
                return;
            }
        }
    }

    /// `name` has these addresses; called again, these ones the next time it is asked for.
    pub fn add(&self, name: &str, addresses: &[IpAddr]) {
        self.reply(name, Reply::Addresses(addresses.to_vec()));
    }

    /// This is said about `name`; called again, this the next time.
    pub fn reply(&self, name: &str, reply: Reply) {
        self.state().table.entry(name.to_owned()).or_default().push(reply);
    }

    /// From now on answers hold for this many seconds. Until then they hold for none.
    pub fn ttl(&self, seconds: u32) {
        self.state().ttl = seconds;
    }

    /// How many names were looked up, one that was looked up twice counted twice.
    pub fn asked(&self) -> usize {
        let state = self.state();
        let of = |kind| state.asked.iter().filter(|(_, asked)| *asked == kind).count();
        of(A).max(of(AAAA))
    }

    /// How many questions came, of whatever kind.
    pub fn queries(&self) -> usize {
        self.state().asked.len()
    }

    /// The names that were asked for and that no test has said anything about: something leaks by asking.
    pub fn strangers(&self) -> Vec<String> {
        let state = self.state();
        let strange = |(name, _): &&(String, u16)| !state.table.contains_key(name);
        state.asked.iter().filter(strange).map(|(name, _)| name.clone()).collect()
    }

    /// How many of them by TCP.
    pub fn by_tcp(&self) -> usize {
        self.state().by_tcp
    }

    /// All addresses that it gave out.
    pub fn given(&self) -> Vec<IpAddr> {
        self.state().given.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a query; none where nothing is to be said.
    fn answer(&self, query: &[u8], tcp: bool) -> Option<Vec<u8>> {
        let question = Question::read(query)?;
        let mut state = self.state();
        state.asked.push((question.name.clone(), question.kind));
        state.by_tcp += usize::from(tcp);
        let turns = state.turns.entry((question.name.clone(), question.kind)).or_default();
        // By TCP comes what was asked by UDP and cut off.
        let turn = if tcp { turns.saturating_sub(1) } else { *turns };
        *turns = turn + 1;
        let replies = state.table.get(&question.name);
        let reply = replies.and_then(|replies| replies.get(turn).or(replies.last())).cloned();
        let ttl = state.ttl;
        let mut records = Vec::new();
        let code = match reply.unwrap_or(Reply::NoSuchName) {
            Reply::Silence => return None,
            Reply::NoSuchName => 3,
            Reply::Alias(name) => {
                records.push((CNAME, written(&name)));
                0
            }
            Reply::Addresses(addresses) => {
                for address in addresses {
                    match (address, question.kind) {
                        (IpAddr::V4(v4), A) => records.push((A, v4.octets().to_vec())),
                        (IpAddr::V6(v6), AAAA) => records.push((AAAA, v6.octets().to_vec())),
                        _ => continue,
                    }
                    state.given.push(address);
                }
                0
            }
        };
        Some(question.message(code, &records, ttl))
    }
}

struct Question<'a> {
    id: &'a [u8],
    /// In lower case, without the dot at its end.
    name: String,
    kind: u16,
    /// As it came, to be repeated.
    bytes: &'a [u8],
}

impl<'a> Question<'a> {
    fn read(query: &'a [u8]) -> Option<Self> {
        let mut labels = Vec::new();
        let mut at = 12;
        loop {
            let length = usize::from(*query.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
            at += length;
        }
        let kind = query.get(at..at + 2)?;
        Some(Self {
            id: query.get(..2)?,
            name: labels.join("."),
            kind: u16::from_be_bytes(kind.try_into().ok()?),
            bytes: query.get(12..at + 4)?,
        })
    }

    /// Header, question, and these records about its name; where there are none, who says so.
    fn message(&self, code: u8, records: &[(u16, Vec<u8>)], ttl: u32) -> Vec<u8> {
        let count = u16::try_from(records.len()).unwrap_or(u16::MAX);
        let mut message = self.id.to_vec();
        // A response, recursion desired and available.
        message.extend([0x81, 0x80 | code]);
        for count in [1, count, u16::from(records.is_empty()), 0] {
            message.extend(count.to_be_bytes());
        }
        message.extend_from_slice(self.bytes);
        // Two empty names, four numbers, and for how long "there is none" holds.
        let start_of_authority = [(SOA, [vec![0; 18], ttl.to_be_bytes().to_vec()].concat())];
        for (kind, data) in if records.is_empty() { &start_of_authority[..] } else { records } {
            for number in [NAME, *kind, IN] {
                message.extend(number.to_be_bytes());
            }
            message.extend(ttl.to_be_bytes());
            message.extend(u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
            message.extend_from_slice(data);
        }
        message
    }
}

/// A name as it is written in a message.
fn written(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap_or(63));
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The header and the question of an answer, and that the rest was cut off.
fn truncated(answer: &[u8]) -> Vec<u8> {
    let end = answer.iter().skip(12).position(|byte| *byte == 0).map_or(12, |at| 12 + at + 5);
    let mut cut = answer.get(..end).unwrap_or_default().to_vec();
    if let Some(flags) = cut.get_mut(2) {
        *flags |= 0x02;
    }
    for count in cut.iter_mut().take(12).skip(6) {
        *count = 0;
    }
    cut
}
