//! Text as it is compared: without case, without accents, as words. Pure.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Bytes of a word that count; the rest of a longer one is as good as not there.
const MOST_BYTES: usize = 64;

/// The text without case and accents, in the compatibility forms of Unicode (NFKD).
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for char in text.nfkd().filter(|char| !is_combining_mark(*char)) {
        match char {
            'ß' | 'ẞ' => folded.push_str("ss"),
            char => folded.extend(char.to_lowercase()),
        }
    }
    folded
}

/// The words of a text, folded.
pub(crate) fn words(text: &str) -> Vec<String> {
    let folded = fold(text);
    let split = folded.split(|char: char| !char.is_alphanumeric());
    split
        .filter(|word| !word.is_empty())
        .map(|word| word[..word.floor_char_boundary(MOST_BYTES)].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_forms_do_not_matter() {
        assert_eq!(fold("Crème BRÛLÉE"), "creme brulee");
        assert_eq!(fold("Straße ﬁn"), "strasse fin");
        assert_eq!(words("SKU-2, 80 ml"), ["sku", "2", "80", "ml"]);
        assert_eq!(words(" ,"), [""; 0]);
        let long = "ä".repeat(100);
        assert_eq!(words(&long), ["a".repeat(64)]);
    }
}
