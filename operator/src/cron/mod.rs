//! Schedules of CronJobs, as the API server takes them: five fields, or a word such as `@daily`.
//!
//! In: a text. Out: nothing, or what would have been right. When a job runs is the affair of
//! Kubernetes.

/// Words that stand for five fields.
const WORDS: [&str; 7] =
    ["@annually", "@daily", "@hourly", "@midnight", "@monthly", "@weekly", "@yearly"];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const WRONG: &str = "is no schedule: write minute, hour, day of the month, month and day of the week, as in 30 00 * * *";

/// What a field may hold.
struct Field {
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { least: 0, most: 59, names: &[] },
    Field { least: 0, most: 23, names: &[] },
    Field { least: 1, most: 31, names: &[] },
    Field { least: 1, most: 12, names: &MONTHS },
    Field { least: 0, most: 6, names: &DAYS },
];

/// # Errors
/// What is wrong with a text that is no schedule; it goes on after the text itself.
pub fn check(text: &str) -> Result<(), &'static str> {
    if WORDS.contains(&text) {
        return Ok(());
    }
    let given: Vec<&str> = text.split_whitespace().collect();
    let is_right = given.len() == FIELDS.len()
        && given.iter().zip(&FIELDS).all(|(text, field)| text.split(',').all(|it| field.takes(it)));
    if is_right { Ok(()) } else { Err(WRONG) }
}

impl Field {
    /// `*`, `3`, `1-5`, and each of them in steps, as in `*/15`.
    fn takes(&self, text: &str) -> bool {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (text, None),
        };
        let has_step = step.is_none_or(|step| digits(step).is_some_and(|step| step > 0));
        let is_range = match range.split_once('-') {
            _ if range == "*" || range == "?" => true,
            None => self.value(range).is_some(),
            Some((from, to)) => match (self.value(from), self.value(to)) {
                (Some(from), Some(to)) => from <= to,
                _ => false,
            },
        };
        has_step && is_range
    }

    fn value(&self, text: &str) -> Option<u32> {
        let lower = text.to_ascii_lowercase();
        let named = self.names.iter().position(|name| *name == lower);
        let named = named.and_then(|place| u32::try_from(place).ok()).map(|it| it + self.least);
        named.or_else(|| digits(text)).filter(|value| (self.least..=self.most).contains(value))
    }
}

/// A sign is none.
fn digits(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
