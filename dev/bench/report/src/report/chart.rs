//! Bars as a picture.

use std::{error::Error, path::Path};

use plotters::prelude::{
    ChartBuilder, Color as _, IntoDrawingArea as _, IntoFont as _, IntoSegmentedCoord as _,
    RGBColor, Rectangle, SVGBackend, SegmentValue, Text, WHITE,
};

use super::document::Chart;

const GREY: RGBColor = RGBColor(0x9a, 0xa4, 0xb2);
const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xeb);
const PEER: RGBColor = RGBColor(0xc9, 0x8a, 0x2b);

/// Writes an SVG file.
pub(crate) fn draw(chart: &Chart, file: &Path) -> Result<(), String> {
    try_draw(chart, file).map_err(|error| format!("{}: {error}", file.display()))
}

fn try_draw(chart: &Chart, file: &Path) -> Result<(), Box<dyn Error>> {
    // From the top down, where the axis goes up.
    let bars: Vec<_> = chart.bars.iter().rev().collect();
    let most =
        bars.iter().map(|bar| bar.base + bar.above.max(0.0)).fold(f64::MIN_POSITIVE, f64::max);
    let height = 60 + 22 * u32::try_from(bars.len())?;
    let area = SVGBackend::new(file, (900, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut plot = ChartBuilder::on(&area)
        .caption(&chart.title, ("sans-serif", 15))
        .margin(8)
        .y_label_area_size(300)
        // Room for the text behind the longest bar.
        .build_cartesian_2d(0.0..most * 1.2, (0..bars.len().saturating_sub(1)).into_segmented())?;
    let label = |at: &SegmentValue<usize>| match at {
        SegmentValue::CenterOf(at) => {
            bars.get(*at).map(|bar| bar.label.clone()).unwrap_or_default()
        }
        _ => String::new(),
    };
    plot.configure_mesh()
        .disable_mesh()
        .disable_x_axis()
        .y_labels(bars.len() + 1)
        .y_label_formatter(&label)
        .label_style(("sans-serif", 13))
        .draw()?;
    for (at, bar) in bars.iter().enumerate() {
        let (base, end) = (bar.base, bar.base + bar.above.max(0.0));
        let colour = if bar.ours { OURS } else { PEER };
        let part = |from, to, colour: RGBColor| {
            let corners = [(from, SegmentValue::Exact(at)), (to, SegmentValue::Exact(at + 1))];
            let mut part = Rectangle::new(corners, colour.filled());
            part.set_margin(3, 3, 0, 0);
            part
        };
        plot.draw_series([part(0.0, base, GREY), part(base, end, colour)])?;
        let behind = (end + most / 100.0, SegmentValue::CenterOf(at));
        plot.draw_series([Text::new(bar.text.clone(), behind, ("sans-serif", 13).into_font())])?;
    }
    Ok(area.present()?)
}

#[cfg(test)]
mod tests {
    use super::{super::document::Bar, Chart, draw};

    #[test]
    fn bars_are_as_long_as_their_figures_and_have_labels_and_texts() {
        let bar = |label: &str, base, above| Bar {
            label: label.to_owned(),
            base,
            above,
            text: format!("{above} us"),
            ours: true,
        };
        let bars = vec![bar("a & b", 1.0, 3.0), bar("half", 2.0, 0.0), bar("below", 1.0, -0.5)];
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("x.svg");
        let chart = Chart { name: "x".to_owned(), title: "t".to_owned(), bars };
        draw(&chart, &file).expect("a picture");
        let picture = std::fs::read_to_string(file).expect("the file");
        for text in ["a &amp; b", "half", "below", "3 us", "0 us", "-0.5 us"] {
            assert!(picture.contains(&format!("\n{text}\n")), "{text}: {picture}");
        }
        let bars =
            picture.split("<rect").filter(|it| it.contains("#9AA4B2") || it.contains("#1F6FEB"));
        let widths: Vec<f64> = bars
            .filter_map(|it| it.split(" width=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        let unit = widths[0];
        let expected = [1.0, 0.0, 2.0, 0.0, 1.0, 3.0].map(|it| it * unit);
        let is_near = |(a, b): (&f64, &f64)| (a - b).abs() < 3.0;
        assert!(unit > 100.0 && widths.len() == 6, "{widths:?}");
        assert!(widths.iter().zip(&expected).all(is_near), "{widths:?}");
    }
}
