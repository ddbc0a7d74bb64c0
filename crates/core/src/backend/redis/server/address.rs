//! Parses the URL of one server, of the nodes of a cluster, or of sentinels that know the server.
//!
//! `redis[s]://[user:password@]host[:port][,host[:port]...][/database][?options]`. Several hosts are nodes of a
//! cluster. With `?sentinel=NAME` they are sentinels of the primary of that name, which may ask for a `sentinel_user`
//! and a `sentinel_password` of their own. With `rediss`, the options `ca`, `cert` and `key` are paths of PEM files.
//! `ca` replaces the certificates that the system trusts; `cert` and `key` are shown to the server. `#insecure` trusts
//! every certificate. Without `ca`, we trust the system's certificates and those of the file that the user of the core
//! names.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redis::{ClientTlsConfig, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use serde::Deserialize;

use crate::error::{Error, Result};

const PORT_DEFAULT: &str = "6379";
const SENTINEL_PORT_DEFAULT: &str = "26379";

/// The options behind the `?`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    sentinel: Option<String>,
    sentinel_user: Option<String>,
    sentinel_password: Option<String>,
    /// Its presence counts, not its value.
    cluster: Option<String>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// A parsed URL.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// The URL as it may be shown: without its password.
    pub(crate) shown: String,
    pub(crate) nodes: Vec<ConnectionInfo>,
    /// Name of the primary, when `nodes` are sentinels.
    pub(crate) sentinel: Option<String>,
    /// User and password that the sentinels ask for.
    pub(crate) sentinel_login: (Option<String>, Option<String>),
    /// Whether `nodes` certainly are nodes of a cluster.
    pub(crate) cluster: bool,
    /// `None` uses the certificates of the system.
    pub(crate) certificates: Option<TlsCertificates>,
}

impl Address {
    /// Parses a URL, and reads the files that it names. `more_ca` is a PEM file with certificates to trust in
    /// addition to the system's.
    pub(crate) fn parse(url: &str, more_ca: Option<&Path>) -> Result<Self> {
        let shown = without_password(url);
        let wrong = |reason: String| Error::RedisUrl { url: shown.clone(), reason };
        let mut parts = Parts::of(url).map_err(&wrong)?;
        let sentinel = parts.options.sentinel.take();
        let port = if sentinel.is_some() { SENTINEL_PORT_DEFAULT } else { PORT_DEFAULT };
        let mut nodes = Vec::new();
        for host in parts.hosts.split(',') {
            if host.is_empty() {
                return Err(wrong("a host is missing".into()));
            }
            let node = parts.url_of(&with_port(host, port));
            let info = node.as_str().into_connection_info();
            nodes.push(info.map_err(|error| wrong(said(&error)))?);
        }
        let certificates = certificates(&parts, more_ca).map_err(&wrong)?;
        if certificates.is_some() && !parts.is_secure() {
            return Err(wrong("certificates need rediss://".into()));
        }
        let cluster = sentinel.is_none() && (nodes.len() > 1 || parts.options.cluster.is_some());
        if cluster && !matches!(parts.database, "" | "0") {
            return Err(wrong("a cluster has no database but 0".into()));
        }
        let Options { sentinel_user, sentinel_password, .. } = parts.options;
        let sentinel_login = (sentinel_user, sentinel_password);
        Ok(Self { shown, nodes, sentinel, sentinel_login, cluster, certificates })
    }
}

/// A URL in pieces.
struct Parts<'a> {
    scheme: &'a str,
    /// User and password, with their `@`.
    user: &'a str,
    hosts: &'a str,
    database: &'a str,
    options: Options,
    fragment: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> std::result::Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no ://")?;
        if cuts_password(rest) {
            return Err("its password holds a ? or a #: write %3F or %23 instead".into());
        }
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let at = rest.rfind('@').map_or(0, |at| at + 1);
        let (user, rest) = rest.split_at(at);
        let (hosts, database) = rest.split_once('/').unwrap_or((rest, ""));
        // In a form a plus sign is a space; in a path it is itself.
        let options = serde_urlencoded::from_str(&query.replace('+', "%2B"))
            .map_err(|error| format!("its options are wrong: {error}"))?;
        let database = database.trim_end_matches('/');
        if !database.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err("the database is not a number".into());
        }
        Ok(Self { scheme, user, hosts, database, options, fragment })
    }

    fn is_secure(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("rediss")
    }

    /// The URL of one of the hosts, as the `redis` crate takes it.
    fn url_of(&self, host: &str) -> String {
        let fragment = if self.fragment.is_empty() { "" } else { "#" };
        let scheme = self.scheme.to_ascii_lowercase();
        format!("{scheme}://{}{host}/{}{fragment}{}", self.user, self.database, self.fragment)
    }
}

