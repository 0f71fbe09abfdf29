//! The report as Markdown.

use std::fmt::Write as _;

use super::document::{Block, Section};

pub(crate) fn page(title: &str, sections: &[Section]) -> String {
    let mut text = format!("# {title}\n");
    for section in sections {
        let _ = write!(text, "\n## {}\n", section.title);
        for block in &section.blocks {
            text.push('\n');
            match block {
                Block::Text(line) => text.push_str(line),
                Block::Table(it) => text.push_str(it.to_string().trim_end()),
                Block::Chart(it) => {
                    let _ = write!(text, "![{}]({}.svg)", it.title, it.name);
                }
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{super::document::Table, Block, Section, page};

    #[test]
    fn words_are_left_and_figures_are_right() {
        let mut it = Table::new(1, &["store", "get"]);
        it.rows.push(vec!["fs".to_owned(), "1.5".to_owned()]);
        assert_eq!(it.to_string(), "| store | get |\n| --- | ---: |\n| fs | 1.5 |\n");
        let section =
            Section { title: "Stores".to_owned(), blocks: vec![Block::Text("All.".to_owned())] };
        assert_eq!(page("Report", &[section]), "# Report\n\n## Stores\n\nAll.\n");
    }
}
