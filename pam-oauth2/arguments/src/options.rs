//! The kinds of word, and the options collected from them.

use std::path::PathBuf;
use std::time::Duration;

use crate::duration::{CACHE_TTL_RANGE, LEEWAY_RANGE, TIMEOUT_RANGE, duration_within};
use crate::rule::{Audit, Check, OnOutage, Typ};
use crate::value::{ValueError, one_of};
use crate::{Error, Notices};

/// What a word is, by its shape alone.
pub(crate) enum Word<'a> {
    /// A word that PAM modules share.
    Bare(Bare),
    Check(Check),
    Option(RawOption<'a>),
    /// Neither; only a login field may look like this.
    Other,
}

/// The bare words that we know.
pub(crate) enum Bare {
    /// `no_warn`.
    NoWarn,
    /// `use_first_pass` and `try_first_pass`, on which pam_get_authtok(3) acts by itself;
    /// `debug` and `expose_account`, which change nothing here: what there is to say is
    /// always said, and what is secret never is.
    Understood,
}

/// `--name` or `--name=value`.
pub(crate) struct RawOption<'a> {
    pub(crate) name: &'a str,
    value: Option<&'a str>,
}

/// The values of `--verify`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Mode {
    Introspection,
    Jwt,
    JwtElseTokeninfo,
    #[default]
    Tokeninfo,
}

impl Mode {
    fn parse(text: &str) -> Result<Self, ValueError> {
        let words = [
            ("tokeninfo", Self::Tokeninfo),
            ("jwt", Self::Jwt),
            ("jwt,tokeninfo", Self::JwtElseTokeninfo),
            ("introspection", Self::Introspection),
        ];
        one_of(text, &words)
    }
}

impl<'a> Word<'a> {
    pub(crate) fn read(word: &'a str) -> Result<Self, Error> {
        if word.starts_with("--") {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word, None),
            };
            return Ok(Self::Option(RawOption { name, value }));
        }
        Ok(match word {
            "no_warn" => Self::Bare(Bare::NoWarn),
            "debug" | "expose_account" | "try_first_pass" | "use_first_pass" => {
                Self::Bare(Bare::Understood)
            }
            _ => match word.split_once('=') {
                Some(("", _)) => return Err(Error::NotACheck(word.to_owned())),
                // Split at the first `=`: the value may contain more.
                Some((key, value)) => {
                    Self::Check(Check { key: key.to_owned(), value: value.to_owned() })
                }
                None => Self::Other,
            },
        })
    }
}

impl<'a> RawOption<'a> {
    fn required(&self) -> Result<&'a str, Error> {
        match self.value {
            None | Some("") => Err(Error::ValueMissing(self.name.to_owned())),
            Some(value) => Ok(value),
        }
    }

    fn absent(&self) -> Result<(), Error> {
        match self.value {
            None => Ok(()),
            Some(_) => Err(Error::UnwantedValue(self.name.to_owned())),
        }
    }

    fn path(&self) -> Result<PathBuf, Error> {
        let path = PathBuf::from(self.required()?);
        if path.is_absolute() {
            return Ok(path);
        }
        Err(Error::RelativePath { option: self.name.to_owned(), path: path.display().to_string() })
    }

    /// A value that `parse` understands.
    fn parsed<T, E: Into<ValueError>>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, Error> {
        let refuse = |fault: E| Error::Value { option: self.name.to_owned(), fault: fault.into() };
        parse(self.required()?).map_err(refuse)
    }

    fn duration(&self, range: [Duration; 2]) -> Result<Duration, Error> {
        self.parsed(|text| duration_within(text, range))
    }
}

/// Every option, as given.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) allow_http: bool,
    pub(crate) always: bool,
    pub(crate) audience: Vec<String>,
    pub(crate) audit: Option<Audit>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) cache_dir: Option<PathBuf>,
    pub(crate) cache_ttl: Option<Duration>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret_file: Option<PathBuf>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) issuer: Option<String>,
    pub(crate) jwks: Option<String>,
    pub(crate) leeway: Option<Duration>,
    pub(crate) on_outage: Option<OnOutage>,
    pub(crate) section: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) typ: Option<Typ>,
    pub(crate) verify: Option<Mode>,
    /// The names of all that were given, in order.
    pub(crate) given: Vec<String>,
    no_warn: bool,
}

impl Options {
    pub(crate) fn set(&mut self, option: RawOption<'_>) -> Result<(), Error> {
        let fresh = match option.name {
            "--allow-http" => option.absent().map(|()| set_flag(&mut self.allow_http)),
            "--always" => option.absent().map(|()| set_flag(&mut self.always)),
            // Any of several: the one option that may repeat.
            "--audience" => option.required().map(|value| {
                let new = !self.audience.iter().any(|known| known == value);
                self.audience.push(value.to_owned());
                new
            }),
            "--audit" => option
                .parsed(|text| one_of(text, &[("syslog", Audit::Syslog), ("log", Audit::Log)]))
                .map(|value| set_once(&mut self.audit, value)),
            "--ca-file" => option.path().map(|value| set_once(&mut self.ca_file, value)),
            "--cache-dir" => option.path().map(|value| set_once(&mut self.cache_dir, value)),
            "--cache-ttl" => {
                option.duration(CACHE_TTL_RANGE).map(|value| set_once(&mut self.cache_ttl, value))
            }
            "--client-id" => {
                option.required().map(|value| set_once(&mut self.client_id, value.to_owned()))
            }
            "--client-secret-file" => {
                option.path().map(|value| set_once(&mut self.client_secret_file, value))
            }
            "--config" => option.path().map(|value| set_once(&mut self.config, value)),
            "--issuer" => {
                option.required().map(|value| set_once(&mut self.issuer, value.to_owned()))
            }
            "--jwks" => option.required().map(|value| set_once(&mut self.jwks, value.to_owned())),
            "--leeway" => {
                option.duration(LEEWAY_RANGE).map(|value| set_once(&mut self.leeway, value))
            }
            "--on-outage" => {
                option.parsed(OnOutage::parse).map(|value| set_once(&mut self.on_outage, value))
            }
            "--section" => {
                option.required().map(|value| set_once(&mut self.section, value.to_owned()))
            }
            "--timeout" => {
                option.duration(TIMEOUT_RANGE).map(|value| set_once(&mut self.timeout, value))
            }
            "--typ" => option.parsed(Typ::parse).map(|value| set_once(&mut self.typ, value)),
            "--verify" => option.parsed(Mode::parse).map(|value| set_once(&mut self.verify, value)),
            unknown => Err(Error::UnknownOption(unknown.to_owned())),
        }?;
        if !fresh {
            return Err(Error::Duplicate(option.name.to_owned()));
        }
        self.given.push(option.name.to_owned());
        Ok(())
    }

    pub(crate) fn note(&mut self, bare: Bare) {
        match bare {
            Bare::NoWarn => self.no_warn = true,
            Bare::Understood => {}
        }
    }

    pub(crate) fn notices(&self) -> Notices {
        Notices { conversation: !self.no_warn }
    }
}

fn set_flag(flag: &mut bool) -> bool {
    !std::mem::replace(flag, true)
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> bool {
    slot.replace(value).is_none()
}
