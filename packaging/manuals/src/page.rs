//! A man page (man(7)) of a command and of each of its subcommands.
//!
//! What stands below the options in `--help` is laid out for a terminal: examples stay as they are,
//! line by line, and get the section where people look for them.

use std::io;
use std::path::PathBuf;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

/// What `--help` calls it, and what man-pages(7) does.
const SECTIONS: [(&str, &str); 3] =
    [("Examples:", "EXAMPLES"), ("Exit codes:", "EXIT STATUS"), ("Files:", "FILES")];

/// What a page says that it is a part of.
pub(crate) fn source(command: &Command) -> String {
    format!("Blue Elephant {}", command.get_version().unwrap_or_default())
}

/// The pages of a command and of its subcommands, with their paths below /usr/share.
pub(crate) fn all(command: Command, date: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let source = source(&command);
    // Their help is what is written here.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    let mut waiting = vec![command];
    while let Some(command) = waiting.pop() {
        waiting.extend(command.get_subcommands().filter(|below| !below.is_hide_set()).cloned());
        let man = Man::new(command.clone()).date(date).source(&source).manual("Blue Elephant");
        let title = man.get_filename().trim_end_matches(".1").to_uppercase();
        let man = man.title(title);
        let path = PathBuf::from("man/man1").join(man.get_filename());
        pages.push((path, page(&command, &man)?));
    }
    Ok(pages)
}

fn page(command: &Command, man: &Man) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let below = command.get_after_long_help().or_else(|| command.get_after_help());
    if let Some(text) = below {
        sections(&text.to_string()).to_writer(&mut page)?;
    }
    Ok(tidy(&String::from_utf8_lossy(&page)).into_bytes())
}

/// Without what mandoc(1) warns about: blanks at the end of a line, and breaks beside blank lines.
fn tidy(page: &str) -> String {
    let lines: Vec<&str> = page.lines().map(str::trim_end).collect();
    let is_blank = |index: Option<usize>| index.and_then(|index| lines.get(index)) == Some(&"");
    let beside_blank = |index: usize| is_blank(index.checked_sub(1)) || is_blank(Some(index + 1));
    let needed = lines.iter().enumerate().filter(|(i, line)| **line != ".br" || !beside_blank(*i));
    needed.flat_map(|(_, line)| [line, "\n"]).collect()
}

/// What stands below the options.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    let heading = |block: &str| SECTIONS.iter().find(|(head, _)| block.starts_with(head)).copied();
    let (headed, notes): (Vec<&str>, Vec<&str>) =
        text.split("\n\n").partition(|block| heading(block).is_some());
    for (index, note) in notes.iter().enumerate() {
        match index {
            0 => roff.control("SH", ["NOTES"]),
            _ => roff.control("PP", []),
        };
        lines(&mut roff, note);
    }
    for block in headed {
        let Some((head, section)) = heading(block) else { continue };
        roff.control("SH", [section]);
        lines(&mut roff, block[head.len()..].trim_matches('\n'));
    }
    roff
}

/// Indented lines stay lines; others are filled.
fn lines(roff: &mut Roff, text: &str) {
    let mut filled = true;
    for line in text.lines() {
        if filled == line.starts_with("  ") {
            roff.control(if filled { "nf" } else { "fi" }, []);
            filled = !filled;
        }
        roff.text([roman(if filled { line.trim_start() } else { line })]);
    }
    if !filled {
        roff.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use super::{sections, tidy};

    #[test]
    fn examples_stay_line_by_line_and_notes_come_first() {
        let help = "Examples:\n  a run\n  b\n\nA note.\nMore.\n\nExit codes: 0 fine,\n1 not.";
        let roff = sections(help).to_roff();
        let expected = ".SH NOTES\nA note.\nMore.\n.SH EXAMPLES\n.nf\n  a run\n  b\n.fi\n\
                        .SH \"EXIT STATUS\"\n0 fine,\n1 not.\n";
        assert_eq!(roff, expected);
    }

    #[test]
    fn a_break_beside_a_blank_line_is_left_out() {
        assert_eq!(tidy("a \n.br\n\n.br\nb\n.br\nc\n"), "a\n\nb\n.br\nc\n");
    }
}
