//! A provider to try the shop with: nobody's money, and tokens that say how it ends.
//!
//! | token | what becomes of the authorization |
//! |---|---|
//! | `tok_ok` | the money is set aside |
//! | `tok_declined` | declined |
//! | `tok_slow` | set aside, but the first answer comes late: after `slow_answer_ms` |
//! | `tok_flaky` | unavailable for the first tries, as many as [`flaky_tries`] says; then set aside |
//! | `tok_requires_action` | waits for the customer, until an event says how that ended |
//!
//! It keeps a ledger of its own, as a provider has one: what it has done is there though
//! whoever asked has died since.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stoa_sdk::{Bucket, Change, Error, Money, conflict, invalid, not_found, unavailable};

use crate::bindings::exports::shop::payment::payments::PaymentState as State;
use crate::state::illegal;
use crate::{Answer, Happening, Provider};

const DECLINED: &str = "the card was declined";

/// A sandbox over its ledger; `pause` is how long it thinks of `tok_slow`.
pub struct Sandbox<F> {
    accounts: Bucket<Account>,
    pause: F,
}

/// What the provider has of one order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    standing: Standing,
    /// None of what was voided before it was known.
    pub amount: Option<Money>,
    /// Authorizations that were asked for while it was not ready.
    tries: u32,
    /// How often the money was taken.
    pub captures: u32,
    /// What was given back, by the refunds' ids.
    pub refunds: BTreeMap<String, Money>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Standing {
    /// Not decided.
    #[default]
    Asked,
    RequiresAction,
    Authorized,
    Captured,
    Declined,
    Voided,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Ok,
    Declined,
    Slow,
    Flaky,
    RequiresAction,
}

const TOKENS: [(&str, Token); 5] = [
    ("tok_ok", Token::Ok),
    ("tok_declined", Token::Declined),
    ("tok_slow", Token::Slow),
    ("tok_flaky", Token::Flaky),
    ("tok_requires_action", Token::RequiresAction),
];

/// How many authorizations of an order by `tok_flaky` find no answer: one to three, one
/// more than the sum of the id's bytes modulo three.
pub fn flaky_tries(order: &str) -> u32 {
    let sum: u32 = order.bytes().map(u32::from).sum();
    1 + sum % 3
}

// === impl Sandbox ===

impl<F: Fn() -> Result<(), Error>> Sandbox<F> {
    /// A sandbox whose ledger is in this bucket.
    pub fn new(accounts: Bucket<Account>, pause: F) -> Self {
        Self { accounts, pause }
    }

    /// Changes an order's account, if `step` says so.
    fn step(
        &self,
        order: &str,
        step: impl Fn(Account) -> Result<Change<Account>, Error>,
    ) -> Result<Account, Error> {
        self.accounts.update_if(order, |account| {
            step(
                account
                    .ok_or_else(|| not_found!("the provider knows no payment of order {order}"))?,
            )
        })
    }
}

impl<F: Fn() -> Result<(), Error>> Provider for Sandbox<F> {
    fn check(&self, token: &str) -> Result<(), Error> {
        read(token).map(drop)
    }

    fn authorize(&self, order: &str, amount: &Money, token: &str) -> Result<Answer, Error> {
        let token = read(token)?;
        let mut is_new = false;
        let account = self.accounts.update_if(order, |account| {
            is_new = account.is_none();
            let mut account = account.unwrap_or_default();
            let own = account.amount.get_or_insert_with(|| amount.clone());
            if account.standing != Standing::Voided && own != amount {
                return Err(conflict!(
                    "the provider has a payment of {own} for order {order}: expected that amount, found {amount}"
                ));
            }
            if account.standing != Standing::Asked {
                return Ok(Change::Leave(account));
            }
            account.tries += 1;
            account.standing = match token {
                Token::Flaky if account.tries <= flaky_tries(order) => Standing::Asked,
                Token::Ok | Token::Slow | Token::Flaky => Standing::Authorized,
                Token::Declined => Standing::Declined,
                Token::RequiresAction => Standing::RequiresAction,
            };
            Ok(Change::Write(account))
        })?;
        if is_new && token == Token::Slow {
            (self.pause)()?;
        }
        match account.standing {
            Standing::Authorized | Standing::Captured => Ok(Answer::Authorized),
            Standing::RequiresAction => Ok(Answer::RequiresAction {
                url: format!("https://pay.sandbox.example/orders/{order}"),
            }),
            Standing::Declined => Ok(Answer::Declined {
                reason: DECLINED.to_owned(),
            }),
            Standing::Voided => Err(illegal(order, State::Voided, State::Authorized)),
            Standing::Asked => Err(unavailable!("the provider has no answer now: ask again")),
        }
    }

    fn capture(&self, order: &str) -> Result<(), Error> {
        let taken = self.step(order, |account| match account.standing {
            Standing::Captured => Ok(Change::Leave(account)),
            Standing::Authorized => Ok(Change::Write(account.captured())),
            _ => Err(illegal(order, account.state(), State::Captured)),
        });
        taken.map(drop)
    }

