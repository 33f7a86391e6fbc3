//! The end of a login: at the provider, where it offers that, and here in any case.

use crate::error::Error;
use crate::output::say;
use crate::provider::{Fault, Provider};
use crate::token::Session;

pub(crate) fn log_out(session: &Session<'_>) -> Result<(), Error> {
    let turn = session.turn()?;
    let kept = session.store.read()?;
    // First, so that nothing that follows can keep it.
    session.store.erase(&turn)?;
    let Some(kept) = kept else {
        say("nobody was logged in");
        return Ok(());
    };
    let provider = Provider::find(session.profile).map_err(Error::Revocation)?;
    if provider.endpoints.revocation.is_none() {
        say("logged out; the provider revokes nothing, so the present token lasts until its end");
        return Ok(());
    }
    // A provider that takes back a refresh token may take back access tokens with it; one that knows
    // only one kind refuses the other (RFC 7009 section 2.2.1).
    let refresh = kept.refresh_token.as_ref();
    let refresh = refresh.map(|token| provider.revoke(token, "refresh_token"));
    let access = provider.revoke(&kept.access_token, "access_token");
    match (refresh, access) {
        (Some(Err(fault)), _) => return Err(Error::Revocation(fault)),
        (None, Err(fault)) if !is_unsupported(&fault) => return Err(Error::Revocation(fault)),
        (_, Err(_)) => say(
            "logged out; the provider revokes no access tokens, so the present one lasts until its end",
        ),
        (_, Ok(())) => say("logged out"),
    }
    Ok(())
}

fn is_unsupported(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused { refusal, .. } if refusal.code == "unsupported_token_type")
}
