//! An issuer of access tokens, on loopback, with or without TLS: discovery, key set, RFC 7662
//! introspection and tokeninfo. It behaves well until a test tells it to misbehave.

use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mint::{Algorithm, Jwt, Key, jwks, random_id};
use rustls::ServerConfig;
use serde_json::{Value, json};

use crate::certificates::Identity;
use crate::http_server::{Connection, HttpServer, OnRequest, Request, form_decode, server_config};
use crate::secrets::{Secrets, random_token};
use crate::wire;

/// What it can be asked.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Route {
    /// `/.well-known/oauth-authorization-server` (RFC 8414).
    AuthorizationServer,
    Introspect,
    Jwks,
    /// `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0).
    OpenidConfiguration,
    Tokeninfo,
}

struct State {
    issuer: String,
    /// Of the issuer: empty, or with a slash in front and none at the end.
    path: String,
    /// Newest last.
    keys: Vec<(Key, Algorithm)>,
    published: Vec<Value>,
    cache_control: Option<String>,
    etags: bool,
    client: (String, String),
    /// What introspection and tokeninfo tell.
    known: HashMap<String, Value>,
    conducts: HashMap<Route, OnRequest>,
}

pub struct IdentityProvider {
    server: HttpServer,
    state: Arc<Mutex<State>>,
    secrets: Secrets,
}

impl IdentityProvider {
    /// Plain http.
    pub fn plain() -> Self {
        Self::start(None)
    }

    /// https with this identity.
    pub fn encrypted(identity: &Identity) -> Self {
        Self::start(Some(server_config(identity)))
    }

    fn start(tls: Option<ServerConfig>) -> Self {
        let state = Arc::new(Mutex::new(State {
            issuer: String::new(),
            path: String::new(),
            keys: Vec::new(),
            published: Vec::new(),
            cache_control: None,
            etags: false,
            // Characters that a form has to encode (RFC 6749 section 2.3.1).
            client: ("postgres:main".to_owned(), format!("{}+/%&= {}", random_id(), random_id())),
            known: HashMap::new(),
            conducts: HashMap::new(),
        }));
        let own = Arc::clone(&state);
        let server =
            HttpServer::start(tls, move |connection, request| answer(&own, connection, request));
        let this = Self { server, state, secrets: Secrets::default() };
        this.rotate();
        this.secrets.add(this.client().1.as_bytes());
        this.under("")
    }

    /// With a path in its name, as issuers of several realms have: `/realms/staff`.
    pub fn under(self, path: &str) -> Self {
        {
            let mut state = self.state();
            path.clone_into(&mut state.path);
            state.issuer = format!("{}{path}", self.server.origin("localhost"));
        }
        self
    }

    /// From now on all tokens that it makes are added to these.
    pub fn telling(mut self, secrets: &Secrets) -> Self {
        secrets.add(self.client().1.as_bytes());
        self.secrets = secrets.clone();
        self
    }

