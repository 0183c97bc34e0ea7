//! The contract's functions over the host's buckets, queues and secrets. No logic here.

use std::thread;
use std::time::Duration;

use stoa_sdk::{Bucket, Error, Money, Timestamp, config, context, log, secret};

use crate::bindings::exports::shop::payment::events::Guest as EventsGuest;
use crate::bindings::exports::shop::payment::payments::{Guest, Payment};
use crate::bindings::shop::payment::payment_changes;
use crate::{Changes, Payments, Provider, Sandbox, Webhook};

/// What the provider signs its events with.
const SECRET: &str = "payment-webhook";

/// How long the sandbox thinks of `tok_slow` when `slow_answer_ms` is not set: longer than
/// the shop waits for a payment.
const SLOW_ANSWER: u64 = 10_000;

/// What the contract's functions are exported from.
struct Component;

/// Generated, and as unsafe as exports are.
#[allow(unsafe_code, unused_qualifications, clippy::all)]
mod exported {
    use super::Component;

    crate::bindings::export!(Component with_types_in crate::bindings);
}

/// The queue.
struct Link;

impl Changes for Link {
    fn changed(&self, order: &str) -> Result<(), Error> {
        payment_changes::changed(order)
    }
}

fn payments() -> Result<Payments<impl Provider, Link>, Error> {
    log::init();
    let sandbox = Sandbox::new(Bucket::open("sandbox")?, pause);
    Ok(Payments::new(Bucket::open("payments")?, sandbox, Link))
}

fn pause() -> Result<(), Error> {
    let millis = config::get("slow_answer_ms")?.unwrap_or(SLOW_ANSWER);
    thread::sleep(Duration::from_millis(millis));
    Ok(())
}

impl Guest for Component {
    fn authorize(order_id: String, amount: Money, token: String) -> Result<Payment, Error> {
        payments()?.authorize(&order_id, &amount, &token, Timestamp::now())
    }

    fn capture(order_id: String) -> Result<Payment, Error> {
        payments()?.capture(&order_id, Timestamp::now())
    }

    fn void(order_id: String, reason: String) -> Result<Payment, Error> {
        payments()?.void(&order_id, &reason, Timestamp::now())
    }

    fn refund(order_id: String, refund_id: String, amount: Money) -> Result<Payment, Error> {
        payments()?.refund(&order_id, &refund_id, &amount, Timestamp::now())
    }

    fn get(order_id: String) -> Result<Payment, Error> {
        payments()?.get(&order_id)
    }
}

impl EventsGuest for Component {
    fn received(body: Vec<u8>, signature: String) -> Result<(), Error> {
        let now = Timestamp::now();
        let webhook = Webhook {
            body: &body,
            signature: &signature,
            came: context::enqueued_at().unwrap_or(now),
        };
        payments()?.received(webhook, &secret::require(SECRET)?, now)
    }
}
