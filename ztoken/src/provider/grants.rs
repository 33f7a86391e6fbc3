//! What a token endpoint is asked: RFC 6749 sections 4 to 6, RFC 7523, RFC 7636, RFC 8628, and the
//! revocation of RFC 7009. `oauth2` makes and reads what it knows.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use oauth2::basic::{BasicClient, BasicTokenResponse, BasicTokenType};
use oauth2::http::{Request, StatusCode, header};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    DeviceAuthorizationUrl, EndpointNotSet, EndpointSet, ErrorResponseType, HttpRequest,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, StandardDeviceAuthorizationResponse, StandardErrorResponse,
    TokenResponse, TokenUrl,
};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{Fault, Provider, Refusal, Remedy};
use crate::clock;
use crate::secret::Secret;

/// RFC 7523 sections 2.1 and 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const CLIENT_ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// A device is polled every five seconds by default. Whoever wants to be asked less often than this
/// wants nobody to log in.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

const NO_TOKEN: &str = "it does not describe an access token";

type TokenClient =
    BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;
type Failure<E> = RequestTokenError<Fault, E>;

/// What a token endpoint gave.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) access: Secret,
    pub(crate) refresh: Option<Secret>,
    pub(crate) lasts: Option<Duration>,
}

/// Where a person is sent, and what is needed when she comes back.
#[derive(Debug)]
pub(crate) struct Invitation {
    pub(crate) url: Url,
    pub(crate) state: CsrfToken,
    verifier: PkceCodeVerifier,
    redirect: RedirectUrl,
}

