//! Text that is safe between tags and in attributes.

use std::fmt::{self, Display, Write};

/// Shows a text with everything escaped that HTML could take for its own.
pub(crate) struct Safe<T>(pub T);

impl<T: AsRef<str>> Display for Safe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.as_ref().chars() {
            match char {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                _ => write!(f, "{char}")?,
            }
        }
        Ok(())
    }
}

/// A button that is a form of its own, so that it works without scripts.
pub(crate) fn button(action: &str, fields: &[(&str, &str)], token: &str, text: &str) -> String {
    let mut form = format!("<form method=post action=\"/do/{action}\">");
    for (name, value) in fields.iter().chain([&("token", token)]) {
        let _ = write!(form, "<input type=hidden name={name} value=\"{}\">", Safe(value));
    }
    form + "<button>" + text + "</button></form>"
}
