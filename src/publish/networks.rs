//! The networks in which proxies may lie.
//!
//! Pure. A tenant chooses the subnets of an own project in the cloud, and so the addresses that the cloud's list gives for the proxies in
//! it. Promises that nobody is led to an address outside of the operator's networks, whatever a list says, and that none is connected to.

use std::{fmt, net::IpAddr, sync::Arc};

use ipnet::IpNet;

use super::wanted::{Address, AddressError, Place};

/// Blocks of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Networks(Arc<[IpNet]>);

/// A list of networks that can't be used; the part that can't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network")]
pub struct NetworksFault(pub String);

impl Networks {
    /// All addresses.
    pub fn any() -> Self {
        let all = [IpAddr::from([0; 4]), IpAddr::from([0_u16; 8])];
        Self(all.map(|base| IpNet::new_assert(base, 0)).into())
    }

    /// Reads networks that are separated by commas, each an address and the length of its prefix.
    ///
    /// # Errors
    ///
    /// If a part is no network, or there is none.
    pub fn parse(text: &str) -> Result<Self, NetworksFault> {
        let parts = text.split(',').map(str::trim);
        let networks = parts.map(|part| {
            part.parse::<IpNet>()
                .map_err(|_| NetworksFault(part.to_owned()))
        });
        Ok(Self(networks.collect::<Result<_, _>>()?))
    }

    /// Reads the address of a list.
    ///
    /// # Errors
    ///
    /// If it can't be published, or lies in none of the networks.
    pub fn address(&self, text: &str) -> Result<Address, AddressError> {
        let address = Address::parse(text)?;
        if self.has(address) {
            Ok(address)
        } else {
            Err(AddressError::Elsewhere)
        }
    }

    /// Reads a place that is on record, if it lies in one of the networks.
    pub fn place(&self, text: &str) -> Option<Place> {
        Place::parse(text).filter(|place| self.has(place.address))
    }

    /// Whether an address lies in one of them.
    pub fn has(&self, address: Address) -> bool {
        self.0.iter().any(|network| network.contains(&address.ip()))
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, network) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            write!(formatter, "{comma}{network}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_only_in_the_networks_that_are_named() {
        let networks = Networks::parse("10.20.0.0/16, fd00:7::/32").unwrap();
        for inside in [
            "10.20.0.1",
            "10.20.255.254",
            "::ffff:10.20.0.1",
            "fd00:7::1",
        ] {
            assert!(networks.address(inside).is_ok(), "{inside}");
        }
        for outside in ["10.21.0.1", "10.96.0.1", "::ffff:10.96.0.1", "fd00:8::1"] {
            let refused = networks.address(outside);
            assert_eq!(refused, Err(AddressError::Elsewhere), "{outside}");
        }
        let local = Networks::any().address("127.0.0.1");
        assert_eq!(local, Err(AddressError::Local), "whatever is named");
        assert_eq!(networks.place("10.96.0.1:443"), None, "nor by a status");
        assert!(networks.place("10.20.0.1:3306").is_some());
        assert_eq!(networks.to_string(), "10.20.0.0/16,fd00:7::/32");
    }

    #[test]
    fn what_is_no_network_is_named() {
        for (text, part) in [
            ("", ""),
            ("10.0.0.0/8,", ""),
            ("10.0.0.0/8,10.1.2.3", "10.1.2.3"),
            ("10.0.0.0/33", "10.0.0.0/33"),
            ("proxies", "proxies"),
        ] {
            let fault = Networks::parse(text).unwrap_err();
            assert_eq!(fault, NetworksFault(part.to_owned()), "{text}");
        }
    }
}
