//! TLS by rustls, with the roots of the web.

use std::sync::Arc;

use mainspring_core::{Error, ErrorKind, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// What every encrypted connection shares. There is no way to switch the check of certificates off.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Trusts the roots of the web, and those in `extra_roots` (PEM), for a venue or proxy with
    /// a certificate of its own.
    ///
    /// # Errors
    /// When the extra roots cannot be read.
    pub fn new(extra_roots: Option<&[u8]>) -> Result<Self> {
        let bad = |what: &str| Error::new(ErrorKind::Config, format!("extra TLS roots: {what}"));
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(pem) = extra_roots {
            let mut added = 0;
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| bad("not certificates in PEM form"))?;
                roots.add(certificate).map_err(|_| bad("a certificate cannot be used"))?;
                added += 1;
            }
            if added == 0 {
                return Err(bad("no certificate in them"));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new(ErrorKind::Internal, format!("TLS: {error}")))?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// Begins a connection to a host.
    ///
    /// # Errors
    /// When the host has no name that a certificate could hold.
    pub fn client(&self, host: &str) -> Result<ClientConnection> {
        let bad = |what: String| Error::new(ErrorKind::Config, format!("TLS to {host}: {what}"));
        let name = ServerName::try_from(host.to_owned()).map_err(|error| bad(error.to_string()))?;
        ClientConnection::new(Arc::clone(&self.0), name).map_err(|error| bad(error.to_string()))
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_that_are_none_are_refused() {
        assert!(Tls::new(None).is_ok());
        assert!(Tls::new(Some(b"")).is_err());
        assert!(Tls::new(Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
            .is_err());
        assert!(Tls::new(None).unwrap().client("bad host").is_err());
    }
}
