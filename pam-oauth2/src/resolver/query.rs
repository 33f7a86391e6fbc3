//! Asking the servers: UDP first, TCP where the answer does not fit.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rustls::crypto::ring;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use super::Fault;
use super::message::{self, Family, Name, Outcome, Unusable};
use super::resolv_conf::ResolvConf;

/// Enough for every answer over UDP to a question without EDNS, and for servers that do not
/// keep to the 512 bytes.
const DATAGRAM: usize = 4096;
/// Once one family has addresses, how long the other may still take.
const SECOND_FAMILY: Duration = Duration::from_millis(250);

/// Why a server is of no use.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
enum Complaint {
    #[error("{0}")]
    Said(String),
    #[error("no answer in time")]
    Silent,
}

/// Asks server after server, in as many rounds as the configuration says. A server that has
/// been silent for its share is not asked again for this name, and comes last in `servers` for
/// the next one: a dead server costs its share once, however long the search list is.
pub(super) async fn ask(
    name: &Name,
    conf: &ResolvConf,
    servers: &mut Vec<SocketAddr>,
    deadline: Instant,
) -> Result<Outcome, Fault> {
    let mut round = servers.clone();
    let mut complaints = Vec::new();
    for _ in 0..conf.attempts {
        for (index, server) in round.clone().into_iter().enumerate() {
            let followers = round.len().saturating_sub(index).max(1);
            let patience = Patience::new(conf, deadline, followers);
            let complaint = match ask_server(server, name, patience).await {
                Ok(outcome) => return Ok(outcome),
                Err(complaint) => complaint,
            };
            if complaint == Complaint::Silent {
                round.retain(|other| *other != server);
                servers.retain(|other| *other != server);
                servers.push(server);
            }
            let complaint = format!("{}: {complaint}", server.ip());
            if !complaints.contains(&complaint) {
                complaints.push(complaint);
            }
        }
    }
    Err(Fault::NoAnswer(complaints.join(", ")))
}

/// How long one server may take.
#[derive(Clone, Copy)]
struct Patience {
    until: Instant,
    resend_after: Duration,
}

impl Patience {
    /// What the configuration grants, but no more than a fair share of what is left.
    fn new(conf: &ResolvConf, deadline: Instant, servers: usize) -> Self {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let granted = conf.timeout.saturating_mul(conf.attempts).min(share(left, servers));
        let resend_after = granted.checked_div(conf.attempts).unwrap_or(granted);
        let until = now.checked_add(granted).unwrap_or(deadline);
        Self { until, resend_after: resend_after.max(Duration::from_millis(50)) }
    }
}

/// The same for this server, the others behind it and the request that follows; three quarters
/// where this is the last of the `servers`.
fn share(left: Duration, servers: usize) -> Duration {
    let parties = u32::try_from(servers.saturating_add(1)).unwrap_or(u32::MAX);
    left.mul_f64(if servers > 1 { 1.0 / f64::from(parties) } else { 0.75 })
}

/// Both families at once. Addresses of one are enough; an error counts only where the other
/// family has none either.
async fn ask_server(server: SocketAddr, name: &Name, patience: Patience) -> Reply {
    let four = ask_family(server, name, Family::V4, patience);
    let six = ask_family(server, name, Family::V6, patience);
    let [four, six] = both(four, six, patience.until).await;
    let mut found = Vec::new();
    let mut complaint = None;
    for result in [four, six] {
        match result {
            Ok(Outcome::Addresses(addresses)) => found.extend(addresses),
            Ok(Outcome::Absent) => {}
            Err(error) => complaint = Some(error),
        }
    }
    match complaint {
        _ if !found.is_empty() => Ok(Outcome::Addresses(found)),
        Some(error) => Err(error),
        None => Ok(Outcome::Absent),
    }
}

type Reply = Result<Outcome, Complaint>;

