//! What to do about a neighbour that can't be reached.

use std::io::{self, ErrorKind};

use tokio_rustls::rustls::{self, CertificateError};

/// The keys of a neighbour in the gateway file, for sentences.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// Those of its address.
    pub address: &'static str,
    /// The one that turns TLS on or off.
    pub tls: &'static str,
    /// The file of trusted certificates.
    pub ca_file: &'static str,
}

/// Names the next action after a connection failed; `None` if the cause is something else.
#[must_use]
pub fn after(error: &anyhow::Error, keys: Keys) -> Option<String> {
    let Keys { address, tls, ca_file } = keys;
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>())?;
    if let Some(tls_error) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Some(match tls_error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                format!("give the certificate of whoever signed the server's as {ca_file}")
            }
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => format!("its certificate is for another name; correct {address}, or the certificate"),
            rustls::Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => "renew its certificate, or set this machine's clock".to_owned(),
            rustls::Error::InvalidCertificate(_) => format!("check its certificate, and {ca_file}"),
            _ => format!("it doesn't seem to speak TLS at this port; correct {address}, or {tls}"),
        });
    }
    Some(match io.kind() {
        ErrorKind::ConnectionRefused => format!("nothing listens there; start it, or correct {address}"),
        ErrorKind::TimedOut => format!("nothing answers; correct {address}, or open the firewall"),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            format!("no way leads there; check cables and routes, or correct {address}")
        }
        ErrorKind::PermissionDenied => {
            "this machine forbids it; add the address to IPAddressAllow= with `systemctl edit nominal-gateway`"
                .to_owned()
        }
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            format!("it has hung up; its log may say why; check {tls}")
        }
        _ => format!("correct {address}, or check this machine's name server"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_next_action() {
        let keys = Keys { address: "x.host and x.port", tls: "x.tls", ca_file: "x.ca_file" };
        let said =
            |error: io::Error| after(&anyhow::Error::from(error).context("cannot connect"), keys).unwrap();
        let tls = |error: rustls::Error| said(io::Error::new(ErrorKind::InvalidData, error));
        let certificate = |error| tls(rustls::Error::InvalidCertificate(error));
        for (advice, words) in [
            (said(ErrorKind::ConnectionRefused.into()), "start it, or correct x.host"),
            (said(ErrorKind::TimedOut.into()), "firewall"),
            (said(ErrorKind::PermissionDenied.into()), "IPAddressAllow"),
            (said(ErrorKind::UnexpectedEof.into()), "x.tls"),
            (said(io::Error::other("failed to lookup address information")), "name server"),
            (certificate(CertificateError::UnknownIssuer), "x.ca_file"),
            (certificate(CertificateError::NotValidForName), "another name"),
            (certificate(CertificateError::Expired), "clock"),
            (certificate(CertificateError::BadSignature), "x.ca_file"),
            (tls(rustls::Error::DecryptError), "speak TLS"),
        ] {
            assert!(advice.contains(words), "{advice}");
        }
        assert_eq!(after(&anyhow::anyhow!("something else"), keys), None);
    }
}
