//! Where the browser comes back to.
//!
//! In: connections of whoever is on this machine. Out: the one request that has our `state`. Never: a
//! wait beyond the limit, a request without a limit, anything that a request says in the answer.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use url::Url;

use super::owner::may_be_ours;
use crate::config::Redirect;
use crate::secret::Secret;

/// A request has a line and some headers.
const LONGEST_REQUEST: usize = 64 * 1024;
/// Browsers open connections ahead of time and say nothing on them.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// A browser needs a handful; more is somebody who wants to exhaust us.
const MOST_CONNECTIONS: usize = 32;
/// How often connections are looked for.
const STEP: Duration = Duration::from_millis(10);

const WELCOME: &str = "You are logged in. This window can be closed.";
const SORRY: &str = "The login failed. The terminal says why; this window can be closed.";
const STRANGER: &str =
    "This is not the login that ztoken waits for. Follow the link in the terminal.";

#[derive(Debug)]
pub(super) struct Loopback {
    listener: TcpListener,
    redirect: Redirect,
    port: u16,
}

/// The browser, which waits for an answer.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) outcome: Outcome,
    /// RFC 9207.
    pub(super) issuer: Option<String>,
    browser: TcpStream,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Code(Secret),
    /// RFC 6749 section 4.1.2.1: code and description, as they came.
    Error(String, Option<String>),
}

impl Loopback {
    pub(super) fn listen(redirect: &Redirect) -> io::Result<Self> {
        let address: SocketAddr = match redirect.host.as_str() {
            "[::1]" => (Ipv6Addr::LOCALHOST, redirect.port).into(),
            _ => (Ipv4Addr::LOCALHOST, redirect.port).into(),
        };
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, redirect: redirect.clone(), port })
    }

    pub(super) fn uri(&self) -> String {
        format!("http://{}:{}{}", self.redirect.host, self.port, self.redirect.path)
    }

    /// `None` where nobody came in time. Nobody listens at the port any more afterwards.
    pub(super) fn wait(self, state: &str, limit: Duration) -> io::Result<Option<Visit>> {
        let deadline = Instant::now() + limit;
        let (visits, came) = channel();
        let path = if self.redirect.path.is_empty() { "/" } else { &self.redirect.path };
        let expected = Arc::new(Expected { path: path.to_owned(), state: state.to_owned() });
        let open = Arc::new(AtomicUsize::new(0));
        while Instant::now() < deadline {
            match self.listener.accept() {
                Ok((browser, _)) if open.load(Ordering::Relaxed) < MOST_CONNECTIONS => {
                    serve(browser, &expected, &visits, &open);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
            if let Ok(visit) = came.recv_timeout(STEP) {
                return Ok(Some(visit));
            }
        }
        Ok(None)
    }
}

impl Visit {
    /// Tells the person how it went.
    pub(super) fn finish(self, is_good: bool) {
        answer(self.browser, "200 OK", if is_good { WELCOME } else { SORRY });
    }
}

#[derive(Debug)]
struct Expected {
    path: String,
    state: String,
}

/// What a request is.
#[derive(Debug)]
enum Request {
    Ours(Outcome, Option<String>),
    Elsewhere,
    Foreign,
    /// Other methods than GET, and what is no HTTP.
    Bad,
}

fn serve(
    browser: TcpStream,
    expected: &Arc<Expected>,
    visits: &Sender<Visit>,
    open: &Arc<AtomicUsize>,
) {
    let (expected, visits, open) = (Arc::clone(expected), visits.clone(), Arc::clone(open));
    open.fetch_add(1, Ordering::Relaxed);
    thread::spawn(move || {
        let is_ours = may_be_ours(&browser);
        let head = read_head(&browser);
        open.fetch_sub(1, Ordering::Relaxed);
        match head.map(|head| expected.understand(&head)) {
            Ok(_) if !is_ours => answer(browser, "403 Forbidden", STRANGER),
            Ok(Request::Ours(outcome, issuer)) => {
                let _too_late = visits.send(Visit { outcome, issuer, browser });
            }
            Ok(Request::Elsewhere) => answer(browser, "404 Not Found", STRANGER),
            Ok(Request::Foreign) => answer(browser, "400 Bad Request", STRANGER),
            Ok(Request::Bad) => answer(browser, "405 Method Not Allowed", STRANGER),
            Err(_gone) => {}
        }
    });
}

fn read_head(mut browser: &TcpStream) -> io::Result<String> {
    browser.set_nonblocking(false)?;
    let deadline = Instant::now() + REQUEST_LIMIT;
    let mut head = Vec::new();
    let mut part = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > LONGEST_REQUEST {
            return Err(io::ErrorKind::TimedOut.into());
        }
        browser.set_read_timeout(Some(left))?;
        match browser.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => head.extend_from_slice(part.get(..length).unwrap_or_default()),
        }
    }
    String::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData.into())
}

