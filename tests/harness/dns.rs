//! A DNS server on a loopback address of its own, port 53 (resolv.conf(5) knows no other).

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::thread;

/// A question, as far as tests look at it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    pub name: String,
    /// 1 is A, 28 is AAAA.
    pub kind: u16,
    pub tcp: bool,
}

/// What the server does with a question.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These addresses, as far as they are of the kind asked for.
    Addresses(Vec<IpAddr>),
    /// Over UDP: "ask over TCP".
    Truncated,
    /// An error code: 2 is SERVFAIL, 3 NXDOMAIN.
    Code(u8),
    /// These bytes behind the id.
    Raw(Vec<u8>),
    /// Nothing.
    Silence,
}

type Conduct = Arc<dyn Fn(&Question) -> Reply + Send + Sync>;

#[derive(Debug)]
pub struct Dns {
    address: Ipv4Addr,
    questions: Arc<AtomicUsize>,
}

impl Dns {
    pub fn start(conduct: impl Fn(&Question) -> Reply + Send + Sync + 'static) -> Self {
        let (udp, tcp, address) = bind();
        let conduct: Conduct = Arc::new(conduct);
        let questions = Arc::new(AtomicUsize::new(0));
        let (udp_conduct, counted) = (Arc::clone(&conduct), Arc::clone(&questions));
        thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok((length, from)) = udp.recv_from(&mut buffer) {
                counted.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = answer(&buffer[..length], false, &udp_conduct) {
                    let _gone = udp.send_to(&answer, from);
                }
            }
        });
        thread::spawn(move || {
            for mut stream in tcp.incoming().flatten() {
                let conduct = Arc::clone(&conduct);
                thread::spawn(move || {
                    let mut length = [0; 2];
                    stream.read_exact(&mut length)?;
                    let mut question = vec![0; u16::from_be_bytes(length).into()];
                    stream.read_exact(&mut question)?;
                    if let Some(answer) = answer(&question, true, &conduct) {
                        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX).to_be_bytes();
                        stream.write_all(&[&length, answer.as_slice()].concat())?;
                    }
                    Ok::<_, std::io::Error>(())
                });
            }
        });
        Self { address, questions }
    }

    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// How many questions came over UDP.
    pub fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }
}

/// The next loopback address on which port 53 is free.
fn bind() -> (UdpSocket, TcpListener, Ipv4Addr) {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let process = std::process::id().to_be_bytes();
    for _ in 0..1000 {
        let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let address = Ipv4Addr::new(127, 64 | (process[3] & 63), high, low);
        let place = SocketAddr::from((address, 53));
        if let (Ok(udp), Ok(tcp)) = (UdpSocket::bind(place), TcpListener::bind(place)) {
            return (udp, tcp, address);
        }
    }
    panic!("no loopback address with a free port 53; it needs root");
}

fn answer(message: &[u8], tcp: bool, conduct: &Conduct) -> Option<Vec<u8>> {
    let (id, body) = message.split_at_checked(2)?;
    let mut name = Vec::new();
    let mut at = 10;
    while let Some(length @ 1..) = body.get(at).copied() {
        let label = body.get(at + 1..at + 1 + usize::from(length))?;
        name.push(String::from_utf8_lossy(label).into_owned());
        at += 1 + usize::from(length);
    }
    let kind = u16::from_be_bytes(body.get(at + 1..at + 3)?.try_into().ok()?);
    let asked = &body[10..at + 5];
    let question = Question { name: name.join("."), kind, tcp };
    let message = |flags: u16, records: &[Vec<u8>]| {
        let counts = [flags, 1, records.len() as u16, 0, 0];
        let header: Vec<u8> = counts.iter().flat_map(|field| field.to_be_bytes()).collect();
        [id, &header, asked, &records.concat()].concat()
    };
    match conduct(&question) {
        Reply::Addresses(addresses) => {
            let records: Vec<Vec<u8>> =
                addresses.iter().filter_map(|address| record(*address, kind)).collect();
            Some(message(0x8180, &records))
        }
        Reply::Truncated => Some(message(0x8380, &[])),
        Reply::Code(code) => Some(message(0x8180 | u16::from(code), &[])),
        Reply::Raw(bytes) => Some([id, &bytes].concat()),
        Reply::Silence => None,
    }
}

/// A record whose owner points at the question.
fn record(address: IpAddr, kind: u16) -> Option<Vec<u8>> {
    let data = match (address, kind) {
        (IpAddr::V4(address), 1) => address.octets().to_vec(),
        (IpAddr::V6(address), 28) => address.octets().to_vec(),
        _ => return None,
    };
    let head = [&[0xc0, 12][..], &kind.to_be_bytes(), &1u16.to_be_bytes(), &60u32.to_be_bytes()];
    let length = u16::try_from(data.len()).ok()?.to_be_bytes();
    Some([&head.concat(), &length[..], &data].concat())
}
