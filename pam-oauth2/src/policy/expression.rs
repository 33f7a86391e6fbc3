//! Regular expressions of an administrator, bounded in size and time.

use std::ops::Range;

use regex_lite::{Regex, RegexBuilder};

/// Bytes of an expression as it is written.
const LONGEST_PATTERN: usize = 1000;
/// Bytes of memory that a compiled expression may take, about a thousand states.
const LARGEST_PROGRAM: usize = 32 * 1024;
/// Bytes of a text that is looked at: the time is that of its length times the states. The
/// longest subject is 255 (OpenID Connect Core 1.0 section 2).
pub(crate) const LONGEST_TEXT: usize = 1024;

/// An expression that matches whole texts alone. The syntax is that of the crate regex-lite;
/// matching takes linear time.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    written: String,
    regex: Regex,
}

/// Why an expression is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ExpressionFault {
    #[error("the expression is longer than {LONGEST_PATTERN} bytes; write a shorter one")]
    TooLong,
    #[error("the expression cannot be used: {0}")]
    Unreadable(regex_lite::Error),
}

impl Expression {
    pub(crate) fn parse(pattern: &str) -> Result<Self, ExpressionFault> {
        if pattern.len() > LONGEST_PATTERN {
            return Err(ExpressionFault::TooLong);
        }
        // Alone first: `a)|(b` would close the group that is put around it.
        compile(pattern)?;
        let regex = compile(&format!(r"\A(?:{pattern})\z"))?;
        Ok(Self { written: pattern.to_owned(), regex })
    }

    /// As the administrator wrote it.
    pub(crate) fn written(&self) -> &str {
        &self.written
    }

    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }

    /// Whether it matches all of `text`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        text.len() <= LONGEST_TEXT
            && self.regex.find(text).is_some_and(|found| is_whole(&found.range(), text))
    }

    /// What the first group holds, where the expression matches all of `text`.
    pub(crate) fn first_group<'t>(&self, text: &'t str) -> Option<&'t str> {
        if text.len() > LONGEST_TEXT {
            return None;
        }
        let captures = self.regex.captures(text)?;
        if !is_whole(&captures.get(0)?.range(), text) {
            return None;
        }
        Some(captures.get(1)?.as_str())
    }
}

/// Looked at although the expression is anchored: a flag or an alternative in it should not be
/// able to undo that, and here it shows that none can.
fn is_whole(found: &Range<usize>, text: &str) -> bool {
    *found == (0..text.len())
}

fn compile(pattern: &str) -> Result<Regex, ExpressionFault> {
    RegexBuilder::new(pattern)
        .size_limit(LARGEST_PROGRAM)
        .build()
        .map_err(ExpressionFault::Unreadable)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expression(pattern: &str) -> Expression {
        Expression::parse(pattern).unwrap()
    }

    #[test]
    fn only_a_whole_text_matches() {
        let cases = [
            ("a", "a", true),
            ("a", "ab", false),
            ("a", "ba", false),
            ("a", "a\n", false),
            ("^a$", "a", true),
            ("^a$", "a\n", false),
            ("a|ab", "ab", true),
            ("ab|a", "a", true),
            ("a|b", "xb", false),
            ("a|b", "ax", false),
            ("(?m)^a$", "a\nb", false),
            ("(?m)^b$", "a\nb", false),
            ("(?m)^a$", "a", true),
            ("(?s).*", "a\nb", true),
            (".*", "a\nb", false),
            ("(?i)ALICE", "alice", true),
            ("ALICE", "alice", false),
            ("(?U)a*", "aaa", true),
            ("a*?", "aaa", true),
            ("", "", true),
            ("", "a", false),
            ("(?x)a b", "ab", true),
            ("\u{f6}+", "\u{f6}\u{f6}", true),
        ];
        for (pattern, text, matches) in cases {
            assert_eq!(expression(pattern).matches(text), matches, "{pattern:?} {text:?}");
            let grouped = expression(&format!("({pattern})"));
            let group = matches.then_some(text);
            assert_eq!(grouped.first_group(text), group, "({pattern:?}) {text:?}");
        }
    }

    #[test]
    fn a_range_that_is_not_the_whole_text_is_told_apart() {
        assert!(is_whole(&(0..2), "ab"));
        assert!(is_whole(&(0..0), ""));
        assert!(!is_whole(&(0..1), "ab"));
        assert!(!is_whole(&(1..2), "ab"));
    }

    #[test]
    fn a_group_that_took_no_part_holds_nothing() {
        assert_eq!(expression("(a)?b").first_group("b"), None);
        assert_eq!(expression("(a)?b").first_group("ab"), Some("a"));
        assert_eq!(expression("(a*)b").first_group("b"), Some(""));
        assert_eq!(expression("ab").first_group("ab"), None);
    }

    #[test]
    fn groups_are_counted() {
        let cases = [("a", 0), ("(a)", 1), ("(?:a)", 0), ("(a)(b)", 2), ("(?P<x>a)", 1)];
        for (pattern, groups) in cases {
            assert_eq!(expression(pattern).groups(), groups, "{pattern}");
        }
        assert_eq!(expression("(a)").written(), "(a)");
    }

    #[test]
    fn an_expression_that_reaches_out_of_its_group_is_refused() {
        for pattern in ["a)|(?:b", "a)|(b", "(", ")", "[a", "a\\", "(?x)a # comment", "*", "a{2"] {
            let fault = Expression::parse(pattern).unwrap_err();
            assert!(matches!(fault, ExpressionFault::Unreadable(_)), "{pattern} {fault}");
        }
    }

    #[test]
    fn an_expression_is_bounded_in_length_and_in_what_it_becomes() {
        assert!(Expression::parse(&"a".repeat(500)).is_ok());
        assert_eq!(
            Expression::parse(&"[".repeat(LONGEST_PATTERN + 1)).unwrap_err(),
            ExpressionFault::TooLong
        );
        let greatest = Expression::parse(&"[".repeat(LONGEST_PATTERN)).unwrap_err();
        assert_ne!(greatest, ExpressionFault::TooLong);
        for pattern in ["a{100000}", "(?:(?:(?:a{99}){99}){99}){99}", "(?:(?:){65535}){65535}"] {
            let fault = Expression::parse(pattern).unwrap_err().to_string();
            assert!(fault.contains("size limit"), "{pattern} {fault}");
        }
    }

    #[test]
    fn a_text_is_looked_at_up_to_a_length() {
        let (longest, longer) = ("a".repeat(LONGEST_TEXT), "a".repeat(LONGEST_TEXT + 1));
        assert!(expression("a*").matches(&longest));
        assert!(!expression("a*").matches(&longer));
        assert_eq!(expression("(a*)").first_group(&longest), Some(longest.as_str()));
        assert_eq!(expression("(a*)").first_group(&longer), None);
    }

    proptest! {
        #[test]
        fn no_pattern_and_no_text_make_it_panic(
            pattern in r"[-a-c()\[\]{}|*+?^$.\\0-9,:<>Pimsx# \n]{0,40}",
            text in "[a-c0-9\n ]{0,20}",
        ) {
            if let Ok(expression) = Expression::parse(&pattern) {
                let group = expression.first_group(&text);
                prop_assert!(group.is_none() || expression.matches(&text));
            }
        }
    }
}
