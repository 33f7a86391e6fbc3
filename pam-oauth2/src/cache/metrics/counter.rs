//! What is counted: every counter with every label that it can have.

/// An enum whose variants are the values of a label.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum $name {
            $($variant),+
        }

        impl $name {
            const ALL: &[Self] = &[$(Self::$variant),+];

            fn value(self) -> &'static str {
                match self {
                    $(Self::$variant => $value),+
                }
            }
        }
    };
}

label! {
    /// How a login ended.
    Outcome {
        Accepted = "accepted",
        Refused = "refused",
        Unavailable = "unavailable",
        Misconfigured = "misconfigured",
        Error = "error",
    }
}

label! {
    /// What said that the token is good, if anything did.
    VerifiedBy {
        Jwt = "jwt",
        Tokeninfo = "tokeninfo",
        Introspection = "introspection",
        Verdict = "verdict",
        Nothing = "none",
    }
}

label! {
    /// Who was asked.
    Endpoint {
        Discovery = "discovery",
        Jwks = "jwks",
        Tokeninfo = "tokeninfo",
        Introspection = "introspection",
    }
}

label! {
    /// Whether there was an answer of whatever kind.
    Answer {
        Answered = "answered",
        Failed = "failed",
    }
}

label! {
    /// Where something was looked for.
    Cache {
        Keys = "keys",
        Verdicts = "verdicts",
        Denials = "denials",
    }
}

label! {
    /// What was found there.
    Lookup {
        Hit = "hit",
        Miss = "miss",
        Stale = "stale",
    }
}

/// One number that only grows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Counter {
    BreakerRefusal,
    Cache { cache: Cache, result: Lookup },
    Login { outcome: Outcome, verified_by: VerifiedBy },
    Request { endpoint: Endpoint, result: Answer },
    UnusableFile,
}

impl Counter {
    /// Every counter, each metric in one piece. The order is that of the numbers in a file.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let logins = pairs(Outcome::ALL, VerifiedBy::ALL)
            .map(|(outcome, verified_by)| Self::Login { outcome, verified_by });
        let requests = pairs(Endpoint::ALL, Answer::ALL)
            .map(|(endpoint, result)| Self::Request { endpoint, result });
        let caches =
            pairs(Cache::ALL, Lookup::ALL).map(|(cache, result)| Self::Cache { cache, result });
        let others = [Self::BreakerRefusal, Self::UnusableFile];
        logins.chain(requests).chain(caches).chain(others)
    }

    /// The name of the metric, and what it tells.
    pub(super) fn metric(self) -> (&'static str, &'static str) {
        match self {
            Self::BreakerRefusal => (
                "pam_oauth2_breaker_refusals_total",
                "Requests that were not made because their endpoint had been given up.",
            ),
            Self::Cache { .. } => (
                "pam_oauth2_cache_total",
                "Lookups in the cache directory; stale is what bridged an outage.",
            ),
            Self::Login { .. } => (
                "pam_oauth2_logins_total",
                "Logins, by how they ended and by what their token was verified.",
            ),
            Self::Request { .. } => (
                "pam_oauth2_requests_total",
                "Requests to endpoints, and whether they were answered.",
            ),
            Self::UnusableFile => (
                "pam_oauth2_cache_unusable_files_total",
                "Times that a file of the cache directory was damaged or not safe.",
            ),
        }
    }

    pub(super) fn labels(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::BreakerRefusal | Self::UnusableFile => Vec::new(),
            Self::Cache { cache, result } => {
                vec![("cache", cache.value()), ("result", result.value())]
            }
            Self::Login { outcome, verified_by } => {
                vec![("outcome", outcome.value()), ("verified_by", verified_by.value())]
            }
            Self::Request { endpoint, result } => {
                vec![("endpoint", endpoint.value()), ("result", result.value())]
            }
        }
    }
}

fn pairs<A: Copy, B: Copy>(a: &'static [A], b: &'static [B]) -> impl Iterator<Item = (A, B)> {
    a.iter().flat_map(move |a| b.iter().map(move |b| (*a, *b)))
}
