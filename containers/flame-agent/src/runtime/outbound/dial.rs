//! Connections for protocols that are not HTTP, by the same rules of where they may go.

use std::net::SocketAddr;
use std::sync::Arc;

use flame_engine::{Error, StandardError};
use reqwest::Url;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::address::{self, Reach, Refusal, Resolver};
use super::{Outbound, host_and_port};

/// A stream of bytes to somebody.
pub(in crate::runtime) trait Bytes:
    AsyncRead + AsyncWrite + Send + Unpin
{
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// A connection, plain or within TLS.
pub(in crate::runtime) type Connected = Box<dyn Bytes>;

/// The URL standard does not know this scheme.
const NATS_PORT: u16 = 4222;

impl Outbound {
    /// Connects to the host of a URL. `named` tells that the document itself names the host.
    pub(in crate::runtime) async fn connect(
        &self,
        url: &Url,
        named: bool,
    ) -> Result<Connected, Error> {
        let place = host_and_port(url);
        let reach = if named { Reach::Named } else { Reach::Data };
        address::check(url, reach).map_err(|refusal| refusal.into_error(&place))?;
        let failed = |detail: String| {
            StandardError::Communication.with(
                "The other side can't be reached",
                format!("{place}: {detail}; check that it runs and that the address is right"),
            )
        };
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_matches(['[', ']']);
        let resolver = Resolver {
            reach,
            stand_ins: Arc::clone(&self.stand_ins),
        };
        let found = resolver.allowed(host).await.map_err(|error| {
            match error.downcast_ref::<Refusal>() {
                Some(refusal) => refusal.into_error(&place),
                None => failed(error.to_string()),
            }
        })?;
        let port = url.port_or_known_default().unwrap_or(NATS_PORT);
        let has_port = url.port().is_some();
        let mut last = "the name has no address".to_owned();
        for mut address in found {
            if has_port || address.port() == 0 {
                address.set_port(port);
            }
            match tokio::time::timeout(self.options.connect_timeout, plain(address)).await {
                Ok(Ok(stream)) => return Ok(Box::new(stream)),
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = "the connection was not made in time".to_owned(),
            }
        }
        Err(failed(last))
    }

    /// Puts a connection to the host of a URL into TLS.
    pub(in crate::runtime) async fn secure(
        &self,
        stream: Connected,
        url: &Url,
    ) -> Result<Connected, Error> {
        let failed = |detail: String| {
            StandardError::Communication.with(
                "The connection can't be secured",
                format!("{}: {detail}", host_and_port(url)),
            )
        };
        let host = url.host_str().unwrap_or_default();
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|error| failed(error.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let secured = connector.connect(name, stream).await;
        Ok(Box::new(
            secured.map_err(|error| failed(error.to_string()))?,
        ))
    }
}

async fn plain(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