/// Waits for both, but not long for the second once the first has brought addresses.
async fn both(
    four: impl Future<Output = Reply>,
    six: impl Future<Output = Reply>,
    until: Instant,
) -> [Reply; 2] {
    let (mut four, mut six) = (std::pin::pin!(four), std::pin::pin!(six));
    let mut replies = [None, None];
    let mut until = std::pin::pin!(tokio::time::sleep_until(until));
    std::future::poll_fn(|context| {
        use std::task::Poll;
        let [first, second] = &mut replies;
        if first.is_none()
            && let Poll::Ready(reply) = four.as_mut().poll(context)
        {
            shorten(until.as_mut(), &reply);
            *first = Some(reply);
        }
        if second.is_none()
            && let Poll::Ready(reply) = six.as_mut().poll(context)
        {
            shorten(until.as_mut(), &reply);
            *second = Some(reply);
        }
        if first.is_some() && second.is_some() {
            Poll::Ready(())
        } else {
            until.as_mut().poll(context)
        }
    })
    .await;
    replies.map(|reply| reply.unwrap_or(Err(Complaint::Silent)))
}

fn shorten(until: std::pin::Pin<&mut tokio::time::Sleep>, reply: &Reply) {
    let soon = Instant::now().checked_add(SECOND_FAMILY);
    if let (Ok(Outcome::Addresses(_)), Some(soon)) = (reply, soon)
        && soon < until.deadline()
    {
        until.reset(soon);
    }
}

async fn ask_family(
    server: SocketAddr,
    name: &Name,
    family: Family,
    Patience { until, resend_after }: Patience,
) -> Reply {
    let id = random_id();
    let question = message::question(id, name, family);
    let usable = |message: &[u8]| message::answer(message, id, name, family);
    let udp = async {
        match over_udp(server, &question, resend_after, usable).await? {
            Err(Unusable::Truncated) => over_tcp(server, &question, usable).await,
            usable => Ok(usable),
        }
    };
    match timeout_at(until, udp).await {
        Err(_) => Err(Complaint::Silent),
        Ok(Err(error)) => Err(Complaint::Said(error.to_string())),
        Ok(Ok(Err(Unusable::Refused(rcode)))) => Err(Complaint::Said(rcode_text(rcode))),
        Ok(Ok(Err(Unusable::Foreign | Unusable::Truncated))) => {
            Err(Complaint::Said("a garbled answer".to_owned()))
        }
        Ok(Ok(Ok(outcome))) => Ok(outcome),
    }
}

/// Sends, and waits for a message that answers the question: others are passed over, and
/// after each pause the question is sent again. Ends with an answer or an error alone.
/// The port is random, and connect(2) makes the kernel drop what other hosts send.
async fn over_udp<T>(
    server: SocketAddr,
    question: &[u8],
    resend_after: Duration,
    usable: impl Fn(&[u8]) -> Result<T, Unusable>,
) -> io::Result<Result<T, Unusable>> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let Ok(length) = timeout(resend_after, socket.recv(&mut buffer)).await else {
            socket.send(question).await?;
            continue;
        };
        match usable(buffer.get(..length?).unwrap_or_default()) {
            Err(Unusable::Foreign) => {}
            answer => return Ok(answer),
        }
    }
}

/// RFC 1035 section 4.2.2: two bytes of length in front of each message.
async fn over_tcp<T>(
    server: SocketAddr,
    question: &[u8],
    usable: impl Fn(&[u8]) -> Result<T, Unusable>,
) -> io::Result<Result<T, Unusable>> {
    let stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).unwrap_or(0).to_be_bytes();
    write_all(&stream, &[&length, question].concat()).await?;
    let mut length = [0; 2];
    read_exact(&stream, &mut length).await?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    read_exact(&stream, &mut message).await?;
    Ok(usable(&message))
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read_exact(stream: &TcpStream, mut room: &mut [u8]) -> io::Result<()> {
    while !room.is_empty() {
        stream.readable().await?;
        match stream.try_read(room) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => room = room.get_mut(read..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn random_id() -> u16 {
    let mut id = [0; 2];
    // Without randomness the id is 0, and the random port is what is left.
    let _best_effort = ring::default_provider().secure_random.fill(&mut id);
    u16::from_be_bytes(id)
}

fn rcode_text(rcode: u8) -> String {
    match rcode {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        other => format!("RCODE {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_gets_its_share_and_something_is_left_for_the_request() {
        let left = Duration::from_secs(12);
        let shares = [1, 2, 3].map(|servers| share(left, servers).as_secs());
        assert_eq!(shares, [9, 4, 3]);
        assert_eq!(share(Duration::ZERO, 1), Duration::ZERO);
    }
}
