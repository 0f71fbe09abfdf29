//! Bars as a picture.

use std::fmt::Write as _;

use super::document::Chart;

const LABELS: f64 = 300.0;
const BARS: f64 = 380.0;
const TEXTS: f64 = 120.0;
const ROW: f64 = 22.0;
const TOP: f64 = 34.0;

/// Colours that can be read on white and on black, by whoever sees them in whatever colours: those
/// of this project are darker too.
const STYLE: &str = "\
.chart{font:13px system-ui,sans-serif}.chart text{fill:#1f2328}.chart .title{font-weight:600}\
.chart .base{fill:#9aa4b2}.chart .peer{fill:#c98a2b}.chart .ours{fill:#1f6feb}\
@media(prefers-color-scheme:dark){.chart text{fill:#e6edf3}.chart .base{fill:#59636e}\
.chart .peer{fill:#d9a441}.chart .ours{fill:#58a6ff}}";

/// A whole SVG file, which can also stand in a page.
pub(crate) fn chart(chart: &Chart) -> String {
    let most = chart.bars.iter().map(|bar| bar.base + bar.above.max(0.0)).fold(0.0, f64::max);
    let scale = if most > 0.0 { BARS / most } else { 0.0 };
    let rows: f64 = chart.bars.iter().map(|_| ROW).sum();
    let (width, height) = (LABELS + BARS + TEXTS, TOP + rows + 8.0);
    let title = escaped(&chart.title);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"img\" \
         viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n\
         <text class=\"title\" x=\"8\" y=\"20\">{title}</text>\n"
    );
    let mut top = TOP;
    for bar in &chart.bars {
        let middle = top + ROW * 0.68;
        let (base, above) = (bar.base * scale, bar.above.max(0.0) * scale);
        let side = if bar.ours { "ours" } else { "peer" };
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>",
            LABELS - 8.0,
            escaped(&bar.label)
        );
        for (class, start, long) in [("base", 0.0, base), (side, base, above)] {
            if long > 0.0 {
                let _ = writeln!(
                    text,
                    "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{long:.1}\" \
                     height=\"{:.1}\"/>",
                    LABELS + start,
                    top + 3.0,
                    ROW - 6.0
                );
            }
        }
        let _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{middle:.1}\">{}</text>",
            LABELS + base + above + 6.0,
            escaped(&bar.text)
        );
        top += ROW;
    }
    text.push_str("</svg>\n");
    text
}

pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{super::document::Bar, BARS, Chart, chart};

    #[test]
    fn the_longest_bar_takes_all_the_room() {
        let bar = |label: &str, base, above| Bar {
            label: label.to_owned(),
            base,
            above,
            text: String::new(),
            ours: true,
        };
        let bars = vec![bar("a & b", 1.0, 3.0), bar("half", 2.0, 0.0), bar("below", 1.0, -0.5)];
        let text = chart(&Chart { name: "x".to_owned(), title: "t".to_owned(), bars });
        assert!(text.contains("a &amp; b"));
        let widths: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with("<rect"))
            .filter_map(|line| line.split("width=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(widths, [BARS / 4.0, BARS * 3.0 / 4.0, BARS / 2.0, BARS / 4.0]);
    }
}