impl Expected {
    fn understand(&self, head: &str) -> Request {
        let mut words = head.split_whitespace();
        let (Some("GET"), Some(target)) = (words.next(), words.next()) else { return Request::Bad };
        let Some(url) =
            Url::parse("http://127.0.0.1/").ok().and_then(|base| base.join(target).ok())
        else {
            return Request::Bad;
        };
        if url.path() != self.path {
            return Request::Elsewhere;
        }
        let only = |name: &str| {
            let mut values =
                url.query_pairs().filter(|(own, _)| own == name).map(|(_, value)| value);
            let first = values.next();
            // What two parsers could read differently is no answer.
            first.filter(|_| values.next().is_none()).map(String::from)
        };
        let issuers = url.query_pairs().filter(|(name, _)| name == "iss").count();
        if issuers > 1 || only("state").as_deref() != Some(self.state.as_str()) {
            return Request::Foreign;
        }
        match (only("code"), only("error")) {
            (Some(code), None) => Request::Ours(Outcome::Code(Secret::new(code)), only("iss")),
            (None, Some(error)) => {
                Request::Ours(Outcome::Error(error, only("error_description")), only("iss"))
            }
            (Some(_), Some(_)) | (None, None) => Request::Foreign,
        }
    }
}

fn answer(mut browser: TcpStream, status: &str, text: &str) {
    let page = format!("<!doctype html><meta charset=utf-8><title>ztoken</title><p>{text}");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'\r\n\
         Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n",
        page.len()
    );
    let _limit = browser.set_write_timeout(Some(REQUEST_LIMIT));
    // Whether the person reads it changes nothing.
    let _gone = browser.write_all([head, page].concat().as_bytes());
    let _gone = browser.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected { path: "/back".to_owned(), state: "s1".to_owned() }
    }

    fn understood(target: &str) -> Request {
        expected().understand(&format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"))
    }

    #[test]
    fn only_a_request_with_our_state_is_ours() {
        let Request::Ours(Outcome::Code(code), issuer) =
            understood("/back?code=a%2Bb&state=s1&iss=i")
        else {
            panic!("not ours")
        };
        assert_eq!((code.expose(), issuer.as_deref()), ("a+b", Some("i")));
        for foreign in [
            "?code=c",
            "?code=c&state=",
            "?code=c&state=s2",
            "?code=c&state=s1&state=s1",
            "?code=c&state=s1&iss=a&iss=b",
            "?state=s1",
        ] {
            assert!(
                matches!(understood(&format!("/back{foreign}")), Request::Foreign),
                "{foreign}"
            );
        }
        let both = "/back?code=c&error=e&state=s1";
        assert!(matches!(understood(both), Request::Foreign));
        assert!(matches!(understood("/favicon.ico?state=s1&code=c"), Request::Elsewhere));
    }

    #[test]
    fn an_error_is_an_outcome_and_needs_our_state_as_well() {
        let denied = understood("/back?error=access_denied&error_description=no&state=s1");
        let Request::Ours(Outcome::Error(code, said), None) = denied else { panic!("{denied:?}") };
        assert_eq!((code.as_str(), said.as_deref()), ("access_denied", Some("no")));
        assert!(matches!(understood("/back?error=access_denied"), Request::Foreign));
    }

    #[test]
    fn other_methods_are_refused() {
        for head in ["POST /back?code=c&state=s1 HTTP/1.1\r\n\r\n", "\r\n\r\n", "GET\r\n\r\n"] {
            assert!(matches!(expected().understand(head), Request::Bad), "{head:?}");
        }
    }

    #[test]
    fn whoever_says_nothing_keeps_nobody_else_away() {
        let redirect = Redirect { host: "127.0.0.1".to_owned(), port: 0, path: "/back".to_owned() };
        let loopback = Loopback::listen(&redirect).unwrap();
        let address = loopback.listener.local_addr().unwrap();
        let silent: Vec<_> = (0..8).map(|_| TcpStream::connect(address).unwrap()).collect();
        let browser = thread::spawn(move || {
            let mut browser = TcpStream::connect(address).unwrap();
            browser.write_all(b"GET /back?code=c&state=s1 HTTP/1.1\r\n\r\n").unwrap();
            let mut page = String::new();
            browser.read_to_string(&mut page).unwrap();
            page
        });
        let visit = loopback.wait("s1", Duration::from_secs(20)).unwrap().unwrap();
        visit.finish(true);
        let page = browser.join().unwrap();
        assert!(page.ends_with(WELCOME), "{page}");
        assert!(TcpStream::connect(address).is_err());
        drop(silent);
    }

    #[test]
    fn nobody_is_waited_for_longer_than_the_limit() {
        let redirect = Redirect { host: "127.0.0.1".to_owned(), port: 0, path: "/".to_owned() };
        let loopback = Loopback::listen(&redirect).unwrap();
        assert!(loopback.wait("s1", Duration::ZERO).unwrap().is_none());
    }
}
