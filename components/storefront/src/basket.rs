//! What a guest wants to buy: SKUs, where the catalog has them, and quantities. Kept by the
//! browser, so it is checked each time that it is read, and has no prices.

use stoa_sdk::{Error, invalid};

/// The cookie that has a basket.
pub(crate) const COOKIE: &str = "basket";
/// Bytes of a cookie's value at most: browsers keep 4096 with its name and attributes.
const LENGTH: usize = 3900;
/// Units of a line at most, as an order has them.
const UNITS: u32 = 10_000;
/// Lines at most, as a page shows them.
const LINES: usize = 30;

/// One thing in a basket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Id of the product that the SKU is a variant of.
    pub(crate) product: String,
    pub(crate) sku: String,
    /// 1 to 10 000.
    pub(crate) quantity: u32,
}

/// Lines of different SKUs, in the order they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Basket(Vec<Line>);

impl Basket {
    /// The basket that [`Basket::text`] wrote. What can't be read of it is left out: it is
    /// the browser's, and who spoils it has an empty basket.
    pub(crate) fn read(text: &str) -> Self {
        let mut basket = Self::default();
        for part in text.split('!').take(LINES) {
            let mut parts = part.split('*');
            let (Some(product), Some(sku), Some(quantity), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let line = quantity.parse().map(|quantity| Line {
                product: product.to_owned(),
                sku: sku.to_owned(),
                quantity,
            });
            if let Ok(line) = line
                && line.is_fine()
                && !basket.0.iter().any(|other| other.sku == line.sku)
            {
                basket.0.push(line);
            }
        }
        basket
    }

    /// As the cookie and the form have it: characters of RFC 6265's `cookie-octet` only.
    pub(crate) fn text(&self) -> String {
        let line = |line: &Line| format!("{}*{}*{}", line.product, line.sku, line.quantity);
        self.0.iter().map(line).collect::<Vec<_>>().join("!")
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.0
    }

    /// Units of all lines.
    pub(crate) fn units(&self) -> u32 {
        self.0.iter().map(|line| line.quantity).sum()
    }

    /// More of a line, or as many as it says where that is `exactly` so. None at all takes
    /// the line out.
    ///
    /// # Errors
    /// Invalid where the line can't be in a basket, or the basket is full.
    pub(crate) fn put(&mut self, line: Line, exactly: bool) -> Result<(), Error> {
        let Some(at) = self.0.iter().position(|other| other.sku == line.sku) else {
            if line.quantity > 0 {
                self.0.push(line);
            }
            return self.check();
        };
        let before = if exactly { 0 } else { self.0[at].quantity };
        self.0[at].quantity = before.saturating_add(line.quantity);
        self.0.retain(|line| line.quantity > 0);
        self.check()
    }

    fn check(&self) -> Result<(), Error> {
        if let Some(line) = self.0.iter().find(|line| !line.is_fine()) {
            return Err(invalid!(
                "/quantity",
                "expected 1 to {UNITS} of {}, found {}",
                line.sku,
                line.quantity
            ));
        }
        if self.0.len() > LINES || self.text().len() > LENGTH {
            return Err(invalid!(
                "/sku",
                "the basket is full: order what is in it first, or take something out"
            ));
        }
        Ok(())
    }
}

impl Line {
    fn is_fine(&self) -> bool {
        is_code(&self.product) && is_code(&self.sku) && (1..=UNITS).contains(&self.quantity)
    }
}

/// Whether a text can be an id or a SKU, as the product service has them.
fn is_code(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fine) && !matches!(text, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sku: &str, quantity: u32) -> Line {
        Line {
            product: "019a3f6e-8f2b-7c1d-9e4f-0a1b2c3d4e5f".into(),
            sku: sku.into(),
            quantity,
        }
    }

    #[test]
    fn text_there_and_back() {
        let mut basket = Basket::default();
        basket.put(line("CUP", 2), false).unwrap();
        basket.put(line("POT", 1), false).unwrap();
        basket.put(line("CUP", 1), false).unwrap();
        assert_eq!(basket.units(), 4);
        assert_eq!(Basket::read(&basket.text()), basket);
        basket.put(line("CUP", 5), true).unwrap();
        basket.put(line("POT", 0), true).unwrap();
        assert_eq!(basket.lines(), [line("CUP", 5)]);
        assert_eq!(Basket::read(""), Basket::default());
    }

    #[test]
    fn what_the_browser_spoils_is_left_out() {
        let text = "p*CUP*2!p*POT*0!p*PAN*x!p*<b>*1!p*LID!*!p*CUP*9!p*JAR*1*1!p*MUG*99999";
        let basket = Basket::read(text);
        let skus: Vec<_> = basket.lines().iter().map(|line| &line.sku).collect();
        assert_eq!(skus, ["CUP"]);
        assert_eq!(basket.units(), 2);
    }

    #[test]
    fn a_basket_is_full_before_its_cookie_is() {
        let mut basket = Basket::default();
        let fits = (0..=LINES).take_while(|at| {
            let sku = format!("{at:0>64}");
            basket.put(line(&sku, 9999), false).is_ok()
        });
        let fits = fits.count();
        assert!((20..=LINES).contains(&fits), "{fits}");
        assert!(basket.put(line("CUP", 0), false).is_err());
        let mut basket = Basket::default();
        assert!(basket.put(line("CUP", UNITS), false).is_ok());
        assert!(basket.put(line("CUP", 1), false).is_err());
        assert!(basket.put(line("a b", 1), false).is_err());
    }
}
