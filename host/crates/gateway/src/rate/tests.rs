use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;
use http::HeaderMap;
use proptest::prelude::*;

use super::limiter::Limiter;
use super::*;
use stoa_call::Principal;
use stoa_http::rate_limit::{RateLimitStatus, seconds};
use stoa_settings::By;

const SECOND: Duration = Duration::from_secs(1);

fn rate(limit: u32, per: Duration, burst: u32, by: By) -> Rate {
    let limit = NonZeroU32::new(limit).unwrap();
    let burst = NonZeroU32::new(burst);
    Rate {
        limit,
        per,
        burst,
        by,
    }
}

fn at(address: &str) -> Client {
    Client::new(SocketAddr::new(address.parse().unwrap(), 1))
}

fn named(subject: &str) -> Principal {
    Principal {
        subject: subject.to_owned(),
        ..Principal::default()
    }
}

/// A limiter and its clock.
fn limiter(rate: &Rate, most: usize) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    (
        Limiter::with_clock("route", rate, most, clock.clone()),
        clock,
    )
}

fn headers(status: &RateLimitStatus) -> (String, String) {
    let mut headers = HeaderMap::new();
    status.write(&mut headers);
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    (text("ratelimit-policy"), text("ratelimit"))
}

#[test]
fn a_burst_is_let_in_and_comes_back_steadily() {
    let (limiter, clock) = limiter(&rate(1, SECOND * 10, 2, By::Address), 100);
    let client = at("192.0.2.1");
    let first = limiter.admit(&client, None).unwrap();
    assert_eq!(
        headers(&first),
        ("\"route\";q=2;w=20".into(), "\"route\";r=1;t=10".into())
    );
    limiter.admit(&client, None).unwrap();
    clock.advance(Duration::from_millis(500));
    let exceeded = limiter.admit(&client, None).unwrap_err();
    assert_eq!(exceeded.wait, Duration::from_millis(9500));
    assert_eq!(headers(&exceeded.status).1, "\"route\";r=0;t=10");
    clock.advance(exceeded.wait);
    limiter.admit(&client, None).unwrap();
    assert!(limiter.admit(&client, None).is_err());
}

#[test]
fn callers_are_told_apart_as_the_rate_says() {
    let (a, b) = (at("192.0.2.1"), at("192.0.2.2"));
    let (ada, bob) = (named("ada"), named("bob"));
    let second =
        |by: By, first: (&Client, Option<&Principal>), second: (&Client, Option<&Principal>)| {
            let (limiter, _clock) = limiter(&rate(1, SECOND, 1, by), 100);
            limiter.admit(first.0, first.1).unwrap();
            limiter.admit(second.0, second.1).is_ok()
        };
    assert!(second(By::Principal, (&a, Some(&ada)), (&a, Some(&bob))));
    assert!(!second(By::Principal, (&a, Some(&ada)), (&b, Some(&ada))));
    assert!(second(By::Principal, (&a, None), (&a, Some(&ada))));
    assert!(second(By::Principal, (&a, None), (&b, None)));
    assert!(!second(By::Principal, (&a, None), (&a, None)));
    assert!(!second(By::Address, (&a, Some(&ada)), (&a, Some(&bob))));
    assert!(second(By::Address, (&a, Some(&ada)), (&b, Some(&ada))));
    assert!(!second(By::Route, (&a, Some(&ada)), (&b, Some(&bob))));
}

#[test]
fn the_same_name_at_another_issuer_is_another_caller() {
    let (limiter, _) = limiter(&rate(1, SECOND * 10, 1, By::Principal), 100);
    let of = |issuer: &str| Principal {
        claims: vec![("iss".to_owned(), issuer.to_owned())],
        ..named("alice")
    };
    let client = at("192.0.2.1");
    for caller in [
        of("https://a.example"),
        of("https://b.example"),
        named("alice"),
    ] {
        assert!(limiter.admit(&client, Some(&caller)).is_ok(), "{caller:?}");
        assert!(limiter.admit(&client, Some(&caller)).is_err(), "{caller:?}");
    }
}

#[test]
fn a_network_of_ipv6_is_one_caller() {
    let second = |first: &str, second: &str| {
        let (limiter, _clock) = limiter(&rate(1, SECOND, 1, By::Address), 100);
        limiter.admit(&at(first), None).unwrap();
        limiter.admit(&at(second), None).is_ok()
    };
    assert!(!second("2001:db8:1:2::1", "2001:db8:1:2:ffff::"));
    assert!(second("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert!(!second("::ffff:192.0.2.1", "192.0.2.1"));
    assert!(second("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
}

#[test]
fn made_up_addresses_fill_no_memory_and_disturb_nobody_who_is_known() {
    let (limiter, clock) = limiter(&rate(2, SECOND, 2, By::Address), 10);
    for host in 0..10 {
        limiter
            .admit(&at(&format!("192.0.2.{host}")), None)
            .unwrap();
    }
    let strangers = (0..100).map(|host| at(&format!("198.51.100.{host}")));
    let let_in = strangers.filter(|client| limiter.admit(client, None).is_ok());
    assert_eq!(let_in.count(), 2);
    assert_eq!(limiter.callers(), 10);
    limiter.admit(&at("192.0.2.0"), None).unwrap();

    clock.advance(SECOND * 2);
    limiter.sweep();
    assert_eq!(limiter.callers(), 0);
    limiter.admit(&at("198.51.100.99"), None).unwrap();
    assert_eq!(limiter.callers(), 1);
}

#[test]
fn sweeping_forgives_nothing() {
    let (limiter, clock) = limiter(&rate(1, SECOND * 60, 1, By::Address), 10);
    let client = at("192.0.2.1");
    limiter.admit(&client, None).unwrap();
    clock.advance(SECOND * 59);
    limiter.sweep();
    assert!(limiter.admit(&client, None).is_err());
}

proptest! {
    /// In any stretch of time no more gets in than the burst and what the rate
    /// gives, and who waits as long as it was told gets in.
    #[test]
    fn the_limit_is_kept_and_waiting_helps(
        limit in 1u32..50,
        per in 1u64..5000,
        burst in 1u32..60,
        gaps in prop::collection::vec(0u64..3000, 1..200),
    ) {
        let rate = rate(limit, Duration::from_millis(per), burst, By::Route);
        let (limiter, clock) = limiter(&rate, 1);
        let client = at("192.0.2.1");
        let (mut now, mut admitted) = (Duration::ZERO, Vec::new());
        for gap in gaps {
            let gap = Duration::from_millis(gap);
            clock.advance(gap);
            now += gap;
            match limiter.admit(&client, None) {
                Ok(status) => {
                    prop_assert!(status.remaining < burst);
                    admitted.push(now);
                }
                Err(exceeded) => {
                    let wait = Duration::from_secs(seconds(exceeded.wait));
                    prop_assert!(!wait.is_zero() && wait <= SECOND + rate.interval());
                    clock.advance(wait);
                    now += wait;
                    prop_assert!(limiter.admit(&client, None).is_ok());
                    admitted.push(now);
                }
            }
        }
        for (first, begin) in admitted.iter().enumerate() {
            for (last, end) in admitted.iter().enumerate().skip(first) {
                let steady = (*end - *begin).as_nanos() / rate.interval().as_nanos();
                prop_assert!((last - first) as u128 <= u128::from(burst) + steady);
            }
        }
    }

    #[test]
    fn every_address_has_a_key(address: u128) {
        let address = IpAddr::V6(address.into());
        prop_assert_eq!(keys::Key::address(address), keys::Key::address(address.to_canonical()));
    }
}
