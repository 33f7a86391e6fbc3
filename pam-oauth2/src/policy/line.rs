//! From the words of a PAM line.

use pam_oauth2_arguments::{Check, Rule, Verify};

use super::fingerprint::Fingerprint;
use super::{ClaimPath, Login, Mapping, Online, Policy, Requirement, Test, TrustedIssuer};

impl Policy {
    /// The policy of a line; `words` are those that `rule` was read from.
    pub(crate) fn of_line(rule: &Rule, words: &[&str]) -> Self {
        let local = |jwt: &pam_oauth2_arguments::JwtIssuer| {
            vec![TrustedIssuer { jwt: jwt.clone(), login: None, requirements: Vec::new() }]
        };
        let (issuers, online) = match &rule.verify {
            Verify::Introspection(service) => {
                (Vec::new(), Some(Online::Introspection(service.clone())))
            }
            Verify::Jwt(jwt) => (local(jwt), None),
            Verify::JwtElseTokeninfo(jwt, endpoint) => {
                (local(jwt), Some(Online::Tokeninfo(endpoint.clone())))
            }
            Verify::Tokeninfo(endpoint) => (Vec::new(), Some(Online::Tokeninfo(endpoint.clone()))),
        };
        let requirement = |Check { key, value }: &Check| Requirement {
            claim: ClaimPath::Member(key.clone()),
            test: Test::Is(vec![value.clone()]),
        };
        Self {
            issuers,
            online,
            login: Login {
                claim: ClaimPath::Member(rule.login_field.clone()),
                mapping: Mapping::default(),
            },
            requirements: rule.checks.iter().map(requirement).collect(),
            roles: Vec::new(),
            revoked: None,
            limits: rule.limits.clone(),
            fingerprint: fingerprint(words),
        }
    }
}

fn fingerprint(words: &[&str]) -> [u8; 32] {
    let mut fingerprint = Fingerprint::of(b"line");
    for word in words {
        fingerprint.add(word.as_bytes());
    }
    fingerprint.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_tells_words_and_their_borders_apart() {
        let lists: [&[&str]; 6] = [&[], &[""], &["ab", "c"], &["a", "bc"], &["abc"], &["c", "ab"]];
        for (index, words) in lists.iter().enumerate() {
            for other in lists.iter().skip(index + 1) {
                assert_ne!(fingerprint(words), fingerprint(other), "{words:?} {other:?}");
            }
            assert_eq!(fingerprint(words), fingerprint(words));
        }
    }
}
