//! Return codes that are not success.

use std::fmt;
use std::num::NonZero;

use pam::constants::PamResultCode;

/// A PAM return code that cannot be `PAM_SUCCESS` (which is 0) and is never `PAM_IGNORE`:
/// a stack must not go on as if we had not been asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Failure(NonZero<u8>);

impl Failure {
    pub(crate) const ABORT: Self = Self::new(26);
    pub(crate) const AUTHINFO_UNAVAIL: Self = Self::new(9);
    pub(crate) const AUTHTOK_ERR: Self = Self::new(20);
    pub(crate) const AUTH_ERR: Self = Self::new(7);
    pub(crate) const CONV_AGAIN: Self = Self::new(30);
    pub(crate) const CONV_ERR: Self = Self::new(19);
    pub(crate) const PERM_DENIED: Self = Self::new(6);
    pub(crate) const SERVICE_ERR: Self = Self::new(3);
    pub(crate) const SYSTEM_ERR: Self = Self::new(4);
    pub(crate) const USER_UNKNOWN: Self = Self::new(10);

    const fn new(code: u8) -> Self {
        match NonZero::new(code) {
            Some(code) => Self(code),
            // No caller has a 0, and if one had, it would still not be success.
            None => Self(NonZero::<u8>::MIN),
        }
    }

    /// The code of a libpam call that did not succeed. Success, "ignore" and codes that
    /// Linux-PAM does not have make no sense there and become `PAM_SYSTEM_ERR`.
    pub(crate) fn from_libpam(code: i32) -> Self {
        match u8::try_from(code) {
            Ok(code @ (1..=24 | 26..=31)) => Self::new(code),
            _ => Self::SYSTEM_ERR,
        }
    }
}

impl Failure {
    /// The value of <security/_pam_types.h>.
    pub(crate) fn number(self) -> u8 {
        self.0.get()
    }
}

/// What a code of `pam_get_user` or `pam_get_authtok` means here, else the number.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get() {
            4 => f.write_str("system error"),
            5 => f.write_str("out of memory"),
            19 => f.write_str("the conversation failed"),
            20 => f.write_str("the client sent nothing usable"),
            7 | 21 => f.write_str("use_first_pass, and no earlier module has stored one"),
            30 => f.write_str("the conversation is still waiting"),
            code => write!(f, "return code {code}"),
        }
    }
}

impl From<PamResultCode> for Failure {
    fn from(code: PamResultCode) -> Self {
        // A fieldless enum with the values of <security/_pam_types.h>.
        Self::from_libpam(code as i32)
    }
}

impl From<Failure> for PamResultCode {
    fn from(failure: Failure) -> Self {
        Self::try_from(i32::from(failure.0.get())).unwrap_or(Self::PAM_SYSTEM_ERR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_libpam_comes_back_as_itself_except_success_and_ignore() {
        for code in -100..100 {
            let back = PamResultCode::from(Failure::from_libpam(code)) as i32;
            let expected = if matches!(code, 1..=24 | 26..=31) { code } else { 4 };
            assert_eq!(back, expected, "code {code}");
        }
    }

    #[test]
    fn the_named_codes_are_those_of_the_header() {
        let codes = [
            (Failure::ABORT, PamResultCode::PAM_ABORT),
            (Failure::AUTHINFO_UNAVAIL, PamResultCode::PAM_AUTHINFO_UNAVAIL),
            (Failure::AUTHTOK_ERR, PamResultCode::PAM_AUTHTOK_ERR),
            (Failure::AUTH_ERR, PamResultCode::PAM_AUTH_ERR),
            (Failure::CONV_AGAIN, PamResultCode::PAM_CONV_AGAIN),
            (Failure::CONV_ERR, PamResultCode::PAM_CONV_ERR),
            (Failure::PERM_DENIED, PamResultCode::PAM_PERM_DENIED),
            (Failure::SERVICE_ERR, PamResultCode::PAM_SERVICE_ERR),
            (Failure::SYSTEM_ERR, PamResultCode::PAM_SYSTEM_ERR),
            (Failure::USER_UNKNOWN, PamResultCode::PAM_USER_UNKNOWN),
        ];
        for (ours, theirs) in codes {
            assert_eq!(PamResultCode::from(ours), theirs);
        }
    }
}
