//! The pages over the server's own TLS.

use std::path::Path;
use std::sync::Arc;

use addon_host::server::{Tls, TlsError};
use reqwest::{Certificate, Client, StatusCode, redirect};

use super::site::{MANIFEST, PASSWORD, Site};
use crate::guest::guest;

/// Writes a certificate for this machine and its key; answers the certificate.
fn write_certificate(folder: &Path) -> Certificate {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    Certificate::from_pem(made.cert.pem().as_bytes()).unwrap()
}

/// A browser that trusts that certificate alone.
fn browser(trusted: Certificate) -> Client {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .tls_certs_only([trusted])
        // Each request sees the certificate that is in use then.
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

#[tokio::test]
async fn pages_are_encrypted_and_a_renewed_certificate_needs_no_restart() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    let old = write_certificate(folder.path());
    let first = browser(old.clone());
    let tls = Arc::new(Tls::open(&cert, &key).unwrap());
    let site = Site::serving("", MANIFEST, guest(), |server| {
        server.encrypted(tls.clone())
    })
    .await;
    assert!(site.address.starts_with("https://"), "{}", site.address);
    let health = format!("{}/health", site.address);
    assert_eq!(
        first
            .get(&health)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "ok"
    );
    let answer = first.get(&health).send().await.unwrap();
    assert_eq!(
        answer.headers()["strict-transport-security"],
        "max-age=31536000"
    );
    // The cookie goes over TLS only, though no proxy says that there is any.
    let form = format!("account=ann&password={}", PASSWORD.replace(' ', "+"));
    let login = first.post(format!("{}/login", site.address));
    let login = login.header("content-type", "application/x-www-form-urlencoded");
    let entered = login
        .header("x-forwarded-proto", "http")
        .body(form)
        .send()
        .await
        .unwrap();
    assert_eq!(entered.status(), StatusCode::SEE_OTHER);
    assert!(
        entered.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .contains("; Secure")
    );
    // Unencrypted there is nothing.
    let plain = health.replace("https://", "http://");
    assert!(site.client.get(plain).send().await.is_err());

    // A renewed one is seen once it is read, a broken one never.
    let second = browser(write_certificate(folder.path()));
    assert!(second.get(&health).send().await.is_err());
    tls.reload().unwrap();
    assert!(second.get(&health).send().await.is_ok());
    // A browser that was here before could go on with its session.
    let stranger = browser(old);
    assert!(stranger.get(&health).send().await.is_err());
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (file, text) in [
        (&key, other.as_str()),
        (&key, "no key"),
        (&cert, "no certificate"),
    ] {
        std::fs::write(file, text).unwrap();
        let error = tls.reload().unwrap_err();
        assert!(!error.to_string().contains("PRIVATE"), "{error}");
    }
    assert!(matches!(tls.reload(), Err(TlsError::NoCertificate { .. })));
    assert!(second.get(&health).send().await.is_ok());
    site.stop().await;
}
