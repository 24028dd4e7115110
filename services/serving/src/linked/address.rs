//! Where a foreign server is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tonic::transport::Uri;

/// `host:port` of a foreign server; the host is written in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

/// A text that is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not of the form host:port")]
pub struct AddressError {
    /// The text, shortened.
    text: String,
}

impl Address {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as a URL.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.0)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError { text: text.chars().take(80).collect() };
        let uri: Uri = format!("http://{text}").parse().map_err(|_| wrong())?;
        let authority = uri.authority().ok_or_else(wrong)?;
        // Neither a path nor a user name: the whole text is host and port.
        let whole = authority.as_str() == text && !text.contains('@');
        let named = !authority.host().is_empty() && authority.port_u16().is_some_and(|port| port > 0);
        if whole && named { Ok(Self(text.to_ascii_lowercase())) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_host_and_port_make_an_address() {
        for good in ["127.0.0.1:8081", "[::1]:8081", "models.example:80"] {
            assert_eq!(good.parse::<Address>().unwrap().as_str(), good);
        }
        assert_eq!("Models.Example:80".parse::<Address>().unwrap().as_str(), "models.example:80");
        for bad in [
            "",
            "host",
            "host:",
            ":80",
            "host:0",
            "host:70000",
            "a@host:80",
            "host:80/",
            "host:80?x",
            "http://h:1",
            "a b:1",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?} must be refused");
        }
    }
}
