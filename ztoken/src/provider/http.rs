//! HTTP for `oauth2`, by `reqwest::blocking`.
//!
//! In: a request. Out: its whole answer, within a limit of time and size. Never: a redirect, a secret
//! in a message, a URL with its query in one.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::io::{self, Read};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use jiff::fmt::rfc2822::DateTimeParser;
use oauth2::http::{Request, StatusCode, header};
use oauth2::{HttpRequest, HttpResponse};
use reqwest::blocking::{Client, Response};
use reqwest::redirect;
use rustls::CertificateError;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::fault::{Fault, place};
use super::tls;
use crate::clock::Moment;
use crate::foreign::{causes, shown_without};
use crate::secret::Secret;
use crate::system::HeldSignals;

/// Discovery documents have some 10 KiB.
const LONGEST_BODY: u64 = 1024 * 1024;
/// Parameters of requests that are secret.
const SECRET_PARAMETERS: [&str; 7] = [
    "assertion",
    "client_assertion",
    "client_secret",
    "code",
    "device_code",
    "refresh_token",
    "token",
];
const NO_PROXY: &str =
    "HTTPS_PROXY is not the address of a proxy: http://[user:password@]host:port, percent-encoded";
const USER_AGENT: &str = concat!("ztoken/", env!("CARGO_PKG_VERSION"));

#[derive(Debug)]
pub(super) struct Http {
    /// Its end would wait for lookups of names, which nothing can interrupt: so it has none. One idle
    /// thread stays behind for each provider.
    client: ManuallyDrop<Client>,
    /// For one request, from the lookup of the name to the last byte.
    limit: Duration,
    /// All that was ever sent.
    secrets: RefCell<Vec<Secret>>,
    clocks: Cell<Option<(Moment, Moment)>>,
}

impl Http {
    pub(super) fn new(ca_file: Option<&Path>, limit: Duration) -> Result<Self, Fault> {
        let client = Client::builder()
            .http1_max_headers(100)
            .redirect(redirect::Policy::none())
            .referer(false)
            .timeout(limit)
            .tls_backend_preconfigured(tls::client_config(ca_file).map_err(Fault::Tls)?)
            .user_agent(USER_AGENT);
        // A proxy is for what is far away: https through it stays https.
        let client = match std::env::var("HTTPS_PROXY").or_else(|_| std::env::var("https_proxy")) {
            Ok(proxy) if !proxy.is_empty() => {
                let proxy = reqwest::Proxy::https(&proxy)
                    // What is wrong with it would be told with the password in it.
                    .map_err(|_| Fault::Profile(NO_PROXY.to_owned()))?;
                client.no_proxy().proxy(proxy.no_proxy(reqwest::NoProxy::from_env()))
            }
            Ok(_) | Err(_) => client.no_proxy(),
        };
        // Its thread must not take the signals that are held while a refresh token is on its way.
        let _held = HeldSignals::new();
        let client = client.build().map_err(|error| Fault::Tls(causes(&error)))?;
        let client = ManuallyDrop::new(client);
        Ok(Self { client, limit, secrets: RefCell::default(), clocks: Cell::new(None) })
    }

    /// From now on no message repeats it.
    pub(super) fn hide(&self, secret: &Secret) {
        self.secrets.borrow_mut().push(secret.clone());
    }

    pub(super) fn shown(&self, text: &str) -> String {
        shown_without(text, &self.secrets.borrow())
    }

    /// What the clock of the other side said at its last answer, and what ours did.
    pub(super) fn clocks(&self) -> Option<(Moment, Moment)> {
        self.clocks.get()
    }