impl Provider<'_> {
    pub(crate) fn refresh(&self, token: &Secret) -> Result<Granted, Fault> {
        let token = RefreshToken::new(token.expose().to_owned());
        let client = self.client()?;
        let mut request = client.exchange_refresh_token(&token);
        for (name, value) in self.resource() {
            request = request.add_extra_param(name, value);
        }
        self.granted(request.request(&|request| self.http.call(request)))
    }

    /// `assertion` takes the place of a client secret.
    pub(crate) fn client_credentials(&self, assertion: Option<&Secret>) -> Result<Granted, Fault> {
        let client = self.client()?;
        let mut request = client.exchange_client_credentials().add_scopes(self.scopes());
        for (name, value) in self.extras() {
            request = request.add_extra_param(name, value);
        }
        if let Some(assertion) = assertion {
            request = request
                .add_extra_param("client_assertion_type", CLIENT_ASSERTION_TYPE)
                .add_extra_param("client_assertion", assertion.expose().to_owned());
        }
        self.granted(request.request(&|request| self.http.call(request)))
    }

    /// Which `oauth2` does not know.
    pub(crate) fn jwt_bearer(&self, assertion: &Secret) -> Result<Granted, Fault> {
        let scopes = self.profile.ask.scopes.join(" ");
        let mut form = vec![("grant_type", JWT_BEARER), ("assertion", assertion.expose())];
        if !scopes.is_empty() {
            form.push(("scope", &scopes));
        }
        form.extend(self.extras());
        let url = self.token_url()?;
        let answer = self.post(url, form)?;
        if answer.status() != StatusCode::OK {
            return Err(self.refusal_in(url, &answer));
        }
        let granted =
            serde_json::from_slice(answer.body()).map_err(|_| Fault::nonsense(url, NO_TOKEN))?;
        self.checked(&granted)
    }

    /// The first half of a login in the browser.
    pub(crate) fn invite(&self, redirect: String) -> Result<Invitation, Fault> {
        let url = self.endpoints.authorization.as_ref();
        let url = url.ok_or_else(|| self.lacks("login in the browser (authorization_endpoint)"))?;
        let redirect =
            RedirectUrl::new(redirect).map_err(|error| Fault::Profile(error.to_string()))?;
        let client = self.client()?.set_auth_uri(AuthUrl::from_url(url.clone()));
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(self.scopes())
            .set_pkce_challenge(challenge)
            .set_redirect_uri(std::borrow::Cow::Borrowed(&redirect));
        for (name, value) in self.extras() {
            request = request.add_extra_param(name, value);
        }
        let (url, state) = request.url();
        Ok(Invitation { url, state, verifier, redirect })
    }

    /// The second half.
    pub(crate) fn redeem(&self, invitation: Invitation, code: &Secret) -> Result<Granted, Fault> {
        let client = self.client()?;
        let mut request = client
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(invitation.verifier)
            .set_redirect_uri(std::borrow::Cow::Owned(invitation.redirect));
        for (name, value) in self.resource() {
            request = request.add_extra_param(name, value);
        }
        self.granted(request.request(&|request| self.http.call(request)))
    }

    /// A login on another device: `tell` gets where to go and what to enter there.
    pub(crate) fn device(
        &self,
        tell: impl FnOnce(&StandardDeviceAuthorizationResponse),
    ) -> Result<Granted, Fault> {
        let url = self.endpoints.device_authorization.as_ref();
        let url = url
            .ok_or_else(|| self.lacks("login on another device (device_authorization_endpoint)"))?;
        let client = self
            .client()?
            .set_device_authorization_url(DeviceAuthorizationUrl::from_url(url.clone()));
        let mut request = client.exchange_device_code().add_scopes(self.scopes());
        for (name, value) in self.extras() {
            request = request.add_extra_param(name, value);
        }
        let answer: Result<StandardDeviceAuthorizationResponse, _> =
            request.request(&|request| self.http.call(request));
        let devices = answer.map_err(|failure| self.fault(url, failure))?;
        self.http.hide(&Secret::new(devices.device_code().secret().as_str()));
        if devices.interval() > LONGEST_INTERVAL {
            return Err(Fault::nonsense(url, "it wants to be asked less than once a minute"));
        }
        tell(&devices);
        let mut request = client.exchange_device_access_token(&devices);
        for (name, value) in self.resource() {
            request = request.add_extra_param(name, value);
        }
        let limit = devices.expires_in().min(self.profile.login_timeout);
        // `oauth2` takes each call that fails for one that is worth another try, and forgets why.
        let last: RefCell<Option<Fault>> = RefCell::default();
        let call = |request| {
            let answer = self.http.call(request);
            last.replace(answer.as_ref().err().cloned());
            match answer {
                Err(fault) if fault.remedy() == Remedy::SetUp => Ok(end_of_polling()),
                answer => answer,
            }
        };
        let start = Instant::now();
        let answer = request
            // A clock that is set meanwhile makes the wait neither shorter nor longer.
            .set_time_fn(move || clock::since(start))
            .set_max_backoff_interval(LONGEST_INTERVAL)
            .request(
                &call,
                |interval| clock::pause(interval.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)),
                Some(limit),
            );
        match last.take() {
            Some(fault) => Err(fault),
            None => self.granted(answer),
        }
    }

    /// RFC 7009. What is not known there is as good as revoked.
    pub(crate) fn revoke(&self, token: &Secret, hint: &str) -> Result<(), Fault> {
        let url = self.endpoints.revocation.as_ref();
        let url = url.ok_or_else(|| self.lacks("revocation (revocation_endpoint)"))?;
        let answer = self.post(url, vec![("token", token.expose()), ("token_type_hint", hint)])?;
        match answer.status() {
            StatusCode::OK => Ok(()),
            _ => Err(self.refusal_in(url, &answer)),
        }
    }

    fn client(&self) -> Result<TokenClient, Fault> {
        let mut client = BasicClient::new(ClientId::new(self.profile.client_id.clone()));
        if let Some(secret) = &self.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
        }
        let way =
            if self.profile.secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth };
        let token = TokenUrl::from_url(self.token_url()?.clone());
        Ok(client.set_auth_type(way).set_token_uri(token))
    }

    fn token_url(&self) -> Result<&Url, Fault> {
        self.endpoints.token.as_ref().ok_or_else(|| self.lacks("tokens (token_endpoint)"))
    }

    fn scopes(&self) -> Vec<Scope> {
        self.profile.ask.scopes.iter().cloned().map(Scope::new).collect()
    }

    /// RFC 8707: with every request that ends in a token.
    fn resource(&self) -> Vec<(&'static str, String)> {
        self.profile.ask.resource.iter().map(|it| ("resource", it.clone())).collect()
    }

    fn extras(&self) -> Vec<(&str, &str)> {
        let resource = self.profile.ask.resource.iter().map(|it| ("resource", it.as_str()));
        let others = self.profile.ask.parameters.iter();
        resource.chain(others.map(|(name, value)| (name.as_str(), value.as_str()))).collect()
    }

    /// For what `oauth2` has no request for, or only one over https.
    fn post<'a>(
        &'a self,
        url: &Url,
        mut form: Vec<(&'a str, &'a str)>,
    ) -> Result<HttpResponse, Fault> {
        let mut request = Request::post(url.as_str())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let id = self.profile.client_id.as_str();
        match &self.client_secret {
            Some(secret) if !self.profile.secret_in_body => {
                request = request.header(header::AUTHORIZATION, basic(id, secret));
            }
            Some(secret) => form.extend([("client_id", id), ("client_secret", secret.expose())]),
            None if id.is_empty() => {}
            None => form.push(("client_id", id)),
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request: HttpRequest = request
            .body(body.into_bytes())
            .map_err(|_| Fault::Profile("the client secret does not fit a header".to_owned()))?;
        self.http.call(request)
    }

    fn refusal_in(&self, url: &Url, answer: &HttpResponse) -> Fault {
        let value: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        match text("error") {
            Some(code) => {
                let refusal = Refusal::new(code, text("error_description"), &self.http);
                Fault::Refused { place: self.place(), refusal }
            }
            None => Fault::refused(url, answer.status()),
        }
    }

    fn granted<T: ErrorResponseType + std::fmt::Display + 'static>(
        &self,
        answer: Result<BasicTokenResponse, Failure<StandardErrorResponse<T>>>,
    ) -> Result<Granted, Fault> {
        let url = self.token_url()?;
        self.checked(&answer.map_err(|failure| self.fault(url, failure))?)
    }

    fn checked(&self, answer: &BasicTokenResponse) -> Result<Granted, Fault> {
        let url = self.token_url()?;
        // RFC 6749 section 7.1: what is not understood is not used.
        if *answer.token_type() != BasicTokenType::Bearer {
            return Err(Fault::nonsense(url, "it gives a token that is no bearer token"));
        }
        let unusable =
            |what: String, which| Fault::nonsense(url, &format!("of the {which} token: {what}"));
        let access = Secret::access_token(answer.access_token().secret().as_str())
            .map_err(|what| unusable(what, "access"))?;
        let refresh = answer.refresh_token().map(|token| token.secret().as_str());
        let refresh = refresh.map(Secret::refresh_token).transpose();
        let refresh = refresh.map_err(|what| unusable(what, "refresh"))?;
        Ok(Granted { access, refresh, lasts: answer.expires_in() })
    }

    /// Neither the body of an answer nor what a parser says of it gets into a message.
    fn fault<T: ErrorResponseType + std::fmt::Display + 'static>(
        &self,
        url: &Url,
        failure: Failure<StandardErrorResponse<T>>,
    ) -> Fault {
        match failure {
            RequestTokenError::Request(fault) => fault,
            RequestTokenError::ServerResponse(answer) => {
                let said = answer.error_description().map(String::as_str);
                let code = answer.error().to_string();
                let refusal = Refusal::new(&code, said, &self.http);
                Fault::Refused { place: self.place(), refusal }
            }
            RequestTokenError::Parse(..) => Fault::nonsense(url, NO_TOKEN),
            RequestTokenError::Other(what) => Fault::nonsense(url, &self.http.shown(&what)),
        }
    }
}

/// An answer after which `oauth2` does not poll on.
fn end_of_polling() -> HttpResponse {
    let mut answer = HttpResponse::new(br#"{"error":"server_error"}"#.to_vec());
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}

/// RFC 6749 section 2.3.1: both parts are encoded before they are joined.
pub(super) fn basic(id: &str, secret: &Secret) -> String {
    use base64::Engine;
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let joined = format!("{}:{}", encoded(id), encoded(secret.expose()));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(joined))
}
