//! The address of the gateway, as typed or taken from `GIFTHORSE_GATEWAY`.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use tonic::transport::Uri;

/// Where the gateway listens when nobody says otherwise.
pub const DEFAULT: &str = "http://127.0.0.1:4700";

/// `HOST:PORT` of a gateway; `http://` before it is allowed and means the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayAddress {
    authority: String,
}

/// A text that is no gateway's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text is not `HOST:PORT`.
    #[error("{found:?} is not an address of the form HOST:PORT, for example 127.0.0.1:4700")]
    Form {
        /// What was given.
        found: String,
    },
    /// The address asks for TLS.
    #[error("{found:?} asks for TLS, which this release does not speak: use http://")]
    Tls {
        /// What was given.
        found: String,
    },
    /// The address is good to call, but cannot be listened on.
    #[error(
        "{found:?} is not an address of this machine to listen on: give IP:PORT, for example 127.0.0.1:4700"
    )]
    NotLocal {
        /// What was given.
        found: String,
    },
}

impl GatewayAddress {
    /// `http://HOST:PORT`, for the transport.
    pub fn url(&self) -> String {
        format!("http://{}", self.authority)
    }

    /// The socket that `up` makes the gateway listen on; port 0 takes a free one.
    pub fn socket(&self) -> Result<SocketAddr, AddressError> {
        let text = self.authority.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        let text = text.as_deref().unwrap_or(&self.authority);
        text.parse().map_err(|_| AddressError::NotLocal { found: self.authority.clone() })
    }
}

impl FromStr for GatewayAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let form = || AddressError::Form { found: text.to_owned() };
        if text.starts_with("https://") {
            return Err(AddressError::Tls { found: text.to_owned() });
        }
        let authority = text.strip_prefix("http://").unwrap_or(text);
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let uri: Uri = format!("http://{authority}").parse().map_err(|_| form())?;
        let plain = uri.path() == "/" && uri.query().is_none() && !authority.contains('@');
        let named = uri.host().is_some_and(|host| !host.is_empty()) && uri.port_u16().is_some();
        if plain && named { Ok(Self { authority: authority.to_owned() }) } else { Err(form()) }
    }
}

impl fmt::Display for GatewayAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_address() {
        for text in ["127.0.0.1:4700", "http://127.0.0.1:4700", "http://127.0.0.1:4700/"] {
            let address: GatewayAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), "127.0.0.1:4700");
            assert_eq!(address.url(), DEFAULT);
        }
        assert_eq!("[::1]:1".parse::<GatewayAddress>().unwrap().to_string(), "[::1]:1");
        assert_eq!("gate.example:80".parse::<GatewayAddress>().unwrap().url(), "http://gate.example:80");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "4700", "127.0.0.1", "http://", "ftp://a:1", "a:1/path", "a:1?x", "me@a:1", "a:99999"]
        {
            assert!(text.parse::<GatewayAddress>().is_err(), "{text:?} must be refused");
        }
        let tls = "https://a:1".parse::<GatewayAddress>().unwrap_err();
        assert!(matches!(tls, AddressError::Tls { .. }));
    }

    #[test]
    fn only_sockets_are_listened_on() {
        let socket = |text: &str| text.parse::<GatewayAddress>().unwrap().socket();
        assert_eq!(socket("localhost:0").unwrap(), "127.0.0.1:0".parse().unwrap());
        assert_eq!(socket("0.0.0.0:80").unwrap(), "0.0.0.0:80".parse().unwrap());
        assert!(matches!(socket("gate.example:80"), Err(AddressError::NotLocal { .. })));
    }
}
