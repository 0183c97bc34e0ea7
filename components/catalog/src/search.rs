//! How well an item matches what somebody typed. Pure.
//!
//! Every word of the query must be a word of the item, the beginning of one, or
//! one with a typing error; where it is found decides the rank.

use crate::bindings::exports::shop::catalog::catalog::Item;

/// What somebody typed.
pub(crate) struct Query(Vec<String>);

/// Words of a query at most; more are ignored.
const MAX_WORDS: usize = 8;

impl Query {
    /// The words of a text; `None` if it has none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let words: Vec<_> = words(text).take(MAX_WORDS).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// How well the item matches, higher is better; `None` if a word is missing.
    pub(crate) fn rank(&self, item: &Item) -> Option<u32> {
        let fields = fields(item);
        let best = |word: &String| {
            fields
                .iter()
                .filter_map(|(weight, found)| Some(weight * closeness(word, found)?))
                .max()
        };
        self.0.iter().map(best).sum()
    }
}

/// The item's words, with the weight of the field they are in.
fn fields(item: &Item) -> Vec<(u32, String)> {
    let mut fields = Vec::new();
    let mut add = |weight, text: &str| fields.extend(words(text).map(|word| (weight, word)));
    add(4, &item.name);
    add(2, item.category.as_deref().unwrap_or_default());
    add(1, item.description.as_deref().unwrap_or_default());
    for variant in &item.variants {
        add(3, &variant.sku);
        add(3, variant.title.as_deref().unwrap_or_default());
    }
    fields
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|char: char| !char.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// 3 for the same word, 2 for its beginning, 1 for a typing error.
fn closeness(typed: &str, word: &str) -> Option<u32> {
    if typed == word {
        Some(3)
    } else if word.starts_with(typed) {
        Some(2)
    } else {
        let errors = match typed.chars().count() {
            0..4 => 0,
            4..8 => 1,
            _ => 2,
        };
        (errors > 0 && distance(typed, word) <= errors).then_some(1)
    }
}

/// Letters to insert, remove, replace or swap with their neighbour to make one
/// word of the other (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for row in 1..=left.len() {
        let mut line = vec![row];
        for column in 1..=right.len() {
            let differs = usize::from(left[row - 1] != right[column - 1]);
            let mut least = (above[column] + 1)
                .min(line[column - 1] + 1)
                .min(above[column - 1] + differs);
            let swapped = row > 1 && column > 1;
            if swapped && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1] {
                least = least.min(before[column - 2] + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, expected) in [
            ("", "", 0),
            ("cup", "", 3),
            ("cup", "cups", 1),
            ("teapot", "taepot", 1),
            ("kitten", "sitting", 3),
            ("ca", "abc", 3),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn short_words_have_no_typing_errors() {
        assert_eq!(closeness("cap", "cup"), None);
        assert_eq!(closeness("espreso", "espresso"), Some(1));
        assert_eq!(closeness("esp", "espresso"), Some(2));
        assert_eq!(closeness("espresso", "espresso"), Some(3));
    }
}
