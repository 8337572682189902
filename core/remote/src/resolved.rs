//! Finds the address of a server: at once where it is one already, by the system otherwise.

use std::net::{IpAddr, SocketAddr};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The system's resolver, which takes a thread for each request, unless there is nothing to ask.
#[derive(Debug, Default)]
pub(crate) struct Resolved(DefaultResolver);

impl Resolver for Resolved {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        match literal(uri) {
            Some(address) => {
                let mut addresses = self.0.empty();
                addresses.push(address);
                Ok(addresses)
            }
            None => self.0.resolve(uri, config, timeout),
        }
    }
}

/// The address that stands in `http://address:port`, if one does.
fn literal(uri: &Uri) -> Option<SocketAddr> {
    let host = uri.host()?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address: IpAddr = host.or(uri.host())?.parse().ok()?;
    Some(SocketAddr::new(address, uri.port_u16()?))
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn an_address_is_found_without_asking_and_a_name_is_not() {
        let found = |uri: &str| literal(&uri.parse().unwrap()).map(|address| address.to_string());
        let four = found("http://127.0.0.1:7733/v1/packs");
        assert_eq!(four.as_deref(), Some("127.0.0.1:7733"));
        let six = found("http://[::1]:7733/v1/packs");
        assert_eq!(six.as_deref(), Some("[::1]:7733"));
        assert_eq!(found("http://localhost:7733/v1/packs"), None);
        assert_eq!(found("http://127.0.0.1/v1/packs"), None);
    }
}
