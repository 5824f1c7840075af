//! Certificates for servers of tests.

use rcgen::{CertificateParams, KeyPair};

/// A certificate and its key, both in PEM.
#[derive(Debug)]
pub struct Certificate {
    pub text: String,
    pub key: String,
}

impl Certificate {
    /// Good for `localhost`, and signed by itself.
    pub fn of_localhost() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let parameters = CertificateParams::new(vec!["localhost".to_owned()])?;
        Ok(Self {
            text: parameters.self_signed(&key)?.pem(),
            key: key.serialize_pem(),
        })
    }
}
