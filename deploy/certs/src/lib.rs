//! The certificates of the uplink: mutual TLS between agents and brokers.
//!
//! An operator names three files, [`TlsFiles`]. Where none are named, both sides meet in a folder
//! that holds a development CA and one certificate for each side, made by whoever starts first
//! ([`development`]). Those are for loopback: a shell refuses to listen further with them.
#![allow(clippy::disallowed_methods)] // reads and writes certificate files

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
    version::TLS13,
};

/// The name in a development broker's certificate, which a development agent asks for.
pub const DEVELOPMENT_BROKER: &str = "localhost";

/// PEM files of one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The CA that the other side's certificate must come from.
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// The files of a development CA.
#[derive(Debug, Clone)]
pub struct Development {
    pub broker: TlsFiles,
    pub agent: TlsFiles,
}

/// The development certificates in `folder`, made there first if the folder does not exist.
pub fn development(folder: &Path) -> Result<Development> {
    if !folder.exists() {
        make(folder)
            .with_context(|| format!("cannot make development certificates in {}", folder.display()))?;
    }
    let side = |name: &str| TlsFiles {
        ca: folder.join("ca.pem"),
        cert: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    let made = Development { broker: side("broker"), agent: side("agent") };
    for file in [&made.broker.ca, &made.broker.cert, &made.broker.key, &made.agent.cert, &made.agent.key] {
        if !file.exists() {
            bail!(
                "{} is missing: delete the folder {} to have its certificates made again",
                file.display(),
                folder.display()
            );
        }
    }
    Ok(made)
}

/// Written beside the folder and renamed, so that of two that start at once one wins and none sees half.
fn make(folder: &Path) -> Result<()> {
    let parent = folder.parent().context("the folder of certificates has no parent")?;
    fs::create_dir_all(parent)?;
    let draft = parent.join(format!(".certs-{}", std::process::id()));
    fs::create_dir_all(&draft)?;
    let written = write_all(&draft);
    let renamed = written.and_then(|()| match fs::rename(&draft, folder) {
        Err(_) if folder.exists() => Ok(()),
        result => Ok(result?),
    });
    if draft.exists() {
        fs::remove_dir_all(&draft)?;
    }
    renamed
}

fn write_all(folder: &Path) -> Result<()> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Longhaul development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    write(&folder.join("ca.pem"), &ca.pem())?;

    let sides = [
        ("broker", ExtendedKeyUsagePurpose::ServerAuth, vec![DEVELOPMENT_BROKER, "127.0.0.1", "::1"]),
        ("agent", ExtendedKeyUsagePurpose::ClientAuth, vec!["development-agent"]),
    ];
    for (name, usage, names) in sides {
        let mut params = CertificateParams::new(names.into_iter().map(String::from).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, format!("development {name}"));
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &ca)?;
        write(&folder.join(format!("{name}.pem")), &cert.pem())?;
        write(&folder.join(format!("{name}.key")), &key.serialize_pem())?;
    }
    Ok(())
}

/// Readable by the owner alone.
fn write(path: &Path, pem: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(pem.as_bytes())?;
    Ok(file.sync_all()?)
}

/// TLS 1.3 of a broker: the agent must show a certificate from `files.ca`.
pub fn server_config(files: &TlsFiles, alpn: &[u8]) -> Result<ServerConfig> {
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(files)?), provider()).build()?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain(files)?, key(files)?)
        .with_context(|| format!("{} does not belong to {}", files.key.display(), files.cert.display()))?;
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}

/// TLS 1.3 of an agent: the broker's certificate must come from `files.ca`.
pub fn client_config(files: &TlsFiles, alpn: &[u8]) -> Result<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots(files)?)
        .with_client_auth_cert(chain(files)?, key(files)?)
        .with_context(|| format!("{} does not belong to {}", files.key.display(), files.cert.display()))?;
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}

/// Named wherever a config is built: a dependency that turns on a second provider must not change ours.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn roots(files: &TlsFiles) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for cert in certificates(&files.ca)? {
        roots.add(cert).with_context(|| format!("{} holds no usable CA", files.ca.display()))?;
    }
    Ok(roots)
}

fn chain(files: &TlsFiles) -> Result<Vec<CertificateDer<'static>>> {
    certificates(&files.cert)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = || -> Result<Vec<_>, rustls::pki_types::pem::Error> {
        CertificateDer::pem_file_iter(path)?.collect()
    };
    let found = read().with_context(|| format!("cannot read certificates from {}", path.display()))?;
    if found.is_empty() {
        bail!("{} holds no certificate (PEM is expected)", path.display());
    }
    Ok(found)
}

fn key(files: &TlsFiles) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("cannot read a private key from {}", files.key.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_find_the_same_ca_and_are_configured_from_it() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("certs");
        let first = development(&folder).unwrap();
        let before = fs::read(&first.broker.ca).unwrap();
        let second = development(&folder).unwrap();
        assert_eq!(before, fs::read(&second.agent.ca).unwrap(), "made once, found again");
        server_config(&first.broker, b"x").unwrap();
        client_config(&second.agent, b"x").unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_missing_file_and_a_key_of_another_certificate_are_said_in_words() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("certs");
        let made = development(&folder).unwrap();
        let mixed = TlsFiles { key: made.agent.key.clone(), ..made.broker.clone() };
        let error = format!("{:#}", server_config(&mixed, b"x").unwrap_err());
        assert!(error.contains("does not belong"), "{error}");
        fs::remove_file(&made.agent.key).unwrap();
        let error = format!("{:#}", development(&folder).unwrap_err());
        assert!(error.contains("agent.key is missing"), "{error}");
    }
}
