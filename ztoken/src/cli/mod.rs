//! Arguments in, exit code out.

mod arguments;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, Parser};

use self::arguments::{Arguments, Command, Exec, Login};
use crate::clock::{Moment, spoken};
use crate::config::{self, Profile, Way};
use crate::error::{Error, Exit};
use crate::exec;
use crate::foreign::shown;
use crate::logout::log_out;
use crate::output::{print, say};
use crate::store::Store;
use crate::system::keep_memory_private;
use crate::token::{Session, log_in, token};
use crate::whoami;

/// All that can be typed, for manuals and completions.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// The program.
pub fn run(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    keep_memory_private();
    let words: Vec<OsString> = words.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _closed_pipe = error.print();
            // Help and version are what was asked for. What clap makes 2 means something else here.
            let exit = if error.use_stderr() { Exit::SetUp } else { Exit::Fine };
            let is_exec = |matches: ArgMatches| matches.subcommand_name() == Some("exec");
            let guessed = command().ignore_errors(true).try_get_matches_from(&words);
            return if guessed.is_ok_and(is_exec) { exit.in_exec() } else { exit }.into();
        }
    };
    perform(&arguments).unwrap_or_else(|error| {
        say(&error.to_string());
        match arguments.command {
            Some(Command::Exec(_)) => error.exit().in_exec(),
            _ => error.exit(),
        }
        .into()
    })
}

fn perform(arguments: &Arguments) -> Result<ExitCode, Error> {
    let profile = config::profile(arguments.config.as_deref(), arguments.profile.as_deref())?;
    // Whoever reads stderr can follow what is written there.
    let is_attended = !arguments.no_login && io::stderr().is_terminal();
    match &arguments.command {
        None => {
            let token = token(&open(&profile, is_attended))?;
            if let Some(warning) = &token.warning {
                say(warning);
            }
            print(&format!("{}\n", token.access.expose())).map_err(Error::Output)?;
        }
        Some(Command::Login(_)) if arguments.no_login => {
            let why = "with --no-login nobody is asked to log in".to_owned();
            let command = open(&profile, false).login_command();
            return Err(Error::NotLoggedIn { why, command });
        }
        Some(Command::Login(login)) => login_now(&profile, login)?,
        Some(Command::Logout) => log_out(&open(&profile, false))?,
        Some(Command::Whoami) => {
            let lines = whoami::describe(&open(&profile, false))?;
            print(&lines).map_err(Error::Output)?;
        }
        Some(Command::Exec(Exec { passfile, command })) => {
            let ended = exec::run(&profile, open, is_attended, command, *passfile)?;
            return Ok(ended.pass_on());
        }
    }
    Ok(Exit::Fine.into())
}

fn login_now(profile: &Profile, login: &Login) -> Result<(), Error> {
    let way = match (login.browser, login.device) {
        (true, _) => Some(Way::Browser),
        (false, true) => Some(Way::Device),
        (false, false) => None,
    };
    let kept = log_in(&open(profile, true), way)?;
    let user = whoami::named(&kept.access_token).map(|name| format!(" as {}", shown(&name)));
    let left = kept.left(Moment::now());
    let lasts = left.map(|left| format!("; the token lasts {}", spoken(left))).unwrap_or_default();
    let renewed = match kept.refresh_token {
        Some(_) => ", and is renewed by itself",
        None => ", and then a new login is needed",
    };
    say(&format!("logged in{}{lasts}{renewed}", user.unwrap_or_default()));
    Ok(())
}

/// What is kept of a profile, in the state folder of the user.
fn open(profile: &Profile, is_attended: bool) -> Session<'_> {
    let store = Store::new(profile, config::home("XDG_STATE_HOME", ".local/state"));
    Session { profile, store, is_attended }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn each_command_has_examples_and_the_help_names_each_exit_code() {
        let command = command();
        for one in command.get_subcommands().chain([&command]) {
            let help = one.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n  ztoken") || help.contains("$(ztoken)"), "{one}");
        }
        let help = command.get_after_help().unwrap().to_string();
        let readme = include_str!("../../README.md");
        for exit in [Exit::Fine, Exit::SetUp, Exit::LogIn, Exit::Provider, Exit::Exec] {
            let code = exit.code();
            assert!(help.contains(&format!("\n  {code} ")), "{code}");
            assert!(readme.contains(&format!("\n| {code} |")), "{code}");
        }
        let [run, there] = [Exit::CannotRun, Exit::NotThere].map(Exit::code);
        assert!(readme.contains(&format!("\n| {run}, {there} |")));
    }

    #[test]
    fn a_command_of_exec_may_have_options_of_its_own() {
        let parsed =
            Arguments::try_parse_from(["ztoken", "exec", "--passfile", "--", "psql", "-c", "x"]);
        let Some(Command::Exec(exec)) = parsed.unwrap().command else { panic!("no exec") };
        assert!(exec.passfile);
        assert_eq!(exec.command, ["psql", "-c", "x"]);
        let without = Arguments::try_parse_from(["ztoken", "exec", "psql", "--passfile"]);
        let Some(Command::Exec(exec)) = without.unwrap().command else { panic!("no exec") };
        assert!(!exec.passfile);
        assert!(Arguments::try_parse_from(["ztoken", "exec"]).is_err());
    }
}