    fn void(&self, order: &str) -> Result<(), Error> {
        let voided = self.accounts.update_if(order, |account| {
            let account = account.unwrap_or_default();
            match account.standing {
                Standing::Voided | Standing::Declined => Ok(Change::Leave(account)),
                Standing::Captured => Err(illegal(order, account.state(), State::Voided)),
                Standing::Asked | Standing::RequiresAction | Standing::Authorized => {
                    Ok(Change::Write(account.to(Standing::Voided)))
                }
            }
        });
        voided.map(drop)
    }

    fn refund(&self, order: &str, id: &str, amount: &Money) -> Result<(), Error> {
        let refunded = self.step(order, |mut account| {
            if let Some(known) = account.refunds.get(id) {
                return match known == amount {
                    true => Ok(Change::Leave(account)),
                    false => Err(conflict!("refund {id} of order {order} gave back {known}")),
                };
            }
            if account.standing != Standing::Captured {
                return Err(illegal(order, account.state(), State::PartiallyRefunded));
            }
            if !account.has_left(amount) {
                return Err(conflict!(
                    "the provider can't give back {amount} more of order {order}: less than that is left"
                ));
            }
            account.refunds.insert(id.to_owned(), amount.clone());
            Ok(Change::Write(account))
        });
        refunded.map(drop)
    }

    fn follow(&self, order: &str, amount: &Money, what: &Happening) -> Result<bool, Error> {
        let account = self.accounts.update_if(order, |account| {
            let mut account = account.unwrap_or_default();
            account.amount.get_or_insert_with(|| amount.clone());
            Ok::<_, Error>(match account.clone().after(what) {
                Some(next) if next != account => Change::Write(next),
                _ => Change::Leave(account),
            })
        })?;
        Ok(account.agrees(what))
    }
}

fn read(token: &str) -> Result<Token, Error> {
    let known = TOKENS.iter().find(|(name, _)| *name == token);
    known.map(|(_, token)| *token).ok_or_else(|| {
        let names = TOKENS.map(|(name, _)| name).join(", ");
        invalid!(
            "/token",
            "expected a token of the sandbox ({names}), found another"
        )
    })
}

// === impl Account ===

impl Account {
    fn to(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    fn captured(self) -> Self {
        Self {
            captures: self.captures + 1,
            ..self.to(Standing::Captured)
        }
    }

    /// Whether so much is left of what was taken.
    fn has_left(&self, amount: &Money) -> bool {
        let given = self.refunds.values().map(|refund| i128::from(refund.minor));
        let given: i128 = given.sum();
        let of = |own: &Money| {
            let total = given + i128::from(amount.minor);
            own.currency == amount.currency && total <= i128::from(own.minor)
        };
        amount.minor > 0 && self.amount.as_ref().is_some_and(of)
    }

    /// As a payment says it.
    fn state(&self) -> State {
        match self.standing {
            Standing::Asked | Standing::RequiresAction => State::RequiresAction,
            Standing::Authorized => State::Authorized,
            Standing::Captured if self.refunds.is_empty() => State::Captured,
            Standing::Captured => match self.left() {
                0 => State::Refunded,
                _ => State::PartiallyRefunded,
            },
            Standing::Declined => State::Failed,
            Standing::Voided => State::Voided,
        }
    }

    /// Minor units of what was taken that were not given back.
    pub fn left(&self) -> i64 {
        let taken = match (self.captures, &self.amount) {
            (0, _) | (_, None) => 0,
            (_, Some(amount)) => amount.minor,
        };
        self.refunds
            .values()
            .fold(taken, |left, refund| left - refund.minor)
    }

    /// What the world makes of it; `None` if that can't be.
    fn after(self, what: &Happening) -> Option<Self> {
        let is_open = matches!(
            self.standing,
            Standing::Asked | Standing::RequiresAction | Standing::Authorized
        );
        match what {
            Happening::RequiresAction { .. } if self.standing == Standing::Asked => {
                Some(self.to(Standing::RequiresAction))
            }
            Happening::Authorized if is_open => Some(self.to(Standing::Authorized)),
            Happening::Captured if is_open => Some(self.captured()),
            Happening::Failed { .. } if is_open => Some(self.to(Standing::Declined)),
            Happening::Voided { .. } if is_open => Some(self.to(Standing::Voided)),
            Happening::Refunded { id, amount } => {
                let mut account = match is_open {
                    true => self.captured(),
                    false => self,
                };
                let fits = account.standing == Standing::Captured
                    && !account.refunds.contains_key(id)
                    && account.has_left(amount);
                if fits {
                    account.refunds.insert(id.clone(), amount.clone());
                }
                fits.then_some(account)
            }
            _ => None,
        }
    }

    /// Whether that has happened here.
    fn agrees(&self, what: &Happening) -> bool {
        match what {
            Happening::RequiresAction { .. } => self.standing != Standing::Asked,
            Happening::Authorized => {
                matches!(self.standing, Standing::Authorized | Standing::Captured)
            }
            Happening::Captured => self.standing == Standing::Captured,
            Happening::Refunded { id, amount } => self.refunds.get(id) == Some(amount),
            Happening::Failed { .. } => self.standing == Standing::Declined,
            Happening::Voided { .. } => self.standing == Standing::Voided,
        }
    }
}
