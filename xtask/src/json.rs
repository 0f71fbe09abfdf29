//! A reader for the JSON that cargo and criterion write.
//!
//! By hand, because this crate is the first thing a newcomer builds: it has no dependency to wait
//! for.

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    /// Reads a whole text, or `None` if it is not JSON.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let value = value(&mut rest, MAX_DEPTH)?;
        rest.trim_start().is_empty().then_some(value)
    }

    /// The member of an object.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The items of a list; none if this is no list.
    pub(crate) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

const MAX_DEPTH: usize = 64;

fn value(rest: &mut &str, depth: usize) -> Option<Json> {
    let depth = depth.checked_sub(1)?;
    skip_blanks(rest);
    match rest.chars().next()? {
        '{' => sequence(rest, '{', '}', |rest| {
            skip_blanks(rest);
            let key = string(rest)?;
            skip_blanks(rest);
            *rest = rest.strip_prefix(':')?;
            Some((key, value(rest, depth)?))
        })
        .map(Json::Object),
        '[' => sequence(rest, '[', ']', |rest| value(rest, depth)).map(Json::List),
        '"' => string(rest).map(Json::Text),
        _ => {
            let end = rest.find([',', '}', ']', ' ', '\n', '\r', '\t']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            *rest = after;
            match word {
                "null" => Some(Json::Null),
                "true" => Some(Json::Bool(true)),
                "false" => Some(Json::Bool(false)),
                number => number.parse().ok().map(Json::Number),
            }
        }
    }
}

fn sequence<T>(
    rest: &mut &str,
    open: char,
    close: char,
    mut item: impl FnMut(&mut &str) -> Option<T>,
) -> Option<Vec<T>> {
    *rest = rest.strip_prefix(open)?;
    let mut items = Vec::new();
    skip_blanks(rest);
    if let Some(after) = rest.strip_prefix(close) {
        *rest = after;
        return Some(items);
    }
    loop {
        items.push(item(rest)?);
        skip_blanks(rest);
        if let Some(after) = rest.strip_prefix(close) {
            *rest = after;
            return Some(items);
        }
        *rest = rest.strip_prefix(',')?;
    }
}

fn string(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let inner = rest.strip_prefix('"')?;
    let mut chars = inner.char_indices();
    loop {
        let (at, char) = chars.next()?;
        match char {
            '"' => {
                *rest = &inner[at + 1..];
                return Some(text);
            }
            '\\' => text.push(match chars.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let code: String = chars.by_ref().take(4).map(|(_, digit)| digit).collect();
                    // Half of a surrogate pair: neither cargo nor criterion writes one.
                    char::from_u32(u32::from_str_radix(&code, 16).ok()?)?
                }
                escaped @ ('"' | '\\' | '/') => escaped,
                _ => return None,
            }),
            char => text.push(char),
        }
    }
}

fn skip_blanks(rest: &mut &str) {
    *rest = rest.trim_start();
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn what_criterion_writes_is_read() {
        let text = r#"{"mean":{"point_estimate":1.5e3},
            "median":{"confidence_interval":{"lower_bound":1},"point_estimate":12.25,"x":[]}}"#;
        let json = Json::parse(text).expect("JSON");
        let median = json.get("median").and_then(|median| median.get("point_estimate"));
        assert_eq!(median, Some(&Json::Number(12.25)));
    }

    #[test]
    fn escapes_and_lists_are_read() {
        let json = Json::parse(r#" ["a\"\\\/\n\u00e9", true, null, {}, -0.5 ] "#).expect("JSON");
        assert_eq!(json.items()[0].text(), Some("a\"\\/\n\u{e9}"));
        assert_eq!(json.items()[1..3], [Json::Bool(true), Json::Null]);
        assert_eq!(json.items()[4], Json::Number(-0.5));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "{", "[1,]", "{\"a\"}", "1 2", "\"\\q\"", "tru", &"[".repeat(1_000)] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }
}
