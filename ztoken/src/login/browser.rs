//! A login in the browser of this machine: authorization code with PKCE (RFC 6749 section 4.1, RFC
//! 7636), back over loopback (RFC 8252 section 7.3).

use std::env;

use super::loopback::{Loopback, Outcome};
use super::{Fault, opener};
use crate::config::Redirect;
use crate::foreign::shown;
use crate::output::say;
use crate::provider::{Granted, Provider};

pub(super) fn log_in(provider: &Provider<'_>, redirect: &Redirect) -> Result<Granted, Fault> {
    let profile = provider.profile;
    let loopback = Loopback::listen(redirect).map_err(|error| listener(redirect, error))?;
    let invitation = provider.invite(loopback.uri())?;
    say(&format!(
        "log in with your browser; where it does not open, go to\n\n  {}\n",
        invitation.url
    ));
    if opener::has_browser(|name| env::var_os(name)) {
        opener::open(profile, &invitation.url);
    }

    let came = loopback.wait(invitation.state.secret(), profile.login_timeout);
    let came = came.map_err(|error| listener(redirect, error))?;
    let Some(visit) = came else { return Err(Fault::Late(profile.login_timeout)) };
    let granted = judge(provider, &visit.issuer).and_then(|()| match &visit.outcome {
        Outcome::Code(code) => Ok(provider.redeem(invitation, code)?),
        Outcome::Error(code, said) => Err(provider.refused(code, said.as_deref()).into()),
    });
    visit.finish(granted.is_ok());
    granted
}

/// RFC 9207: an answer that names another issuer was meant for another login.
fn judge(provider: &Provider<'_>, theirs: &Option<String>) -> Result<(), Fault> {
    let Some(ours) = provider.issuer else { return Ok(()) };
    let is_named = theirs.is_some() || provider.endpoints.names_itself;
    match theirs.as_deref().unwrap_or_default() {
        theirs if is_named && theirs != ours => {
            Err(Fault::Impostor { ours: shown(ours), theirs: provider.shown(theirs) })
        }
        _ => Ok(()),
    }
}

fn listener(redirect: &Redirect, error: std::io::Error) -> Fault {
    let Redirect { host, port, path } = redirect;
    let port = if *port == 0 { String::new() } else { format!(":{port}") };
    Fault::Listener { redirect: shown(&format!("http://{host}{port}{path}")), error }
}
