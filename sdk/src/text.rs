//! What may stand in a text for people: something that can be seen, and nothing
//! that hides.
//!
//! Joiners, marks of direction and variation selectors stay: scripts and emoji need
//! them between letters. Alone they are no text.

/// Where a text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// In one line, as a name.
    Line,
    /// On lines of its own, which may be indented.
    Lines,
}

/// What is wrong with a text.
pub(crate) fn fault(text: &str, kind: Kind) -> Option<String> {
    if let Some(found) = text.chars().find(|char| hides(*char, kind)) {
        let what = match found.is_control() || matches!(found, '\u{2028}' | '\u{2029}') {
            true => "control",
            false => "invisible",
        };
        let code = u32::from(found);
        return Some(format!(
            "expected text without control and invisible characters, found the {what} character U+{code:04X}"
        ));
    }
    let blank = !text.chars().any(is_visible);
    blank.then(|| format!("expected a text that can be seen, found {text:?}"))
}

fn hides(char: char, kind: Kind) -> bool {
    match char {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => kind == Kind::Line,
        // Blanks without width, what turns the direction of the text after it, and
        // characters that annotate others.
        '\u{200B}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}'
        | '\u{FFF9}'..='\u{FFFB}' => true,
        _ => char.is_control(),
    }
}

fn is_visible(char: char) -> bool {
    !(char.is_whitespace() || char.is_control() || is_ignorable(char) || char == '\u{2800}')
}

/// Unicode's property `Default_Ignorable_Code_Point`: what is shown as nothing.
fn is_ignorable(char: char) -> bool {
    matches!(
        char,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_scripts_are_fine() {
        for text in [
            "Cup",
            "x",
            "Tasse, weiß",
            "  Cup  ",
            "کتاب\u{200C}ها",
            "क्\u{200D}ष",
            "👩\u{200D}👧 mug",
            "❤\u{FE0F}",
            "עברית\u{200F}!",
            "e\u{301}",
            "\u{3000}茶",
        ] {
            assert_eq!(fault(text, Kind::Line), None, "{text:?}");
        }
    }

    #[test]
    fn what_can_not_be_seen_is_refused() {
        for text in [
            "",
            " ",
            "\u{A0}\u{2003}",
            "\u{200D}",
            "\u{AD}",
            "\u{3164}",
            "\u{2800}",
            "\u{FE0F} \u{200E}",
        ] {
            let found = fault(text, Kind::Lines).unwrap_or_default();
            assert!(found.contains("can be seen"), "{text:?}: {found}");
        }
        for (text, code) in [
            ("Cup\0", "control character U+0000"),
            ("Cup\u{7F}", "control character U+007F"),
            ("C\u{85}p", "control character U+0085"),
            ("C\u{1B}[31mup", "control character U+001B"),
            ("C\u{200B}up", "invisible character U+200B"),
            ("\u{FEFF}Cup", "invisible character U+FEFF"),
            ("Cup \u{202E}gpj", "invisible character U+202E"),
        ] {
            for kind in [Kind::Line, Kind::Lines] {
                let found = fault(text, kind).unwrap_or_default();
                assert!(found.contains(code), "{text:?}: {found}");
            }
        }
    }

    #[test]
    fn only_what_has_lines_has_breaks() {
        for text in ["a\nb", "a\r\nb", "a\tb", "a\u{2028}b"] {
            assert_eq!(fault(text, Kind::Lines), None, "{text:?}");
            assert!(fault(text, Kind::Line).is_some(), "{text:?}");
        }
    }
}
