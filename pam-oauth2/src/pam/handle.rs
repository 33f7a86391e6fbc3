//! One PAM transaction, as a module sees it.
#![allow(unsafe_code, reason = "libpam is C; this file and hooks.rs are the fence")]

use std::ffi::{CStr, CString};
use std::fmt;
use std::ptr;

use pam::constants::{PAM_ERROR_MSG, PamResultCode};
use pam::conv::Conv;
use pam::items::{RHost, Service, User};
use pam::module::PamHandle;
use zeroize::Zeroizing;

use super::{Failure, sys};

/// The handle of the running hook.
pub(crate) struct Handle<'call>(&'call mut PamHandle);

/// What a successful authentication leaves for the account phase. Only the address is used
/// here too: it makes the key of the data our own, so that another build of this module in
/// the same stack can never read data that has another layout.
struct Verdict(CString);
static KEY_ANCHOR: u8 = 0;

impl<'call> Handle<'call> {
    pub(crate) fn new(handle: &'call mut PamHandle) -> Self {
        Self(handle)
    }

    /// `PAM_USER` as bytes; asks the application for it where it is not set. Empty counts
    /// as not there.
    pub(crate) fn user(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if let Some(user) = self.item_user()? {
            return Ok(Some(user));
        }
        // For its effect, which is to set the item: what it returns has to be UTF-8.
        let asked = self.0.get_user(None);
        let user = self.item_user()?;
        if user.is_none() {
            asked?;
        }
        Ok(user)
    }

    fn item_user(&self) -> Result<Option<Vec<u8>>, Failure> {
        let user = self.0.get_item::<User<'_>>()?;
        Ok(user.map(|user| user.to_bytes().to_vec()).filter(|user| !user.is_empty()))
    }

    /// `PAM_SERVICE`, which names the PAM file.
    pub(crate) fn service(&self) -> Option<Vec<u8>> {
        let service = self.0.get_item::<Service<'_>>().ok().flatten()?;
        Some(service.to_bytes().to_vec())
    }

    /// `PAM_RHOST`, where the application has set it.
    pub(crate) fn remote_host(&self) -> Option<Vec<u8>> {
        let host = self.0.get_item::<RHost<'_>>().ok().flatten()?;
        Some(host.to_bytes().to_vec()).filter(|host| !host.is_empty())
    }

    /// The authentication token: of an earlier module or from the user, and stored for later
    /// modules. May leave the process instead of returning: PostgreSQL's conversation exits
    /// when the client is gone, so nothing may be half done when this is called.
    pub(crate) fn authtok(&mut self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut token = ptr::null();
        // SAFETY: the handle is the one of this call; `token` is a valid place for a pointer;
        // a null prompt asks for the default (pam_get_authtok(3)).
        let code =
            unsafe { sys::pam_get_authtok(self.0, sys::PAM_AUTHTOK, &raw mut token, ptr::null()) };
        if code != PamResultCode::PAM_SUCCESS as i32 {
            return Err(Failure::from_libpam(code));
        }
        if token.is_null() {
            return Err(Failure::SYSTEM_ERR);
        }
        // SAFETY: after PAM_SUCCESS it is a C string that stays valid until PAM_AUTHTOK is
        // set again, which nobody does before it is copied here.
        let token = unsafe { CStr::from_ptr(token) };
        Ok(Zeroizing::new(token.to_bytes().to_vec()))
    }

    /// One line through the conversation. An application that cannot show it is no reason to
    /// fail, so nothing comes back.
    pub(crate) fn error_message(&self, line: &str) {
        if let Ok(Some(conversation)) = self.0.get_item::<Conv<'_>>() {
            let _unread = conversation.send(PAM_ERROR_MSG, line);
        }
    }

    /// Records that this handle's user is authenticated, as of now.
    pub(crate) fn remember(&mut self, user: &[u8]) -> Result<(), Failure> {
        let user = CString::new(user).map_err(|_| Failure::SYSTEM_ERR)?;
        Ok(self.0.set_data(&Self::key(), Box::new(Some(Verdict(user))))?)
    }

    /// Takes back what [`Self::remember`] recorded.
    pub(crate) fn forget(&mut self) -> Result<(), Failure> {
        Ok(self.0.set_data(&Self::key(), Box::new(None::<Verdict>))?)
    }

    /// The user whom the latest authentication on this handle accepted.
    pub(crate) fn remembered(&self) -> Option<&[u8]> {
        // SAFETY: the key holds the address of a static of this very object, so whatever lies
        // under it was stored by the two functions above, as an `Option<Verdict>`.
        let verdict = unsafe { self.0.get_data::<Option<Verdict>>(&Self::key()) }.ok()?;
        verdict.as_ref().map(|Verdict(user)| user.to_bytes())
    }

    fn key() -> String {
        format!("pam_oauth2_verdict_{:p}", &raw const KEY_ANCHOR)
    }
}

impl fmt::Debug for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}
