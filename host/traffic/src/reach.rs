//! Network addresses that a connection may lead to.
//!
//! A name that was checked can resolve to anything a moment later, so this is asked about the addresses themselves, when
//! connecting. Beware: an IPv4 address comes in many disguises, and each of them leads to the same machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which network addresses a connection may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// The public Internet.
    Public,
    /// Also this machine and private networks.
    Private,
}

impl Reach {
    /// Whether a connection may be opened to this network address.
    pub fn permits(self, address: IpAddr) -> bool {
        match kind(address) {
            Kind::Public => true,
            Kind::Private => self == Self::Private,
            Kind::Never => false,
        }
    }
}

enum Kind {
    Public,
    /// This machine, and networks that one owns: of use where an operator says so.
    Private,
    /// Of no use to anybody, or of use only to attackers.
    Never,
}

fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Kind {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        // Where clouds hand out credentials to whoever asks.
        _ if address == Ipv4Addr::new(169, 254, 169, 254)
            || address == Ipv4Addr::new(100, 100, 100, 200) =>
        {
            Kind::Never
        }
        (0, ..)
        | (192, 0, 0 | 2)
        | (198, 51, 100)
        | (203, 0, 113)
        | (192, 88, 99)
        | (224..=255, ..) => Kind::Never,
        (10 | 127, ..)
        | (172, 16..=31, _)
        | (192, 168, _)
        | (169, 254, _)
        | (100, 64..=127, _)
        | (198, 18..=19, _) => Kind::Private,
        _ => Kind::Public,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Kind {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        kind_of_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        [0, 0, 0, 0, 0, 0, 0, 0] => Kind::Never,
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Private,
        // IPv4 in disguise: mapped, compatible, NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        // Local NAT64, discard, Teredo, documentation.
        [0x64, 0xff9b, 1, ..]
        | [0x100, ..]
        | [0x2001, 0, ..]
        | [0x2001, 0xdb8, ..]
        | [0x3fff, ..] => Kind::Never,
        // The metadata service of a cloud.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Kind::Never,
        [0xfc00..=0xfdff, ..] | [0xfe80..=0xfebf, ..] => Kind::Private,
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_filtered_in_every_disguise() {
        for (address, public, private) in [
            ("8.8.8.8", true, true),
            ("196.25.1.1", true, true),
            ("2c0f:f248::1", true, true),
            ("127.0.0.1", false, true),
            ("127.255.1.2", false, true),
            ("10.1.2.3", false, true),
            ("172.16.0.1", false, true),
            ("172.32.0.1", true, true),
            ("192.168.1.1", false, true),
            ("100.64.0.1", false, true),
            ("169.254.1.1", false, true),
            ("::1", false, true),
            ("fd12::1", false, true),
            ("fe80::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("::127.0.0.1", false, true),
            ("64:ff9b::7f00:1", false, true),
            ("2002:7f00:1::", false, true),
            ("::ffff:8.8.8.8", true, true),
            ("64:ff9b::808:808", true, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("fd00:ec2::254", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("::", false, false),
            ("224.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("240.0.0.1", false, false),
            ("192.0.2.1", false, false),
            ("198.51.100.1", false, false),
            ("203.0.113.9", false, false),
            ("2001:db8::1", false, false),
            ("2001::1", false, false),
            ("ff02::1", false, false),
        ] {
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(
                (Reach::Public.permits(ip), Reach::Private.permits(ip)),
                (public, private),
                "{address}"
            );
        }
    }
}