fn with_port(host: &str, port: &str) -> String {
    let named = host.rsplit_once(']').map_or(host, |(_, after)| after).contains(':');
    if named { host.to_owned() } else { format!("{host}:{port}") }
}

fn certificates(
    parts: &Parts<'_>,
    more_ca: Option<&Path>,
) -> std::result::Result<Option<TlsCertificates>, String> {
    let read_file = |path: &Path| {
        fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let Options { ca, cert, key, .. } = &parts.options;
    let read = |path: &Option<PathBuf>| path.as_deref().map(read_file).transpose();
    let mut root_cert = read(ca)?;
    if let (None, Some(path), true) = (&root_cert, more_ca, parts.is_secure()) {
        root_cert = Some([system_certificates(), read_file(path)?].concat());
    }
    let client_tls = match (read(cert)?, read(key)?) {
        (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
        (None, None) => None,
        _ => return Err("cert and key need each other".into()),
    };
    let given = root_cert.is_some() || client_tls.is_some();
    Ok(given.then_some(TlsCertificates { client_tls, root_cert }))
}

/// The certificates that the system trusts, as PEM.
fn system_certificates() -> Vec<u8> {
    let mut pem = String::new();
    for certificate in rustls_native_certs::load_native_certs().certs {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        pem.push_str(&STANDARD.encode(certificate));
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    pem.into_bytes()
}

/// Whether a password holds what the options begin with, which it may only do when it is encoded.
fn cuts_password(rest: &str) -> bool {
    let after = rest.find(['?', '#']).map_or("", |start| &rest[start..]);
    after.contains('@') && !after.contains('=') && !rest[..rest.len() - after.len()].contains('@')
}

/// The URL as it may be shown: without passwords, and without options.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let is_cut = cuts_password(rest);
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let Some(at) = rest.rfind('@').or(is_cut.then_some(rest.len())) else {
        return format!("{scheme}://{rest}");
    };
    let user = rest[..at].split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:***{}", &rest[at..])
}

/// What an error of the `redis` crate says, on one line.
pub(crate) fn said(error: &redis::RedisError) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Address {
        Address::parse(url, None).unwrap()
    }

    #[test]
    fn one_server_several_nodes_or_sentinels() {
        let one = parse("redis://user:secret@localhost/2");
        assert_eq!(one.nodes[0].addr().to_string(), "localhost:6379");
        assert_eq!(one.nodes[0].redis_settings().db(), 2);
        assert_eq!(one.nodes[0].redis_settings().password(), Some("secret"));
        assert!(!one.cluster && one.sentinel.is_none());
        assert!(parse("redis://a:7000,b:7001").cluster);
        let sentinels = parse("redis://a,[::1]:26380/1?sentinel=my%20master");
        assert_eq!(sentinels.sentinel.as_deref(), Some("my master"));
        assert_eq!(sentinels.nodes[0].addr().to_string(), "a:26379");
        assert_eq!(sentinels.nodes.len(), 2);
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(parse("redis://:p@localhost:1").shown, "redis://:***@localhost:1");
        let wrong = Address::parse("redis://u:secret@localhost/x", None).unwrap_err().to_string();
        assert!(wrong.contains("the database is not a number") && !wrong.contains("secret"));
        for url in ["redis://u:sec?ret@h", "redis://u:sec#ret@h", "redis://u:s@c/ret@h/x"] {
            let wrong = Address::parse(url, None).unwrap_err().to_string();
            assert!(wrong.contains("redis://u:***") && !wrong.contains("ret"), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for url in
            ["redis://a,,b", "redis://", "redis://a/1?x=1", "redis://a,b/1", "redis://a?ca=x"]
        {
            assert!(matches!(Address::parse(url, None), Err(Error::RedisUrl { .. })), "{url}");
        }
    }
}