    /// Its name, which is the `iss` of its tokens.
    pub fn issuer(&self) -> String {
        self.state().issuer.clone()
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// Where it answers this.
    pub fn url(&self, route: Route) -> String {
        let state = self.state();
        format!("{}{}", self.server.origin("localhost"), route.path(&state.path))
    }

    /// Its URL for a PAM line in tokeninfo mode.
    pub fn tokeninfo_url(&self) -> String {
        format!("{}?access_token=", self.url(Route::Tokeninfo))
    }

    // Keys.

    /// Signs with a new key from now on, and has forgotten all others.
    pub fn rotate(&self) {
        self.rotate_keeping(0);
    }

    /// Signs with a new key from now on, and still publishes so many of those before.
    pub fn rotate_keeping(&self, old: usize) {
        self.rotate_to(Key::p256().with_kid(&random_id()), Algorithm::ES256, old);
    }

    /// Signs with this key from now on, and still publishes so many of those before.
    pub fn rotate_to(&self, key: Key, algorithm: Algorithm, old: usize) {
        self.sign_with(key, algorithm);
        let mut state = self.state();
        state.published =
            state.keys.iter().rev().take(old + 1).map(|(key, _)| key.public_jwk()).collect();
    }

    /// Signs with this key from now on, and publishes what it did before.
    pub fn sign_with(&self, key: Key, algorithm: Algorithm) {
        self.state().keys.push((key, algorithm));
    }

    /// Publishes these keys, whatever it signs with.
    pub fn publish(&self, keys: impl IntoIterator<Item = Value>) {
        self.state().published = keys.into_iter().collect();
    }

    /// The key that it signs with.
    pub fn key(&self) -> (Key, Algorithm) {
        self.state().keys.last().cloned().expect("there always is one")
    }

    /// The document at [`Route::Jwks`].
    pub fn key_set(&self) -> String {
        jwks(&self.state().published)
    }

    /// The `Cache-Control` of the key set; none at first.
    pub fn cache_control(&self, value: Option<&str>) {
        self.state().cache_control = value.map(str::to_owned);
    }

    /// From now on the key set has an `ETag`, and is not sent to whoever has it.
    pub fn send_etags(&self) {
        self.state().etags = true;
    }

    // Tokens.

    /// An access token of this user's that has not been signed yet.
    pub fn jwt(&self, user: &str) -> Jwt {
        Jwt::new(now()).user(user).claim("iss", self.issuer())
    }

    /// Signs as it does at the moment. Its other endpoints do not know the token.
    pub fn sign(&self, jwt: &Jwt) -> String {
        let (key, algorithm) = self.key();
        self.made(jwt.sign(&key, algorithm))
    }

    /// A good access token of this user's. Its other endpoints know it as well.
    pub fn token(&self, user: &str) -> String {
        let jwt = self.jwt(user);
        let token = self.sign(&jwt);
        self.know(&token, Value::Object(jwt.claims().clone()));
        token
    }

    /// A good token of this user's that says nothing by itself.
    pub fn opaque(&self, user: &str) -> String {
        let token = self.made(random_token());
        self.know(&token, Value::Object(self.jwt(user).claims().clone()));
        token
    }

    /// From now on introspection and tokeninfo answer with these claims; introspection adds
    /// `active` where they leave it out.
    pub fn know(&self, token: &str, claims: Value) {
        self.state().known.insert(token.to_owned(), claims);
    }

    /// From now on introspection and tokeninfo do not know it.
    pub fn revoke(&self, token: &str) {
        self.state().known.remove(token);
    }

    fn made(&self, token: String) -> String {
        self.secrets.add(token.as_bytes());
        token
    }

    /// Who may introspect: id and secret.
    pub fn client(&self) -> (String, String) {
        self.state().client.clone()
    }

    // Conduct.

    /// The discovery documents as they are when it behaves.
    pub fn metadata(&self) -> Value {
        metadata(&self.state(), &self.server.origin("localhost"))
    }

    /// From now on requests of this kind are answered by `conduct`.
    pub fn on(
        &self,
        route: Route,
        conduct: impl Fn(&mut dyn Connection, &Request) -> io::Result<()> + Send + Sync + 'static,
    ) {
        self.state().conducts.insert(route, Arc::new(conduct));
    }

    /// From now on requests of this kind are answered with this status and body.
    pub fn answer(&self, route: Route, status: &str, body: impl AsRef<[u8]>) {
        let answer = wire::http_answer(status, body.as_ref());
        self.on(route, move |connection, _| connection.write_all(&answer));
    }

    /// From now on requests of this kind are not answered.
    pub fn keep_silent(&self, route: Route) {
        self.on(route, |connection, _| wire::hold(connection));
    }

    /// From now on every connection is handled by `conduct`, before TLS.
    pub fn on_accept(&self, conduct: impl Fn(TcpStream) + Send + Sync + 'static) {
        self.server.on_accept(conduct);
    }

    /// Good again.
    pub fn behave(&self) {
        self.server.behave();
        self.state().conducts.clear();
    }

    /// Stops for good: nobody listens at its port any more.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// All requests of this kind so far.
    pub fn requests(&self, route: Route) -> Vec<Request> {
        let requests = self.server.requests();
        let path = self.state().path.clone();
        requests.into_iter().filter(|request| Route::of(request, &path) == Some(route)).collect()
    }

    /// How many there are of them.
    pub fn asked(&self, route: Route) -> usize {
        let path = self.state().path.clone();
        self.server.count(|request| Route::of(request, &path) == Some(route))
    }

    /// How many clients have come, for whatever.
    pub fn connections(&self) -> usize {
        self.server.connections()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityProvider({})", self.issuer())
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("a clock after 1970").as_secs()
}

impl Route {
    const ALL: [Self; 5] = [
        Self::AuthorizationServer,
        Self::Introspect,
        Self::Jwks,
        Self::OpenidConfiguration,
        Self::Tokeninfo,
    ];

    /// For an issuer with this path: RFC 8414 section 3.1 puts its own in front.
    fn path(self, issuer: &str) -> String {
        match self {
            Self::AuthorizationServer => format!("/.well-known/oauth-authorization-server{issuer}"),
            Self::Introspect => format!("{issuer}/introspect"),
            Self::Jwks => format!("{issuer}/jwks"),
            Self::OpenidConfiguration => format!("{issuer}/.well-known/openid-configuration"),
            Self::Tokeninfo => format!("{issuer}/tokeninfo"),
        }
    }

    fn of(request: &Request, issuer: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.path(issuer) == request.path())
    }
}

fn answer(
    state: &Mutex<State>,
    connection: &mut dyn Connection,
    request: &Request,
) -> io::Result<()> {
    let (conduct, good) = {
        let state = state.lock().unwrap();
        let route = Route::of(request, &state.path);
        let conduct = route.and_then(|route| state.conducts.get(&route).cloned());
        (conduct, route.map(|route| good_answer(&state, route, request)))
    };
    match (conduct, good) {
        (Some(conduct), _) => conduct(connection, request),
        (None, Some(answer)) => connection.write_all(&answer),
        (None, None) => connection.write_all(&wire::http_answer("404 Not Found", b"{}")),
    }
}

fn good_answer(state: &State, route: Route, request: &Request) -> Vec<u8> {
    let method = if route == Route::Introspect { "POST" } else { "GET" };
    if request.method() != method {
        return wire::http_answer(&format!("405 Method Not Allowed\r\nAllow: {method}"), b"{}");
    }
    let document = |value: &Value| wire::http_answer("200 OK", value.to_string().as_bytes());
    match route {
        Route::AuthorizationServer | Route::OpenidConfiguration => {
            let origin = state.issuer.strip_suffix(&state.path).unwrap_or_default();
            document(&metadata(state, origin))
        }
        Route::Introspect => introspection(state, request),
        Route::Jwks => key_set(state, request),
        Route::Tokeninfo => {
            let known = request.query("access_token").and_then(|token| state.known.get(&token));
            known.map_or_else(wire::unknown_token, document)
        }
    }
}

/// RFC 8414 section 2, which takes most of its names from OpenID Connect.
fn metadata(state: &State, origin: &str) -> Value {
    let url = |route: Route| format!("{origin}{}", route.path(&state.path));
    let algorithms: Vec<&str> = Algorithm::ALL.map(Algorithm::name).to_vec();
    json!({
        "authorization_endpoint": format!("{}/authorize", state.issuer),
        "id_token_signing_alg_values_supported": algorithms,
        "introspection_endpoint": url(Route::Introspect),
        "issuer": state.issuer,
        "jwks_uri": url(Route::Jwks),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "token_endpoint": format!("{}/token", state.issuer),
    })
}

fn key_set(state: &State, request: &Request) -> Vec<u8> {
    let body = jwks(&state.published);
    let mut headers = String::new();
    if let Some(value) = &state.cache_control {
        headers += &format!("\r\nCache-Control: {value}");
    }
    if state.etags {
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag = format!("\"{:x}\"", hasher.finish());
        headers += &format!("\r\nETag: {etag}");
        if request.header("if-none-match") == Some(&etag) {
            return wire::http_answer(&format!("304 Not Modified{headers}"), b"");
        }
    }
    wire::http_answer(&format!("200 OK{headers}"), body.as_bytes())
}

/// RFC 7662 section 2.
fn introspection(state: &State, request: &Request) -> Vec<u8> {
    if basic(request).as_ref() != Some(&state.client) {
        let status = "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"introspection\"";
        return wire::http_answer(status, br#"{"error":"invalid_client"}"#);
    }
    let is_form = request
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let Some(token) = request.form("token").filter(|_| is_form) else {
        return wire::http_answer("400 Bad Request", br#"{"error":"invalid_request"}"#);
    };
    let mut answer = state.known.get(&token).cloned();
    if let Some(Value::Object(claims)) = &mut answer {
        claims.entry("active").or_insert(true.into());
    }
    let answer = answer.unwrap_or_else(|| json!({ "active": false }));
    wire::http_answer("200 OK", answer.to_string().as_bytes())
}

/// Id and secret, each encoded as in a form before they are joined (RFC 6749 section 2.3.1).
fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let joined = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    Some((form_decode(id), form_decode(secret)))
}
