//! Who moves the money: a seam over the payment provider.
//!
//! The provider is where money is set aside and taken, so it decides; what this service
//! keeps follows it. Each call is idempotent by the order's id, as providers have it by
//! a key: whoever does not know how a call ended makes it again.

use stoa_sdk::{Error, Money};

use crate::Happening;

/// What a provider says to an authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The money is set aside.
    Authorized,
    /// The customer has to confirm it.
    RequiresAction {
        /// Where.
        url: String,
    },
    /// It will not be.
    Declined {
        /// Why.
        reason: String,
    },
}

/// A payment provider.
pub trait Provider {
    /// Whether the provider takes such tokens at all.
    ///
    /// # Errors
    /// Invalid, with the pointer `/token`.
    fn check(&self, token: &str) -> Result<(), Error>;

    /// Sets money aside. The first call of an order decides; later ones get its answer.
    ///
    /// # Errors
    /// Unavailable when it can't say now; conflict when the order's payment was voided, or
    /// is of another amount.
    fn authorize(&self, order: &str, amount: &Money, token: &str) -> Result<Answer, Error>;

    /// Takes what was set aside, once.
    ///
    /// # Errors
    /// Conflict when nothing is set aside.
    fn capture(&self, order: &str) -> Result<(), Error>;

    /// Gives up what was set aside, and has an authorization that is still on its way
    /// refused.
    ///
    /// # Errors
    /// Conflict when the money was taken.
    fn void(&self, order: &str) -> Result<(), Error>;

    /// Gives money back that was taken; once for each id.
    ///
    /// # Errors
    /// Conflict when it is more than is left of what was taken, or when the id was used
    /// for another amount.
    fn refund(&self, order: &str, id: &str, amount: &Money) -> Result<(), Error>;

    /// Whether that has happened there: events are news, and what the provider has is the
    /// truth. A real provider is asked; a sandbox has nobody else to tell it what its
    /// customers do, and believes what can be.
    ///
    /// # Errors
    /// When it can't say now.
    fn follow(&self, order: &str, amount: &Money, what: &Happening) -> Result<bool, Error>;
}
