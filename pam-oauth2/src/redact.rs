//! Foreign text in messages: escaped, cut, and free of the token.

use std::cell::OnceCell;
use std::fmt;

use crate::role::Role;
use crate::token::AccessToken;

/// No run of this many characters of a token is ever shown.
const SECRET_RUN: usize = 8;
/// Characters of a value that are shown: a role name fits.
const VALUE_SHOWN: usize = 64;
/// Characters of a value that are shown where it has to identify.
const IDENTITY_SHOWN: usize = 256;
/// Characters of an explanation that are shown.
const EXPLANATION_SHOWN: usize = 400;
/// The longest host name (RFC 1035 section 2.3.4).
const MAX_HOST: usize = 255;
/// Behind what was cut. It begins with a blank, which no token has, so that it cannot complete a
/// run of the token that was cut just short.
const CUT: &str = " ...";
const NOT_SHOWN: &str = "[not shown]";
const WITHHELD: &str = "[withheld: it repeats the token]";

/// Text from elsewhere: a claim, a network error. It can be shown through a [`Redactor`] only.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Foreign(String);

impl Foreign {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// As [`Redactor::quote`], where there is a redactor.
    pub(crate) fn quoted(&self, redactor: Option<&Redactor<'_>>) -> String {
        redactor.map_or_else(|| NOT_SHOWN.to_owned(), |redactor| redactor.quote(&self.0))
    }

    /// As [`Redactor::plain`], where there is a redactor.
    pub(crate) fn plain(&self, redactor: Option<&Redactor<'_>>) -> String {
        redactor.map_or_else(|| NOT_SHOWN.to_owned(), |redactor| redactor.plain(&self.0))
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign([not shown])")
    }
}

/// Makes foreign text presentable. Needs the token: without knowing the secret nobody can
/// tell whether a text repeats it, so before the token is known nothing foreign is shown.
pub(crate) struct Redactor<'a> {
    token: &'a [u8],
    /// Made for the first text that is as long as a run.
    grams: OnceCell<Grams>,
}

impl<'a> Redactor<'a> {
    pub(crate) fn new(token: &'a AccessToken) -> Self {
        Self { token: token.expose(), grams: OnceCell::new() }
    }

    /// The name of the role, in quotes. It is withheld where it shares a whole run with the
    /// token, as when somebody pastes the token in its place; PostgreSQL's own line names it.
    /// A shorter token blanks nothing.
    pub(crate) fn role(&self, role: &Role) -> String {
        quoted(self.present(role.as_str(), VALUE_SHOWN, SECRET_RUN))
    }

    /// A value, in double quotes, as visible ASCII. What is between the quotes cannot end
    /// them. A token shorter than [`SECRET_RUN`] is withheld too.
    pub(crate) fn quote(&self, value: &str) -> String {
        quoted(self.present(value, VALUE_SHOWN, SECRET_RUN.min(self.token.len())))
    }

    /// As [`Self::quote`], with room for the URL of an issuer: for a line that has to identify.
    pub(crate) fn identify(&self, value: &str) -> String {
        quoted(self.present(value, IDENTITY_SHOWN, SECRET_RUN.min(self.token.len())))
    }

    /// An explanation, without quotes; a quotation mark in it is escaped all the same. Only the
    /// runs that it shares with the token are left out, because most of it is our own words.
    pub(crate) fn plain(&self, explanation: &str) -> String {
        let end = end_of(explanation, EXPLANATION_SHOWN);
        let mut rest = explanation.get(..end).unwrap_or_default();
        let mut text = String::new();
        while let Some(first) = rest.chars().next() {
            let mut shared = 0;
            for length in SECRET_RUN..=rest.len() {
                match rest.get(..length) {
                    Some(start) if self.holds(start.as_bytes()) => shared = length,
                    _ => break,
                }
            }
            let taken = if shared > 0 { shared } else { first.len_utf8() };
            let (piece, behind) = rest.split_at(taken);
            text.push_str(&if shared > 0 { "[withheld]".to_owned() } else { escape(piece) });
            rest = behind;
        }
        if end < explanation.len() {
            text.push_str(CUT);
        }
        text
    }

