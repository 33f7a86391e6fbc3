//! docs/reference/commands.md, which is made from what every `--help` is made of.

#![allow(clippy::panic, reason = "all of it is a part of tests")]

use clap::{Arg, ArgAction, Command};
use reference::{Document, markdown};

use crate::commands;

/// In a table, words that a terminal shows as they are.
fn code(text: &str) -> String {
    format!("`{text}`")
}

/// `-n`, `--name NAME`, or `COMMAND...`.
fn named(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let takes = argument.get_action().takes_values();
    let value = values.iter().map(|name| format!(" {name}")).collect::<String>();
    let value = if takes { value } else { String::new() };
    let long = argument.get_long().map(|long| code(&format!("--{long}{value}")));
    let short = argument.get_short().map(|short| {
        code(&format!("-{short}{}", if long.is_some() { "" } else { value.as_str() }))
    });
    let names: Vec<String> = [short, long].into_iter().flatten().collect();
    match names.is_empty() {
        false => names.join(", "),
        true => {
            let many = matches!(argument.get_action(), ArgAction::Append);
            code(&format!("{}{}", value.trim_start(), if many { "..." } else { "" }))
        }
    }
}

/// What counts where nothing is said, or that something has to be.
fn default(argument: &Arg) -> String {
    if argument.is_required_set() {
        return "*required*".to_owned();
    }
    let takes = argument.get_action().takes_values();
    let values = argument.get_default_values().iter().filter(|_| takes);
    values.map(|value| code(&value.to_string_lossy())).collect::<Vec<_>>().join(", ")
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let help = help.unwrap_or_else(|| panic!("{}: no help", argument.get_id())).to_string();
    let mut text = help.trim().trim_end_matches('.').replace("\n\n", " ");
    let values = argument.get_possible_values();
    if argument.get_action().takes_values() && !values.is_empty() {
        let shown = values.iter().filter(|value| !value.is_hide_set());
        let values: Vec<String> = shown.map(|value| code(value.get_name())).collect();
        text.push_str(&format!(": {}", values.join(", ")));
    }
    if let Some(variable) = argument.get_env() {
        text.push_str(&format!("; or the variable {}", code(&variable.to_string_lossy())));
    }
    text
}

/// A command and what is below it, as sections.
fn sections(command: &Command, depth: usize, text: &mut String) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    assert!(!about.is_empty(), "{name} says nothing about itself");
    let about = about.trim_end_matches(['.', '?']);
    text.push_str(&format!("{} {name}\n\n{about}{}\n\n", "#".repeat(depth), ends(command)));
    let told = |argument: &&Arg| {
        let is_everywhere = ["help", "version"].contains(&argument.get_id().as_str());
        let is_from_above = depth > 2 && argument.is_global_set();
        !is_everywhere && !is_from_above && !argument.is_hide_set()
    };
    let arguments: Vec<&Arg> = command.get_arguments().filter(told).collect();
    if arguments.is_empty() {
        text.push_str("It has no options of its own.\n\n");
    } else {
        let rows = arguments
            .iter()
            .map(|argument| vec![named(argument), default(argument), meaning(argument)]);
        text.push_str(&markdown(&["option", "default", "meaning"], rows));
        text.push('\n');
    }
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        sections(below, 3, text);
    }
}

/// How its one sentence ends.
fn ends(command: &Command) -> &'static str {
    let is_question =
        command.get_about().is_some_and(|about| about.to_string().trim_end().ends_with('?'));
    if is_question { "?" } else { "." }
}

#[test]
fn every_option_of_every_command_is_in_the_reference() {
    let mut text = String::new();
    for command in commands() {
        // Their help is what is written here.
        let mut command = command.disable_help_subcommand(true);
        command.build();
        sections(&command, 2, &mut text);
    }
    Document::read("commands.md").generated("commands", &text);
}
