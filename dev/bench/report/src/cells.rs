//! What was measured so far, in a file that a later run goes on with.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::Path,
};

/// One measurement: what it is of, and its values by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cell {
    pub(crate) key: Vec<String>,
    pub(crate) values: Vec<(String, f64)>,
}

impl Cell {
    /// The value of this name.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(it, _)| it == name).map(|(_, value)| *value)
    }
}

/// The file and its content.
#[derive(Debug)]
pub(crate) struct Cells {
    all: Vec<Cell>,
    file: File,
}

impl Cells {
    /// Opens the file of this state of the sources and this form of the run, and tells how many
    /// measurements are in it.
    pub(crate) fn open(
        folder: &Path,
        state: &str,
        quick: bool,
        fresh: bool,
    ) -> Result<(Self, usize), String> {
        let form = if quick { "quick" } else { "full" };
        let path = folder.join(format!("{state}-{form}.cells"));
        let failed = |error| format!("{} cannot be used: {error}", path.display());
        fs::create_dir_all(folder).map_err(failed)?;
        if fresh && path.exists() {
            fs::remove_file(&path).map_err(failed)?;
        }
        let text =
            if path.exists() { fs::read_to_string(&path).map_err(failed)? } else { String::new() };
        // The end may be of a line whose writer was interrupted: its number lacks digits.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        if whole.len() < text.len() {
            fs::write(&path, whole).map_err(failed)?;
        }
        let all: Vec<_> = whole.lines().filter_map(parse).collect();
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(failed)?;
        let found = all.len();
        Ok((Self { all, file }, found))
    }

    /// Adds what `key` is measured as, here and in the file.
    pub(crate) fn add(&mut self, key: &[&str], values: &[(String, f64)]) -> Result<(), String> {
        let key: Vec<_> = key.iter().map(|part| (*part).to_owned()).collect();
        let cell = Cell { key, values: values.to_vec() };
        self.file
            .write_all(line(&cell).as_bytes())
            .map_err(|error| format!("a measurement cannot be kept: {error}"))?;
        self.all.push(cell);
        Ok(())
    }

    /// All whose key starts with `start`, in the order they were measured.
    pub(crate) fn of<'a>(&'a self, start: &'a [&'a str]) -> impl Iterator<Item = &'a Cell> {
        self.all.iter().filter(move |cell| {
            cell.key.len() >= start.len() && cell.key.iter().zip(start).all(|(a, b)| a == b)
        })
    }

    pub(crate) fn has(&self, key: &[&str]) -> bool {
        self.of(key).any(|cell| cell.key.len() == key.len())
    }

    /// The median of a value over all rounds: over all keys that start so.
    pub(crate) fn median(&self, start: &[&str], name: &str) -> Option<f64> {
        median(self.of(start).filter_map(|cell| cell.value(name)).collect())
    }
}

/// The one in the middle; of two the mean.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let above = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) {
        f64::midpoint(values[middle - 1], above)
    } else {
        above
    })
}

/// Values as programs print them: `name=1.5 other=2`.
pub(crate) fn values(text: &str) -> Option<Vec<(String, f64)>> {
    let fields = text.split(' ').map(|field| {
        let (name, value) = field.split_once('=')?;
        let value: f64 = value.parse().ok()?;
        value.is_finite().then(|| (name.to_owned(), value))
    });
    fields.collect()
}

/// The parts of the key and the values, with tabs between them.
fn line(cell: &Cell) -> String {
    let values: Vec<_> =
        cell.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}\t{}\n", cell.key.join("\t"), values.join(" "))
}

fn parse(line: &str) -> Option<Cell> {
    let (key, text) = line.rsplit_once('\t')?;
    Some(Cell { key: key.split('\t').map(str::to_owned).collect(), values: values(text)? })
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::PathBuf, process};

    use super::{Cells, median, values};

    fn folder(name: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("xtask-cells-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_second_run_finds_what_the_first_one_measured() {
        let folder = folder("again");
        let (mut cells, found) = Cells::open(&folder, "abc", true, false).expect("a new file");
        assert_eq!(found, 0);
        let some = values("rate=1000.5 p50=12").expect("values");
        cells.add(&["http", "a store", "read", "1"], &some).expect("a line");
        drop(cells);
        let (cells, found) = Cells::open(&folder, "abc", true, false).expect("the same file");
        assert_eq!(found, 1);
        assert!(cells.has(&["http", "a store", "read", "1"]));
        assert!(!cells.has(&["http", "a store", "read"]), "that is a part of a key");
        assert_eq!(cells.median(&["http", "a store", "read"], "rate"), Some(1000.5));
        for (state, quick, fresh) in
            [("abd", true, false), ("abc", false, false), ("abc", true, true)]
        {
            let (_, found) = Cells::open(&folder, state, quick, fresh).expect("another file");
            assert_eq!(found, 0, "{state} {quick} {fresh}");
        }
        fs::remove_dir_all(&folder).expect("it was made");
    }

    #[test]
    fn a_line_that_was_cut_short_is_measured_again() {
        let folder = folder("cut");
        fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("abc-full.cells");
        fs::write(&file, "scale\tfs\t1000\tget=1.5\nscale\tfs\t10000\tget=12").expect("a file");
        let (mut cells, found) = Cells::open(&folder, "abc", false, false).expect("the file");
        assert_eq!(found, 1, "the cut one might be of 120");
        cells.add(&["scale", "fs", "10000"], &[("get".to_owned(), 120.0)]).expect("a line");
        drop(cells);
        let (cells, _) = Cells::open(&folder, "abc", false, false).expect("the file");
        assert_eq!(cells.median(&["scale", "fs", "10000"], "get"), Some(120.0));
        fs::remove_dir_all(&folder).expect("it was made");
    }

    #[test]
    fn values_are_finite_numbers_with_names() {
        assert_eq!(values("a=1 b=-2.5"), Some(vec![("a".into(), 1.0), ("b".into(), -2.5)]));
        for text in ["", "a", "a=", "a=NaN", "a=inf", "a=1  b=2"] {
            assert_eq!(values(text), None, "{text}");
        }
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}
