//! Where a call may go: never to a cloud's metadata service, to private addresses only by name.
//!
//! The check is made at the dial, on the address that is connected to, so a name that changes its
//! address between check and use gains nothing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use flame_engine::{Error, StandardError};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::warehouse::{self, Warehouse};

/// Where a call may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The document names the host: everything but metadata services.
    Named,
    /// The host came out of data: public addresses.
    Data,
}

/// Why an address is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0} is an address of a cloud's metadata service, which is never called")]
    Metadata(IpAddr),
    #[error(
        "{0} is a private address and the host came out of data; write the host into the document to \
         allow it"
    )]
    Private(IpAddr),
}

impl Refusal {
    pub(super) fn into_error(self, host: &str) -> Error {
        StandardError::Authorization
            .with("The address may not be called", format!("{host}: {self}"))
    }
}

/// Names that clouds give their metadata service.
const METADATA_NAMES: [&str; 2] = ["metadata.google.internal", "metadata.goog"];

/// Refuses IP literals and metadata names before anything is sent; other names are judged at the dial.
pub(super) fn check(url: &Url, reach: Reach) -> Result<(), Refusal> {
    match url.host() {
        Some(url::Host::Ipv4(address)) => judge(address.into(), reach),
        Some(url::Host::Ipv6(address)) => judge(address.into(), reach),
        Some(url::Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if METADATA_NAMES.contains(&name.as_str()) {
                return Err(Refusal::Metadata(Ipv4Addr::new(169, 254, 169, 254).into()));
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// Whether a document's text names the host of a URL: `source` is the endpoint as it was written.
pub(in crate::runtime) fn is_named_by(source: &str, url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    let Some(host) = url.host_str() else {
        return false;
    };
    let source = source.to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    // Only as a whole authority: `//host`, `//host:8080`, `//host/`.
    source
        .match_indices(&format!("//{host}"))
        .any(|(at, found)| {
            let rest = source[at + found.len()..].chars().next();
            !rest.is_some_and(|next| {
                next.is_ascii_alphanumeric()
                    || matches!(next, '.' | '-' | '_' | '@' | '{' | '\\' | '%')
            })
        })
}

pub(super) fn judge(address: IpAddr, reach: Reach) -> Result<(), Refusal> {
    let address = plain(address);
    if is_metadata(address) {
        return Err(Refusal::Metadata(address));
    }
    if reach == Reach::Data && !is_public(address) {
        return Err(Refusal::Private(address));
    }
    Ok(())
}

/// The IPv4 address inside an IPv6 one, where there is one.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else {
        return address;
    };
    if let Some(four) = six.to_ipv4_mapped() {
        return four.into();
    }
    let parts = six.segments();
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // NAT64, 6to4, SIIT and the deprecated "compatible" form.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        [0, 0, 0, 0, 0xffff, 0, high, low] => four(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => four(high, low),
        _ => address,
    }
}

fn is_metadata(address: IpAddr) -> bool {
    match address {
        // Link-local (AWS, Azure, Google, ECS), Alibaba, Oracle, Azure's wire server.
        IpAddr::V4(four) => {
            four.is_link_local()
                || [[100, 100, 100, 200], [192, 0, 0, 192], [168, 63, 129, 16]]
                    .contains(&four.octets())
        }
        IpAddr::V6(six) => {
            six.is_unicast_link_local() || six == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let [a, b, ..] = four.octets();
            !(four.is_private()
                || four.is_loopback()
                || four.is_link_local()
                || four.is_broadcast()
                || four.is_documentation()
                || four.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && four.octets()[2] == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(six) => {
            let parts = six.segments();
            // The site-local addresses of before, and NAT64 of a network's own.
            let is_local = parts[0] & 0xffc0 == 0xfec0 || parts[..3] == [0x64, 0xff9b, 1];
            !(is_local
                || six.is_loopback()
                || six.is_unspecified()
                || six.is_multicast()
                || six.is_unique_local()
                || six.is_unicast_link_local())
        }
    }
}

/// Hosts that another server stands in for, instead of the one that the network knows.
#[derive(Debug)]
pub(super) struct StandIns {
    /// By host, in small letters.
    pub(super) given: BTreeMap<String, SocketAddr>,
    /// Answers for the samples' host, unless somebody else was given for it.
    pub(super) warehouse: Warehouse,
}

impl StandIns {
    async fn of(&self, host: &str) -> std::io::Result<Option<SocketAddr>> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self.given.get(&host) {
            Some(address) => Ok(Some(*address)),
            None if host == warehouse::HOST => self.warehouse.address().await.map(Some),
            None => Ok(None),
        }
    }
}

/// Resolves names and drops the addresses that may not be called.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    pub(super) reach: Reach,
    pub(super) stand_ins: Arc<StandIns>,
}

impl Resolver {
    /// The addresses of a host that may be called; with port 0 where only the caller knows it.
    pub(super) async fn allowed(
        &self,
        host: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        // Whoever starts the agent says where such a host is, so it may be a private address.
        if let Some(address) = self.stand_ins.of(host).await? {
            return Ok(vec![address]);
        }
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
        let mut allowed = Vec::with_capacity(found.len());
        let mut refusal = None;
        for address in found {
            match judge(address.ip(), self.reach) {
                Ok(()) => allowed.push(address),
                Err(reason) => refusal = Some(reason),
            }
        }
        match refusal {
            Some(refusal) if allowed.is_empty() => Err(refusal.into()),
            _ => Ok(allowed),
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let allowed = resolver.allowed(name.as_str()).await?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The refusal that made a request fail, if one did.
pub(super) fn refusal_in(error: &reqwest::Error) -> Option<Refusal> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Some(*refusal);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, reach: Reach) -> Result<(), Refusal> {
        check(&Url::parse(text).unwrap(), reach)
    }

    #[test]
    fn metadata_services_are_refused_in_every_spelling() {
        for url in [
            "http://169.254.169.254/latest/meta-data",
            "http://169.254.170.2/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://[::ffff:169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://[::169.254.169.254]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://metadata.google.internal/",
            "http://METADATA.google.internal./",
        ] {
            for reach in [Reach::Named, Reach::Data] {
                assert!(
                    matches!(verdict(url, reach), Err(Refusal::Metadata(_))),
                    "{url} {reach:?}"
                );
            }
        }
    }

    #[test]
    fn private_addresses_need_to_be_named() {
        for url in [
            "http://127.0.0.1:8080/",
            "http://127.1/",
            "http://0.0.0.0/",
            "http://10.0.0.1/",
            "http://172.31.0.1/",
            "http://192.168.1.1/",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[fc00::1]/",
            "http://[fec0::1]/",
            "http://[64:ff9b:1::7f00:1]/",
            "http://[::ffff:0:127.0.0.1]/",
        ] {
            assert_eq!(verdict(url, Reach::Named), Ok(()), "{url}");
            assert!(
                matches!(verdict(url, Reach::Data), Err(Refusal::Private(_))),
                "{url}"
            );
        }
        assert_eq!(verdict("http://93.184.216.34/", Reach::Data), Ok(()));
        assert_eq!(verdict("http://[2606:2800:220:1::1]/", Reach::Data), Ok(()));
    }

    #[test]
    fn a_document_names_a_host_only_as_a_whole() {
        assert!(is_named_by(
            "http://localhost:8080/{id}",
            "http://localhost:8080/7"
        ));
        assert!(is_named_by(
            "\"http://LOCALHOST/\\(.id)\"",
            "http://localhost/7"
        ));
        assert!(is_named_by(
            "http://127.0.0.1:{port}/",
            "http://127.0.0.1:99/"
        ));
        for (source, url) in [
            ("{base}/orders", "http://localhost/orders"),
            (".base + \"/orders\"", "http://localhost/orders"),
            ("http://local{rest}/", "http://localhost/"),
            ("http://localhost{rest}/", "http://localhost/"),
            ("http://localhost.example.com/", "http://localhost/"),
            ("http://127.0.0.1\\(.x)/", "http://127.0.0.1/"),
            ("http://127.0.0.1@{host}/", "http://127.0.0.1/"),
        ] {
            assert!(!is_named_by(source, url), "{source} {url}");
        }
    }
}
