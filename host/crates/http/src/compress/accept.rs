//! `Accept-Encoding`, RFC 9110 section 12.5.3.

use http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};

use crate::conditions::CODED;

/// A coding of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Br,
    /// RFC 8878.
    Zstd,
}

/// What a client says of a coding: thousandths of a wish; 0 is never.
type Weight = u16;

impl Coding {
    /// All, best first: how much each saves in the time it takes.
    const ALL: [Self; 3] = [Self::Zstd, Self::Br, Self::Gzip];

    /// The best coding of those that the client takes; none if it wants the
    /// content as it is, or says nothing.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let mut weights = [None::<Weight>; Self::ALL.len()];
        let (mut rest, mut identity) = (None, None);
        for value in headers.get_all(ACCEPT_ENCODING) {
            for item in value.to_str().unwrap_or_default().split(',') {
                let (name, weight) = item.split_once(';').unwrap_or((item, ""));
                let weight = self::weight(weight);
                let name = name.trim();
                match Self::ALL.iter().position(|coding| coding.is_called(name)) {
                    Some(place) => weights[place] = Some(weight),
                    None if name == "*" => rest = Some(weight),
                    None if name.eq_ignore_ascii_case("identity") => identity = Some(weight),
                    None => {}
                }
            }
        }
        let mut best: Option<(Weight, Self)> = None;
        for (weight, coding) in weights.into_iter().zip(Self::ALL) {
            let weight = weight.or(rest).unwrap_or(0);
            if weight > best.map_or(0, |(best, _)| best) {
                best = Some((weight, coding));
            }
        }
        let (weight, coding) = best?;
        identity
            .is_none_or(|plain| plain <= weight)
            .then_some(coding)
    }

    /// The one that `Content-Encoding` names.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|coding| coding.is_called(name))
    }

    /// As `Content-Encoding` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Br => "br",
            Self::Zstd => "zstd",
        }
    }

    /// What it appends to the tag of an answer.
    pub(super) fn suffix(self) -> &'static str {
        let [gzip, br, zstd] = CODED;
        match self {
            Self::Gzip => gzip,
            Self::Br => br,
            Self::Zstd => zstd,
        }
    }

    /// [`Self::name`], for a header.
    pub(super) fn value(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    fn is_called(self, name: &str) -> bool {
        let names: &[&str] = match self {
            Self::Gzip => &["gzip", "x-gzip"],
            Self::Br => &["br"],
            Self::Zstd => &["zstd"],
        };
        names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// `q=0.5`, as thousandths; nothing is all, and what can't be read is nothing.
fn weight(parameter: &str) -> Weight {
    let parameter = parameter.trim();
    if parameter.is_empty() {
        return 1000;
    }
    let value = parameter.strip_prefix(['q', 'Q']).map(str::trim_start);
    let value = value.and_then(|value| value.strip_prefix('='));
    let Some(value) = value.map(str::trim) else {
        return 0;
    };
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{fraction:0<3}").parse().unwrap_or(0);
    match whole {
        "0" if digits => thousandths,
        "1" if digits && thousandths == 0 => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepted(values: &[&str]) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, value.parse().unwrap());
        }
        Coding::accepted(&headers)
    }

    #[test]
    fn the_client_chooses_and_ties_are_ours() {
        let cases: [(&[&str], Option<Coding>); 17] = [
            (&[], None),
            (&[""], None),
            (&["gzip"], Some(Coding::Gzip)),
            (&["x-gzip"], Some(Coding::Gzip)),
            (&["GZIP, deflate"], Some(Coding::Gzip)),
            (&["gzip, deflate, br"], Some(Coding::Br)),
            (&["gzip, deflate, br, zstd"], Some(Coding::Zstd)),
            (&["br;q=0.5, gzip"], Some(Coding::Gzip)),
            (&["gzip ; q=0.2", "zstd;q=0.3"], Some(Coding::Zstd)),
            (&["*"], Some(Coding::Zstd)),
            (&["*, zstd;q=0"], Some(Coding::Br)),
            (&["*;q=0"], None),
            (&["gzip;q=0"], None),
            (&["identity"], None),
            (&["identity;q=0.5, gzip;q=0.4"], None),
            (&["identity;q=0, gzip;q=0.1"], Some(Coding::Gzip)),
            (&["gzip;q=2, br;q=x, zstd;q=0.0001"], None),
        ];
        for (values, expected) in cases {
            assert_eq!(accepted(values), expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_refused_is_never_chosen(
            weights in prop::array::uniform3(0u16..=1000),
            plain in prop::option::of(0u16..=1000),
        ) {
            let names = ["zstd", "br", "gzip"];
            let quality = |weight: u16| format!("{}.{:03}", weight / 1000, weight % 1000);
            let mut items: Vec<_> = names
                .iter()
                .zip(weights)
                .map(|(name, weight)| format!("{name};q={}", quality(weight)))
                .collect();
            items.extend(plain.map(|weight| format!("identity;q={}", quality(weight))));
            let chosen = accepted(&[&items.join(",")]);
            let most = weights.into_iter().max().unwrap();
            match chosen {
                None => prop_assert!(most == 0 || plain.is_some_and(|plain| plain > most)),
                Some(coding) => {
                    let place = Coding::ALL.iter().position(|known| *known == coding).unwrap();
                    prop_assert!(weights[place] == most && most > 0);
                }
            }
        }

        #[test]
        fn any_text_is_read(text in "[ -~]{0,60}") {
            accepted(&[&text]);
        }
    }
}
