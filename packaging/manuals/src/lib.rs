//! Man pages and completions of every command, from what its `--help` is made of.
//!
//! In: the table of commands below, and the documents that have the keys of their files. Out: for each a tree `FOLDER/<command>/usr/share/...`, as it
//! lies on a Debian system. The date is that of the sources, so that the same sources give the same
//! pages.

mod configuration;
mod page;
#[cfg(all(test, feature = "operator"))]
mod reference;

#[allow(dead_code, reason = "only its program reads what was typed")]
#[path = "../../../pam-oauth2/check/src/cli.rs"]
mod pam_oauth2_check;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

/// Every command that people type.
fn commands() -> Vec<Command> {
    vec![
        #[cfg(feature = "operator")]
        operator::cli::Arguments::command(),
        pam_oauth2_check::Arguments::command(),
        teams_sync::arguments::Arguments::command(),
        ztoken::cli::command(),
    ]
}

/// Writes all of it. An error says which path it is about.
pub fn write(folder: &Path, date: &str) -> Result<(), String> {
    for command in commands() {
        let place = folder.join(command.get_name());
        write_one(command, &place, date)
            .map_err(|error| format!("{}: {error}", place.display()))?;
    }
    Ok(())
}

fn write_one(command: Command, place: &Path, date: &str) -> io::Result<()> {
    let source = page::source(&command);
    let file = configuration::page(command.get_name(), &source, date);
    let completions = completions(&command);
    for (path, content) in completions.into_iter().chain(page::all(command, date)?).chain(file) {
        let path = place.join("usr/share").join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, content)?;
    }
    Ok(())
}

/// Where Debian's shells look for them.
fn completions(command: &Command) -> Vec<(PathBuf, Vec<u8>)> {
    let name = command.get_name();
    let shells = [
        (Shell::Bash, format!("bash-completion/completions/{name}")),
        (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
        (Shell::Zsh, format!("zsh/vendor-completions/_{name}")),
    ];
    let script = |(shell, path)| {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), name, &mut script);
        (PathBuf::from(path), script)
    };
    shells.into_iter().map(script).collect()
}

#[cfg(test)]
mod tests {
    use super::{Command, commands};

    /// The command and what is below it.
    fn family(command: Command) -> Vec<Command> {
        let below: Vec<Command> = command.get_subcommands().cloned().collect();
        std::iter::once(command).chain(below.into_iter().flat_map(family)).collect()
    }

    #[test]
    fn the_help_of_every_command_has_an_example_that_begins_with_its_name() {
        let mut seen = 0;
        for mut command in commands() {
            command = command.disable_help_subcommand(true);
            command.build();
            for one in family(command) {
                let name = one.get_bin_name().unwrap_or_else(|| one.get_name());
                let below = one.get_after_long_help().or_else(|| one.get_after_help());
                let below = below.map(ToString::to_string).unwrap_or_default();
                let examples =
                    below.split("\n\n").find_map(|block| block.split_once("Examples:\n"));
                let (_, examples) = examples.unwrap_or_else(|| panic!("{name}: no example"));
                assert!(examples.contains(name), "{name}: {examples}");
                seen += 1;
            }
        }
        assert!(seen > 10, "{seen}");
    }
}
