//! What `pam-bindings` lacks of libpam. A declaration only.
#![allow(unsafe_code, reason = "libpam is C")]

use libc::{c_char, c_int};
use pam::module::PamHandle;

/// `PAM_AUTHTOK` of `<security/_pam_types.h>`.
pub(super) const PAM_AUTHTOK: c_int = 6;

#[link(name = "pam")]
unsafe extern "C" {
    /// pam_get_authtok(3): asks the user unless an earlier module did, and stores the answer
    /// for later modules.
    pub(super) fn pam_get_authtok(
        pamh: *mut PamHandle,
        item: c_int,
        authtok: *mut *const c_char,
        prompt: *const c_char,
    ) -> c_int;
}
