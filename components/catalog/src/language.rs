//! Which of some languages a client reads best: the lookup of RFC 4647, section 3.4, over an
//! `Accept-Language` header (RFC 9110, section 12.5.4). Pure.

/// Ranges of a header that count; browsers send a handful.
const MOST_RANGES: usize = 32;

/// The language that the header asks for, or the first one where it asks for none of them.
/// `None` only where there are no languages.
pub(crate) fn best<'l>(header: Option<&str>, languages: &'l [String]) -> Option<&'l str> {
    let mut ranges: Vec<_> = header
        .unwrap_or_default()
        .split(',')
        .take(MOST_RANGES)
        .filter_map(range)
        .collect();
    // As many as are equally good are asked for in their order.
    ranges.sort_by(|(_, left), (_, right)| right.cmp(left));
    let refused = |language: &str| {
        let mut refusals = ranges.iter().filter(|(_, weight)| *weight == 0);
        refusals.any(|(range, _)| range.eq_ignore_ascii_case(language))
    };
    let wanted = ranges.iter().filter(|(_, weight)| *weight > 0);
    let mut offered = languages
        .iter()
        .map(String::as_str)
        .filter(|language| !refused(language));
    for (range, _) in wanted {
        if *range == "*" {
            break;
        }
        let found = prefixes(range).find_map(|tag| {
            let mut offered = offered.clone();
            offered.find(|language| language.eq_ignore_ascii_case(tag))
        });
        if found.is_some() {
            return found;
        }
    }
    offered.next().or(languages.first().map(String::as_str))
}

/// A tag, then what it begins with, to its first part: `zh-Hant-TW`, `zh-Hant`, `zh`. No
/// part of one letter is the last one: it would begin an extension.
pub(crate) fn prefixes(tag: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(tag), |tag| {
        let (mut shorter, _) = tag.rsplit_once('-')?;
        while let Some((rest, last)) = shorter.rsplit_once('-')
            && last.len() == 1
        {
            shorter = rest;
        }
        Some(shorter)
    })
}

/// A range, and its weight in thousandths; `None` of what is none.
fn range(text: &str) -> Option<(&str, u32)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let weight = match parts.next() {
        None => 1000,
        Some(parameter) => {
            let (name, value) = parameter.split_once('=')?;
            let quality: f32 = value.trim().parse().ok()?;
            let in_range = name.trim().eq_ignore_ascii_case("q") && (0.0..=1.0).contains(&quality);
            in_range.then_some((quality * 1000.0) as u32)?
        }
    };
    Some((range, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(header: &str, languages: &[&str]) -> String {
        let languages: Vec<_> = languages.iter().map(ToString::to_string).collect();
        best(Some(header), &languages)
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn the_best_of_what_is_there() {
        for (header, expected) in [
            ("", "de"),
            ("fr", "fr"),
            ("FR-ca", "fr"),
            ("en;q=0.5, fr;q=0.9", "fr"),
            ("en, fr", "en"),
            ("ja, en;q=0.1", "en"),
            ("ja", "de"),
            ("de;q=0, *", "fr"),
            ("de;q=0", "fr"),
            ("*, en;q=0.5", "de"),
            ("*;q=0.1, en;q=0.5", "en"),
            ("en;q=x, fr;q=2, ,;q=1", "de"),
            ("zh-Hant-TW", "zh-Hant"),
            ("zh", "de"),
            ("fr-x-private", "fr"),
        ] {
            assert_eq!(
                among(header, &["de", "fr", "en", "zh-Hant"]),
                expected,
                "{header:?}"
            );
        }
        assert_eq!(among("de;q=0", &["de"]), "de");
        assert_eq!(best(None, &[]), None);
    }

    #[test]
    fn a_tag_gets_shorter_part_by_part() {
        // The example of RFC 4647, section 3.4.
        let parts: Vec<_> = prefixes("zh-Hant-CN-x-private1-private2").collect();
        assert_eq!(
            parts,
            [
                "zh-Hant-CN-x-private1-private2",
                "zh-Hant-CN-x-private1",
                "zh-Hant-CN",
                "zh-Hant",
                "zh"
            ]
        );
    }
}
