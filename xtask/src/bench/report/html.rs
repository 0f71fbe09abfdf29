//! The report as a page: one file that loads nothing.

use std::fmt::Write as _;

use super::{
    document::{Block, Section, Table},
    svg::{self, escaped},
};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1f2328;background:#fff}\
h1,h2{line-height:1.2}.wide{overflow-x:auto}\
table{border-collapse:collapse;font-size:.875rem;margin:1rem 0}\
th,td{padding:.3rem .6rem;border-bottom:1px solid #d1d9e0;text-align:left;vertical-align:top}\
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\
svg{max-width:100%;height:auto}code{font-size:.9em}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}\
th,td{border-color:#3d444d}}";

pub(crate) fn page(title: &str, sections: &[Section]) -> String {
    let title = escaped(title);
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for section in sections {
        let _ = writeln!(text, "<h2>{}</h2>", escaped(&section.title));
        for block in &section.blocks {
            let _ = match block {
                Block::Text(line) => writeln!(text, "<p>{}</p>", inline(line)),
                Block::Table(it) => {
                    writeln!(text, "<div class=\"wide\">\n{}</div>", table(it))
                }
                Block::Chart(it) => {
                    writeln!(text, "<div class=\"wide\">\n{}</div>", svg::chart(it))
                }
            };
        }
    }
    text.push_str("</body>\n</html>\n");
    text
}

fn table(table: &Table) -> String {
    let row = |cells: &[String], tag: &str| {
        let mut text = "<tr>".to_owned();
        for (at, cell) in cells.iter().enumerate() {
            let class = if at < table.words { "" } else { " class=\"number\"" };
            let _ = write!(text, "<{tag}{class}>{}</{tag}>", inline(cell));
        }
        text.push_str("</tr>\n");
        text
    };
    let rows: String = table.rows.iter().map(|cells| row(cells, "td")).collect();
    let head = row(&table.head, "th");
    format!("<table>\n<thead>\n{head}</thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
}

/// Markdown's marks for code and for strong words; the texts use no others.
fn inline(text: &str) -> String {
    let mut html = escaped(text);
    for (mark, tag) in [("**", "strong"), ("`", "code")] {
        let parts: Vec<_> = html.split(mark).map(str::to_owned).collect();
        html.clear();
        for (at, part) in parts.iter().enumerate() {
            match at {
                0 => {}
                at if at % 2 == 1 => {
                    let _ = write!(html, "<{tag}>");
                }
                _ => {
                    let _ = write!(html, "</{tag}>");
                }
            }
            html.push_str(part);
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::{Block, Section, Table, inline, page};

    #[test]
    fn marks_become_elements_and_the_rest_is_text() {
        assert_eq!(inline("a < `b` and **c**"), "a &lt; <code>b</code> and <strong>c</strong>");
    }

    #[test]
    fn a_page_loads_nothing() {
        let mut table = Table::new(1, &["store", "get"]);
        table.rows.push(vec!["fs".to_owned(), "1.5".to_owned()]);
        let section = Section { title: "Stores".to_owned(), blocks: vec![Block::Table(table)] };
        let page = page("Report", &[section]);
        assert!(page.contains("<td>fs</td><td class=\"number\">1.5</td>"), "{page}");
        for word in ["<script", "<link", "src=", "url("] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