    /// The first `most` characters, escaped; none where they and the token have `run`
    /// characters in a row in common.
    fn present(&self, foreign: &str, most: usize, run: usize) -> Option<String> {
        let end = end_of(foreign, most);
        let shown = foreign.get(..end).unwrap_or_default();
        if self.shares(run, shown.as_bytes()) {
            return None;
        }
        let mut text = escape(shown);
        if end < foreign.len() {
            text.push_str(CUT);
        }
        Some(text)
    }

    /// Whether `text` and the token have `run` characters in a row in common.
    fn shares(&self, run: usize, text: &[u8]) -> bool {
        text.windows(run.max(1)).any(|piece| self.holds(piece))
    }

    /// Whether `piece` occurs in the token. Upper and lower case count as equal.
    fn holds(&self, piece: &[u8]) -> bool {
        self.grams.get_or_init(|| Grams::of(self.token)).may_hold(piece)
            && self.token.windows(piece.len().max(1)).any(|part| part.eq_ignore_ascii_case(piece))
    }
}

/// Which four bytes in a row a token may hold, whatever their case: one bit for each, by a hash.
/// Comparing every place of a token of a thousand bytes with every place of a UUID takes longer
/// than to verify a signature; almost all of that ends here.
struct Grams([u64; Self::WORDS]);

impl Grams {
    /// One page of memory. A token of four thousand bytes sets an eighth of the bits.
    const WORDS: usize = 512;

    fn of(token: &[u8]) -> Self {
        let mut grams = Self([0; Self::WORDS]);
        for gram in token.windows(4) {
            if let Some((word, bit)) = Self::place(gram)
                && let Some(word) = grams.0.get_mut(word)
            {
                *word |= bit;
            }
        }
        grams
    }

    /// False only where the token does not hold `piece`.
    fn may_hold(&self, piece: &[u8]) -> bool {
        let ends = [piece.first_chunk::<4>(), piece.last_chunk::<4>()];
        ends.into_iter().flatten().all(|gram| {
            let place = Self::place(gram);
            place.is_none_or(|(word, bit)| self.0.get(word).is_none_or(|word| word & bit != 0))
        })
    }

    /// The number of a word, and the bit in it.
    fn place(gram: &[u8]) -> Option<(usize, u64)> {
        // The bit that tells small ASCII letters from capitals is set in all.
        let gram = u32::from_le_bytes(gram.try_into().ok()?) | 0x2020_2020;
        // The high bits of a product with an odd number are the best mixed (Knuth, TAOCP 6.4).
        let hash = gram.wrapping_mul(0x9e37_79b1) >> 17;
        Some((usize::try_from(hash >> 6).ok()?, 1_u64.rotate_left(hash)))
    }
}

/// Where the first `most` characters end.
fn end_of(text: &str, most: usize) -> usize {
    text.char_indices().nth(most).map_or(text.len(), |(index, _)| index)
}

fn quoted(text: Option<String>) -> String {
    text.map_or_else(|| WITHHELD.to_owned(), |text| format!("\"{text}\""))
}

/// For between double quotes: visible ASCII and blanks. What could move a cursor, end a line
/// or close the quotation becomes an escape sequence of the kind `\n`, `\u{1b}`, `\"`.
pub(crate) fn escape(text: &str) -> String {
    escape_all_but(text, |c| is_visible(c) && c != '"' && c != '\\')
}

/// A host name or address as it is, and anything else in quotes: in the middle of a line no
/// host can add words of its own.
pub(crate) fn name(host: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    if !host.is_empty() && host.len() <= MAX_HOST && host.chars().all(plain) {
        return host.to_owned();
    }
    let shown = host.get(..end_of(host, VALUE_SHOWN)).unwrap_or_default();
    format!("\"{}\"", escape(shown))
}

/// For a whole sentence, whose quotation marks are its own.
pub(crate) fn visible(sentence: &str) -> String {
    escape_all_but(sentence, is_visible)
}

fn is_visible(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic()
}

