//! How far words are from each other, in typing errors. Pure.

/// How many errors somebody may have made in a word. A word with digits is a code: another
/// one is another thing.
pub(crate) fn errors(typed: &str) -> usize {
    if typed.chars().any(char::is_numeric) {
        return 0;
    }
    match typed.chars().count() {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

/// What tells most words apart without a look at their letters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// A bit for each letter that is there; some letters share one.
    letters: u32,
    length: u32,
    is_code: bool,
}

impl Shape {
    pub(super) fn of(word: &str) -> Self {
        let mut shape = Self {
            letters: 0,
            length: 0,
            is_code: false,
        };
        for char in word.chars() {
            shape.letters |= 1 << (u32::from(char) % 32);
            shape.length += 1;
            shape.is_code |= char.is_numeric();
        }
        shape
    }

    /// Whether so few errors may lead from one to the other. An error changes at most two
    /// bits, of the letter that was meant and of the one that was typed.
    pub(super) fn may_be(&self, typed: &Self, errors: usize) -> bool {
        let differ = (self.letters ^ typed.letters).count_ones();
        !self.is_code
            && self.length.abs_diff(typed.length) as usize <= errors
            && differ as usize <= 2 * errors
    }
}

/// Letters to insert, remove, replace or swap with their neighbour to make one
/// word of the other (optimal string alignment).
pub(crate) fn distance(left: &str, right: &str) -> usize {
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
    use proptest::prelude::*;

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
    fn short_words_and_codes_have_no_typing_errors() {
        let all = [
            "cup",
            "lamp",
            "espreso",
            "espresso",
            "x80mlwhite",
            "12345678",
        ];
        assert_eq!(all.map(errors), [0, 1, 1, 2, 0, 0]);
    }

    proptest! {
        /// No word is put aside by its shape that its letters would let through.
        #[test]
        fn shapes_hide_no_word(left in "[a-dä]{0,10}", right in "[a-dä]{0,10}", errors in 0_usize..3) {
            if distance(&left, &right) <= errors {
                prop_assert!(Shape::of(&left).may_be(&Shape::of(&right), errors));
            }
        }
    }
}
