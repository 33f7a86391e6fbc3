//! The PostgreSQL role that somebody wants to be: the PAM user.

/// PostgreSQL cuts a role name at this many bytes before it asks PAM (`NAMEDATALEN` - 1).
const MAX_BYTES: usize = 63;

/// A user name that a role can have and that a log line can hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Role(String);

/// Why a name is not used. Compared with nothing, so no name is in the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum RoleFault {
    #[error("the user name begins or ends with a blank")]
    Blank,
    #[error("the user name holds a control character")]
    Control,
    #[error("the user name is not valid UTF-8")]
    Encoding,
    #[error("the user name is longer than {MAX_BYTES} bytes, which no role can be")]
    TooLong,
}

impl Role {
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, RoleFault> {
        if bytes.len() > MAX_BYTES {
            return Err(RoleFault::TooLong);
        }
        let name = String::from_utf8(bytes).map_err(|_| RoleFault::Encoding)?;
        if name.chars().any(char::is_control) {
            return Err(RoleFault::Control);
        }
        if name.trim().len() != name.len() {
            return Err(RoleFault::Blank);
        }
        Ok(Self(name))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_byte_for_byte() {
        for name in ["alice", "j\u{f6}rg", "%n%s", "a'b\"c\\d", "+users", "postgres", "two words"] {
            assert_eq!(Role::parse(name.into()).unwrap().as_str(), name);
        }
        assert!(Role::parse("a".repeat(63).into()).is_ok());
    }

    #[test]
    fn a_name_that_could_forge_a_line_or_was_cut_is_refused() {
        let cases: [(&[u8], RoleFault); 9] = [
            (b"alice\nLOG:  all is well", RoleFault::Control),
            (b"\x1b[2Jalice", RoleFault::Control),
            (b"alice\x7f", RoleFault::Control),
            ("alice\u{85}".as_bytes(), RoleFault::Control),
            (b" alice", RoleFault::Blank),
            (b"alice ", RoleFault::Blank),
            (b"al\xffice", RoleFault::Encoding),
            (&[b'a'; 64], RoleFault::TooLong),
            (&[b'a'; 200], RoleFault::TooLong),
        ];
        for (name, fault) in cases {
            assert_eq!(Role::parse(name.to_vec()), Err(fault), "{}", name.escape_ascii());
        }
    }
}
