//! Whom a TLS connection trusts: the public authorities, and those that the user adds.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::runtime::Error;

/// All the authorities of a large system are a quarter of that.
const AUTHORITIES_BYTES_MAX: u64 = 1024 * 1024;

/// rustls with ring; nothing is taken from the process-wide default.
pub(super) fn client_config(authorities: &[PathBuf]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for path in authorities {
        add(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup {
            what: "TLS can't be set up".to_owned(),
            detail: error.to_string(),
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    let unusable = |detail: String| Error::Setup {
        what: format!("the certificates in {} can't be used", path.display()),
        detail,
    };
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(AUTHORITIES_BYTES_MAX + 1).read_to_end(&mut text))
        .map_err(|error| unusable(error.to_string()))?;
    if text.len() as u64 > AUTHORITIES_BYTES_MAX {
        return Err(unusable(format!(
            "it has more than {AUTHORITIES_BYTES_MAX} bytes"
        )));
    }
    let mut added = 0;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(unusable("there is no PEM certificate in it".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_no_authority() {
        let error = client_config(&["/dev/zero".into()]).unwrap_err();
        assert!(error.to_string().contains("/dev/zero"), "{error}");
        assert!(
            error.to_string().contains("more than 1048576 bytes"),
            "{error}"
        );
    }
}