fn escape_all_but(text: &str, kept: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if kept(c) {
            escaped.push(c);
        } else {
            escaped.extend(c.escape_default());
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::*;

    fn token(text: &str) -> AccessToken {
        AccessToken::parse(Zeroizing::new(text.into())).unwrap()
    }

    #[test]
    fn a_foreign_text_cannot_leave_its_quotation_or_its_line() {
        let token = token("unrelated-secret");
        let redactor = Redactor::new(&token);
        assert_eq!(
            redactor.quote("a\"b\\c\nLOG:  ok\x1b[2J\u{202e}\u{f6}%n"),
            r#""a\"b\\c\nLOG:  ok\u{1b}[2J\u{202e}\u{f6}%n""#
        );
    }

    #[test]
    fn a_foreign_text_is_cut() {
        let token = token("unrelated-secret");
        let quoted = Redactor::new(&token).quote(&"\u{f6}".repeat(1000));
        assert_eq!(quoted, format!("\"{}{CUT}\"", r"\u{f6}".repeat(VALUE_SHOWN)));
    }

    #[test]
    fn the_mark_of_a_cut_does_not_complete_a_run() {
        let token = token("abcdefg.");
        let value = format!("{}abcdefg and more", "x".repeat(VALUE_SHOWN - 7));
        let shown = Redactor::new(&token).quote(&value);
        assert!(shown.contains("abcdefg") && !shown.contains("abcdefg."), "{shown}");
    }

    #[test]
    fn a_text_that_repeats_eight_characters_of_the_token_is_withheld() {
        let token = token("abcdefghijklmnop");
        let redactor = Redactor::new(&token);
        assert_eq!(redactor.quote("xx defghijk xx"), WITHHELD);
        assert_eq!(redactor.plain("xx DEFGHIJK xx"), "xx [withheld] xx");
        assert_eq!(redactor.plain("abcdefghijklmnop, bcdefghi"), "[withheld], [withheld]");
        assert_eq!(redactor.plain("xx defghij \u{f6}\n"), r"xx defghij \u{f6}\n");
        assert_eq!(redactor.quote("xx defghij xx"), "\"xx defghij xx\"");
    }

    #[test]
    fn a_run_is_found_wherever_it_is_in_a_long_token() {
        // Long enough to set a good part of the bits.
        let secret: String = (1000..4000).map(|number| format!("{number}-")).collect();
        let known = token(&secret);
        let redactor = Redactor::new(&known);
        for run in secret.as_bytes().windows(SECRET_RUN) {
            let run = std::str::from_utf8(run).unwrap();
            assert_eq!(redactor.quote(&format!("x{run}x")), WITHHELD);
        }
        assert_eq!(redactor.quote("0b9c5a0e-3a2f"), "\"0b9c5a0e-3a2f\"");
    }

    #[test]
    fn a_short_token_is_withheld_whole() {
        let token = token("abc");
        let redactor = Redactor::new(&token);
        assert_eq!(redactor.quote("xabcx"), WITHHELD);
        assert_eq!(redactor.quote("xabx"), "\"xabx\"");
        // But it blanks neither the role nor an explanation.
        let role = Role::parse(b"abc".to_vec()).unwrap();
        assert_eq!(redactor.role(&role), "\"abc\"");
        assert_eq!(redactor.plain("abc refused"), "abc refused");
    }

    proptest! {
        #[test]
        fn no_text_shows_a_run_of_the_token(
            secret in "[!-~]{8,40}",
            before in ".{0,80}",
            after in ".{0,80}",
            from in 0usize..32,
        ) {
            let from = from.min(secret.len() - SECRET_RUN);
            let part = &secret[from..from + SECRET_RUN];
            let known = token(&secret);
            let shown = Redactor::new(&known).quote(&format!("{before}{part}{after}"));
            prop_assert!(shown == WITHHELD || !shown.contains(part));
            let other_case: String = part.chars().map(|c| {
                if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
            }).collect();
            prop_assert_eq!(Redactor::new(&known).quote(&other_case), WITHHELD);
            prop_assert!(shown.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
            let explained = Redactor::new(&known).plain(&format!("{before}{part}{after}"));
            prop_assert!(!explained.contains(part));
            prop_assert!(explained.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
        }
    }
}
