//! The table as a picture.

use std::fmt::Write;

const COLOURS: [&str; 6] = ["#9aa5b1", "#e07a5f", "#3d7ea6", "#2a9d8f", "#8d6a9f", "#c9a227"];
const BAR: usize = 16;
const GROUP_GAP: usize = 28;
const HEIGHT: usize = 300;
const LEFT: usize = 48;
const TOP: usize = 48;

/// Groups of bars, one group a trace, one bar a cache, as SVG.
pub(crate) fn bars<const N: usize>(names: [&str; N], rows: &[(&str, [f64; N])]) -> String {
    let group = N * BAR + GROUP_GAP;
    let width = LEFT + rows.len() * group + 20;
    let height = TOP + HEIGHT + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for percent in (0..=100).step_by(20) {
        let y = TOP + HEIGHT - percent * HEIGHT / 100;
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{width}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#ddd\"/>\
             <text x=\"{x}\" y=\"{text}\" text-anchor=\"end\">{percent} %</text>",
            x = LEFT - 6,
            text = y + 4,
        );
    }
    for (at, name) in names.iter().enumerate() {
        let x = LEFT + at * 130;
        let colour = COLOURS[at % COLOURS.len()];
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"14\" width=\"12\" height=\"12\" fill=\"{colour}\"/>\
             <text x=\"{text}\" y=\"24\">{name}</text>",
            text = x + 18,
        );
    }
    for (row, (trace, ratios)) in rows.iter().enumerate() {
        let left = LEFT + GROUP_GAP / 2 + row * group;
        for (at, ratio) in ratios.iter().enumerate() {
            let tall = (ratio * HEIGHT as f64 / 100.0) as usize;
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{tall}\" fill=\"{colour}\">\
                 <title>{name}, {trace}: {ratio:.2} %</title></rect>",
                x = left + at * BAR,
                y = TOP + HEIGHT - tall,
                w = BAR - 2,
                colour = COLOURS[at % COLOURS.len()],
                name = names[at],
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{trace}</text>",
            x = left + N * BAR / 2,
            y = TOP + HEIGHT + 18,
        );
    }
    svg.push_str("</svg>\n");
    svg
}
