//! The kinds of word, and the options collected from them.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Check, DurationError, Error, Notices, duration};

const TIMEOUT_RANGE: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(55)];
const LEEWAY_RANGE: [Duration; 2] = [Duration::ZERO, Duration::from_secs(300)];

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
}

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) allow_http: bool,
    pub(crate) always: bool,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) leeway: Option<Duration>,
    pub(crate) timeout: Option<Duration>,
    no_warn: bool,
    verify: bool,
}

impl Options {
    pub(crate) fn set(&mut self, option: RawOption<'_>) -> Result<(), Error> {
        let twice = || Error::Duplicate(option.name.to_owned());
        match option.name {
            "--allow-http" => {
                option.absent()?;
                set_flag(&mut self.allow_http).ok_or_else(twice)
            }
            "--always" => {
                option.absent()?;
                set_flag(&mut self.always).ok_or_else(twice)
            }
            "--ca-file" => {
                let path = PathBuf::from(option.required()?);
                if !path.is_absolute() {
                    return Err(Error::RelativePath(path.display().to_string()));
                }
                set_once(&mut self.ca_file, path).ok_or_else(twice)
            }
            "--leeway" => {
                let value = within("--leeway", option.required()?, LEEWAY_RANGE)?;
                set_once(&mut self.leeway, value).ok_or_else(twice)
            }
            "--timeout" => {
                let value = within("--timeout", option.required()?, TIMEOUT_RANGE)?;
                set_once(&mut self.timeout, value).ok_or_else(twice)
            }
            "--verify" => match option.required()? {
                "tokeninfo" => set_flag(&mut self.verify).ok_or_else(twice),
                other => Err(Error::UnknownVerifier(other.to_owned())),
            },
            unknown => Err(Error::UnknownOption(unknown.to_owned())),
        }
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

fn within(
    option: &'static str,
    text: &str,
    [least, most]: [Duration; 2],
) -> Result<Duration, Error> {
    let value = duration::parse(text).map_err(|fault| Error::Duration { option, fault })?;
    if value < least || value > most {
        let fault = DurationError::OutOfRange { value, least, most };
        return Err(Error::Duration { option, fault });
    }
    Ok(value)
}

fn set_flag(flag: &mut bool) -> Option<()> {
    (!std::mem::replace(flag, true)).then_some(())
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}