    pub(super) fn get(
        &self,
        url: &Url,
        token: Option<&Secret>,
    ) -> Result<(StatusCode, Vec<u8>), Fault> {
        let mut request = Request::get(url.as_str()).header(header::ACCEPT, "application/json");
        if let Some(token) = token {
            self.hide(token);
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let request =
            request.body(Vec::new()).map_err(|error| Fault::nonsense(url, &causes(&error)))?;
        let response = self.call(request)?;
        Ok((response.status(), response.into_body()))
    }

    /// The JSON object that an answer has to be.
    pub(super) fn object(&self, url: &Url, body: &[u8]) -> Result<Map<String, Value>, Fault> {
        // What serde_json says may repeat a part of the answer.
        serde_json::from_slice(body).map_err(|_| {
            Fault::nonsense(url, "it is no JSON object; does the address lead to a login page?")
        })
    }

    /// For `oauth2`. What the provider itself is to blame for is a fault, not an answer.
    pub(super) fn call(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let url = Url::parse(&request.uri().to_string())
            .map_err(|error| Fault::Profile(causes(&error)))?;
        for (name, value) in form_urlencoded::parse(request.body()) {
            if SECRET_PARAMETERS.contains(&name.as_ref()) {
                self.hide(&Secret::new(value));
            }
        }
        let start = Instant::now();
        let request = request.try_into().map_err(|error| self.failed(&url, error))?;
        let response = self.client.execute(request).map_err(|error| self.failed(&url, error))?;
        self.compare_clocks(response.headers());
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Fault::Broken { place: place(&url), status });
        }
        if status.is_redirection() {
            return Err(Fault::Redirect { place: place(&url), status });
        }
        let mut answer = oauth2::http::Response::builder().status(status);
        if let Some(kind) = response.headers().get(header::CONTENT_TYPE) {
            answer = answer.header(header::CONTENT_TYPE, kind);
        }
        let body = self.body(response, start, &url)?;
        answer.body(body).map_err(|error| Fault::nonsense(&url, &causes(&error)))
    }

    /// With what is left of the limit: each read has one of its own only.
    fn body(&self, from: Response, start: Instant, url: &Url) -> Result<Vec<u8>, Fault> {
        let (whole, came) = channel();
        thread::spawn(move || {
            let mut body = Vec::new();
            let read = from.take(LONGEST_BODY + 1).read_to_end(&mut body);
            let _too_late = whole.send(read.map(|_| body));
        });
        match came.recv_timeout(self.limit.saturating_sub(start.elapsed())) {
            Ok(Ok(body)) if body.len() as u64 > LONGEST_BODY => {
                Err(Fault::nonsense(url, &format!("it is larger than {LONGEST_BODY} bytes")))
            }
            Ok(Ok(body)) => Ok(body),
            Ok(Err(error)) => Err(Fault::Unreachable { place: place(url), cause: causes(&error) }),
            Err(_) => Err(self.slow(url)),
        }
    }

    fn slow(&self, url: &Url) -> Fault {
        Fault::Slow { place: place(url), seconds: self.limit.as_secs() }
    }

    fn failed(&self, url: &Url, error: reqwest::Error) -> Fault {
        let error = error.without_url();
        let cause = causes(&error);
        match certificate_error(&error) {
            _ if error.is_timeout() => self.slow(url),
            Some(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Fault::Clock { place: place(url), cause },
            Some(_) => Fault::Untrusted { place: place(url), cause },
            _ => Fault::Unreachable { place: place(url), cause },
        }
    }

    /// RFC 9110 section 6.6.1: when the answer was made, by the clock of whoever made it.
    fn compare_clocks(&self, headers: &header::HeaderMap) {
        let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
        let theirs = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
        if let Some(theirs) = theirs {
            self.clocks.set(Some((Moment(theirs.as_second()), Moment::now())));
        }
    }
}

/// What is wrong with the certificate of the other side, if that is what failed.
fn certificate_error(error: &reqwest::Error) -> Option<&CertificateError> {
    let mut next = error.source();
    while let Some(cause) = next {
        // An io::Error leaves out the error that it is made of.
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref()).or_else(|| cause.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(certificate)) = tls {
            return Some(certificate);
        }
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    None
}
