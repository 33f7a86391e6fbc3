//! Bytes and sockets that no library would make.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::FromRawFd;

/// A complete answer with the length of its body.
pub fn http_answer(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// What a tokeninfo endpoint answers about a token that it does not know.
pub fn unknown_token() -> Vec<u8> {
    let body = br#"{"error":"invalid_request","error_description":"Access Token not valid"}"#;
    http_answer("400 Bad Request", body)
}

/// Reads until the other side is done: a server that keeps silent.
pub fn hold(connection: &mut (impl Read + ?Sized)) -> io::Result<()> {
    io::copy(connection, &mut io::sink()).map(|_| ())
}

/// Closes with a reset instead of an end.
pub fn reset(stream: TcpStream) {
    reset_on_close(&stream);
}

/// The last one who lets go of it closes with a reset: SO_LINGER with 0 seconds (socket(7)).
pub fn reset_on_close(stream: &TcpStream) {
    use std::os::fd::AsRawFd;
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = libc::socklen_t::try_from(size_of_val(&linger)).expect("a small size");
    // SAFETY: the descriptor is open, and the option is a `linger` of the size given.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size,
        )
    };
}

/// A listener with a queue of a given length.
pub fn listen(address: SocketAddr, backlog: i32) -> TcpListener {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: socket(2) takes integers only.
    let socket = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(socket >= 0, "socket: {}", io::Error::last_os_error());
    // SAFETY: the descriptor was just made and belongs to nobody else.
    let listener = unsafe { TcpListener::from_raw_fd(socket) };
    let bound = match address {
        SocketAddr::V4(address) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: address.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
                sin_zero: [0; 8],
            };
            let size = size_of_val(&raw) as libc::socklen_t;
            // SAFETY: a complete IPv4 address with its size.
            unsafe { libc::bind(socket, (&raw const raw).cast(), size) }
        }
        SocketAddr::V6(address) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                sin6_scope_id: 0,
            };
            let size = size_of_val(&raw) as libc::socklen_t;
            // SAFETY: a complete IPv6 address with its size.
            unsafe { libc::bind(socket, (&raw const raw).cast(), size) }
        }
    };
    let error = io::Error::last_os_error();
    assert_eq!(bound, 0, "bind {address}: {error} (tests need IPv4 and IPv6 on loopback)");
    // SAFETY: listen(2) takes integers only.
    let listening = unsafe { libc::listen(socket, backlog) };
    assert_eq!(listening, 0, "listen: {}", io::Error::last_os_error());
    listener
}

/// A listener that also takes connections to addresses which are not of this machine, as far as its
/// routes bring them here: IP_TRANSPARENT (ip(7)).
pub fn listen_for_others(port: u16) -> TcpListener {
    use std::os::fd::AsRawFd;
    let listener = listen((std::net::Ipv4Addr::UNSPECIFIED, port).into(), 1024);
    let (on, size) = (1_i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: the descriptor is open, and the option is an int of the size given.
    let set = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_IP,
            libc::IP_TRANSPARENT,
            (&raw const on).cast(),
            size,
        )
    };
    assert_eq!(set, 0, "IP_TRANSPARENT: {} (it needs CAP_NET_ADMIN)", io::Error::last_os_error());
    listener
}

/// An address that swallows connections: its queue is full and nobody takes from it, so the
/// kernel drops every further SYN, as a firewall would.
#[derive(Debug)]
pub struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl BlackHole {
    pub fn at(address: SocketAddr) -> Self {
        let listener = listen(address, 0);
        let address = listener.local_addr().expect("an address");
        let mut queue = Vec::new();
        // A queue of length 0 holds one connection; the next attempts show that it is full.
        while let Ok(stream) =
            TcpStream::connect_timeout(&address, std::time::Duration::from_millis(200))
        {
            queue.push(stream);
        }
        Self { address, _listener: listener, _queue: queue }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One request to a server of ours that speaks plain HTTP; the whole answer.
pub fn http_request(url: &str, method: &str, path: &str, body: &str) -> String {
    use std::io::Write;
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("the server listens");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}
