//! Arithmetic on money: checked, in minor units, one currency at a time.
//!
//! No floats: a price times a tax rate is a ratio of integers, rounded half to
//! even, so that many small roundings do not drift.

use std::fmt;
use std::str::FromStr;

use crate::{Money, currency};

/// Why an amount could not be computed or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoneyError {
    /// The amounts have different currencies.
    Currencies(String, String),
    /// The result has no place in 64 bits.
    Overflow,
    /// A ratio whose denominator is zero.
    DivisionByZero,
    /// The text is not the code of a currency of ISO 4217.
    Currency(String),
    /// The text is not an amount such as `12.90 EUR`.
    Text(String),
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Currencies(left, right) => {
                write!(f, "expected one currency, found {left} and {right}")
            }
            Self::Overflow => f.write_str("the amount is too large"),
            Self::DivisionByZero => f.write_str("expected a denominator other than 0"),
            Self::Currency(found) => {
                write!(
                    f,
                    "expected a currency of ISO 4217 such as EUR, found {found:?}"
                )
            }
            Self::Text(found) => write!(
                f,
                "expected an amount such as \"12.90 EUR\", found {found:?}"
            ),
        }
    }
}

impl std::error::Error for MoneyError {}

impl Money {
    /// An amount in minor units of a currency.
    pub fn new(minor: i64, currency: &str) -> Result<Self, MoneyError> {
        if currency::exponent(currency).is_some() {
            Ok(Self {
                minor,
                currency: currency.to_owned(),
            })
        } else {
            Err(MoneyError::Currency(currency.to_owned()))
        }
    }

    /// The sum of two amounts of one currency.
    pub fn checked_add(&self, other: &Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Currencies(
                self.currency.clone(),
                other.currency.clone(),
            ));
        }
        self.with(self.minor.checked_add(other.minor))
    }

    /// The amount so many times.
    pub fn checked_mul(&self, times: i64) -> Result<Self, MoneyError> {
        self.with(self.minor.checked_mul(times))
    }

    /// The amount times `numerator / denominator`, rounded half to even:
    /// 19 % of it is `scale(19, 100)`.
    pub fn scale(&self, numerator: i64, denominator: i64) -> Result<Self, MoneyError> {
        if denominator == 0 {
            return Err(MoneyError::DivisionByZero);
        }
        let sign = i128::from(denominator.signum());
        let product = i128::from(self.minor) * i128::from(numerator) * sign;
        let rounded = half_even(product, i128::from(denominator) * sign);
        self.with(i64::try_from(rounded).ok())
    }

    fn with(&self, minor: Option<i64>) -> Result<Self, MoneyError> {
        let minor = minor.ok_or(MoneyError::Overflow)?;
        Ok(Self {
            minor,
            currency: self.currency.clone(),
        })
    }
}

/// Digits after the point of an amount. One that was kept since its currency ended
/// is still to be shown.
fn digits(code: &str) -> u32 {
    currency::exponent(code).unwrap_or(2)
}

/// `dividend / divisor` for a positive divisor, halves to the even neighbour.
fn half_even(dividend: i128, divisor: i128) -> i128 {
    let (floor, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => floor,
        std::cmp::Ordering::Greater => floor + 1,
        std::cmp::Ordering::Equal => floor + (floor & 1),
    }
}

impl fmt::Display for Money {
    /// Writes `12.90 EUR`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = digits(&self.currency);
        let unit = 10_u64.pow(exponent);
        let (sign, size) = (
            if self.minor < 0 { "-" } else { "" },
            self.minor.unsigned_abs(),
        );
        write!(f, "{sign}{}", size / unit)?;
        if exponent > 0 {
            write!(f, ".{:0width$}", size % unit, width = exponent as usize)?;
        }
        write!(f, " {}", self.currency)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads what `Display` writes: the currency's digits after the point, all or none.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let bad = || MoneyError::Text(text.to_owned());
        let (amount, currency) = text.split_once(' ').ok_or_else(bad)?;
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        let exponent = digits(currency);
        let complete = match amount.contains('.') {
            true => exponent > 0 && fraction.len() == exponent as usize,
            false => true,
        };
        let (sign, units) = whole
            .strip_prefix('-')
            .map_or((1, whole), |units| (-1, units));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !complete || units.is_empty() || !all_digits(units) || !all_digits(fraction) {
            return Err(bad());
        }
        let number = |text: &str| {
            if text.is_empty() {
                Some(0)
            } else {
                text.parse::<i128>().ok()
            }
        };
        let units = number(units).and_then(|whole| whole.checked_mul(10_i128.pow(exponent)));
        let minor = units
            .zip(number(fraction))
            .and_then(|(units, rest)| units.checked_add(rest));
        let minor = minor.and_then(|minor| i64::try_from(sign * minor).ok());
        Self::new(minor.ok_or(MoneyError::Overflow)?, currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().expect("an amount")
    }

    #[test]
    fn text_there_and_back() {
        for text in [
            "12.90 EUR",
            "-0.05 USD",
            "1290 JPY",
            "1.234 BHD",
            "0.00 CHF",
            "92233720368547758.07 EUR",
        ] {
            assert_eq!(money(text).to_string(), text);
        }
        assert_eq!(money("-92233720368547758.08 EUR").minor, i64::MIN);
        assert_eq!(money("12 EUR").minor, 1200);
    }

    #[test]
    fn what_is_not_an_amount() {
        for text in [
            "", "12.9 EUR", "12. EUR", ".50 EUR", "1.0 JPY", "1,00 EUR", "--1 EUR", "+1 EUR",
            "1.-5 EUR", "12.90",
        ] {
            assert!(
                matches!(text.parse::<Money>(), Err(MoneyError::Text(_))),
                "{text:?}"
            );
        }
        for unknown in ["1.00 eur", "1.00 XXX", "1.00 ZZZ"] {
            let read = unknown.parse::<Money>();
            assert!(
                matches!(read, Err(MoneyError::Currency(_))),
                "{unknown}: {read:?}"
            );
        }
        assert_eq!(
            "92233720368547758.08 EUR".parse::<Money>(),
            Err(MoneyError::Overflow)
        );
    }

    #[test]
    fn sums_are_checked() {
        assert_eq!(
            money("1.50 EUR").checked_add(&money("0.75 EUR")),
            Ok(money("2.25 EUR"))
        );
        assert!(matches!(
            money("1.50 EUR").checked_add(&money("1.00 USD")),
            Err(MoneyError::Currencies(..))
        ));
        let most = Money {
            minor: i64::MAX,
            currency: "EUR".into(),
        };
        assert_eq!(
            most.checked_add(&money("0.01 EUR")),
            Err(MoneyError::Overflow)
        );
        assert_eq!(most.checked_mul(2), Err(MoneyError::Overflow));
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let half = |minor| {
            Money {
                minor,
                currency: "EUR".into(),
            }
            .scale(1, 2)
            .expect("small")
            .minor
        };
        assert_eq!([5, 7, -5, -7, 6].map(half), [2, 4, -2, -4, 3]);
        assert_eq!(money("10.05 EUR").scale(19, 100), Ok(money("1.91 EUR")));
        assert_eq!(money("1.00 EUR").scale(-1, -3), Ok(money("0.33 EUR")));
        assert_eq!(
            money("1.00 EUR").scale(1, 0),
            Err(MoneyError::DivisionByZero)
        );
    }
}
