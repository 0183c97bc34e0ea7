//! Which addresses are of the open internet, and which lead inside.
//!
//! By the special-purpose registries of IANA for IPv4 and IPv6 (RFC 6890 and its
//! followers). IPv6 addresses that carry an IPv4 address are judged by that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not of the open internet; `None` if it is.
pub fn inside(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "of this network",
        (127, ..) => "loopback",
        (10, ..) | (192, 168, _) => "private",
        (172, 16..=31, _) => "private",
        // Among them 169.254.169.254, where clouds keep the machine's credentials.
        (169, 254, _) => "link-local",
        // Azure's wire server, which a machine's agents ask for its settings.
        (168, 63, 129) => "of a cloud's machine service",
        (100, 64..=127, _) => "shared by a provider's customers",
        (192, 0, 0) => "of protocol assignments",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "for documentation",
        (192, 88, 99) => "of a relay",
        (198, 18..=19, _) => "for benchmarks",
        (224..=239, ..) => "multicast",
        (240..=255, ..) => "reserved",
        _ => return None,
    })
}

fn v6(address: Ipv6Addr) -> Option<&'static str> {
    let segments = address.segments();
    if address.is_unspecified() {
        return Some("of this network");
    }
    if address.is_loopback() {
        return Some("loopback");
    }
    let last = || {
        let [.., c, d] = segments;
        let [[a, b], [c, d]] = [c.to_be_bytes(), d.to_be_bytes()];
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        // Mapped, compatible, translated (RFC 6052, 8215).
        [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => {
            v4(last()).or(Some("IPv4 in disguise"))
        }
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4(last()),
        [0x64, 0xff9b, 1, ..] => Some("private"),
        // 6to4 carries the address of its relay.
        [0x2002, high, low, ..] => {
            let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
            v4(Ipv4Addr::new(a, b, c, d)).or(Some("of a relay"))
        }
        [0x2001, 0..=0x1ff, ..] => Some("of protocol assignments"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some("for documentation"),
        [0x100, 0, 0, 0, ..] => Some("discarded"),
        [0xfc00..=0xfdff, ..] => Some("private"),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xfec0..=0xfeff, ..] => Some("private"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        [0x2000..=0x3fff, ..] => None,
        _ => Some("reserved"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_leads_inside() {
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:a9fe:a9fe",
            "::ffff:8.8.8.8",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(inside(text.parse().unwrap()).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_of_the_open_internet() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(inside(text.parse().unwrap()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_disguise_lets_an_inner_address_out(bits in any::<u32>()) {
            let address = Ipv4Addr::from(bits);
            if v4(address).is_some() {
                prop_assert!(inside(IpAddr::V6(address.to_ipv6_mapped())).is_some());
                prop_assert!(inside(IpAddr::V6(address.to_ipv6_compatible())).is_some());
                let [a, b, c, d] = address.octets();
                let pair = |x, y| u16::from_be_bytes([x, y]);
                let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, pair(a, b), pair(c, d));
                prop_assert!(inside(IpAddr::V6(nat64)).is_some());
                let relay = Ipv6Addr::new(0x2002, pair(a, b), pair(c, d), 0, 0, 0, 0, 1);
                prop_assert!(inside(IpAddr::V6(relay)).is_some());
            }
        }
    }
}
