//! What a report is made of, whatever it is written as.

use std::fmt;

/// A part of a report under a heading.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

/// What a section has, one after the other.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    Text(String),
    Table(Table),
    Chart(Chart),
}

/// The first columns are words, and the others are figures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) words: usize,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(words: usize, head: &[&str]) -> Self {
        Self { head: head.iter().map(|it| (*it).to_owned()).collect(), words, rows: Vec::new() }
    }
}

/// As Markdown.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = |at| if at < self.words { "---" } else { "---:" };
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "| {} |", (0..self.head.len()).map(rule).collect::<Vec<_>>().join(" | "))?;
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

/// Bars beside each other.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// The name of its file, without `.svg`.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) bars: Vec<Bar>,
}

/// A bar of two parts.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    /// What there is in any case, and what comes on top.
    pub(crate) base: f64,
    pub(crate) above: f64,
    /// Behind the bar.
    pub(crate) text: String,
    /// Of this project.
    pub(crate) ours: bool,
}

/// Thousands apart, as in 1,000.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", &*digits), |rest| ("-", rest));
    let mut text = sign.to_owned();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_apart() {
        let numbers = [0.0, 999.4, 1_000.0, -12_345.0, 1_234_567.0].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "-12,345", "1,234,567"]);
    }
}
