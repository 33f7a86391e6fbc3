//! The end of a login: at the provider, where it offers that, and here in any case.

use crate::error::Error;
use crate::output::say;
use crate::provider::{Fault, Provider};
use crate::token::Session;

pub(crate) fn log_out(session: &Session<'_>) -> Result<(), Error> {
    let turn = session.turn()?;
    let kept = session.store.read_any();
    // First, so that nothing that follows can keep it; and most of all what cannot be read.
    session.store.erase(&turn)?;
    let Some(kept) = kept.map_err(|fault| Error::Unrevoked(fault.to_string()))? else {
        say("nobody was logged in");
        return Ok(());
    };
    if !kept.is_from_provider_of(session.profile) {
        let why = "it came from another provider or client than the profile names now";
        return Err(Error::Unrevoked(why.to_owned()));
    }
    let provider = Provider::find(session.profile).map_err(Error::Revocation)?;
    if provider.endpoints.revocation.is_none() {
        say("logged out; the provider revokes nothing, so the present token lasts until its end");
        return Ok(());
    }
    // A provider that takes back a refresh token may take back access tokens with it; one that knows
    // only one kind refuses the other (RFC 7009 section 2.2.1).
    if let Some(refresh) = &kept.refresh_token {
        provider.revoke(refresh, "refresh_token").map_err(Error::Revocation)?;
    }
    match provider.revoke(&kept.access_token, "access_token") {
        Ok(()) => say("logged out"),
        Err(fault) if is_unsupported(&fault) || kept.refresh_token.is_some() => {
            say("logged out; the present access token may last until its end");
        }
        Err(fault) => return Err(Error::Revocation(fault)),
    }
    Ok(())
}

fn is_unsupported(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused { refusal, .. } if refusal.code == "unsupported_token_type")
}
