//! The connection to a place: one, over which everything is sent, made anew when it breaks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, Pipeline, RedisError, RedisResult, TlsMode,
    Value,
};
use tokio::sync::Mutex;

use super::address::Address;
use super::failure::Failure;
use super::names::{FORMAT, FORMAT_VERSION};
use crate::error::Error;

/// How long to try, once the server has been reached.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// How long to try to reach the server for the first time.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection may take to come up.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long one answer may take. It is asked for again on a new connection then.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Attempts of the cluster's own client before we try again ourselves.
const CLUSTER_RETRIES: u32 = 2;

#[derive(Clone)]
enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// What is known of the connection.
#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// Counts connections, so that an old failure does not end a newer one.
    number: u64,
    closed: bool,
}

/// The one way to a place.
pub(super) struct Link {
    address: Address,
    state: Mutex<State>,
    reached: AtomicBool,
}

impl Link {
    /// A link that connects when it is first used.
    pub(super) fn new(address: Address) -> Self {
        Self { address, state: Mutex::default(), reached: AtomicBool::new(false) }
    }

    /// How long to try to get an answer.
    pub(super) fn patience(&self) -> Duration {
        if self.reached.load(Ordering::Relaxed) { PATIENCE } else { FIRST_PATIENCE }
    }

    /// Sends commands whose keys share a slot, in order; one answer each, errors of the server among them.
    pub(super) async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Failure> {
        let (mut connection, number) = self.connection().await?;
        let count = pipeline.len();
        let answers = match &mut connection {
            Connection::Single(single) => single.req_packed_commands(pipeline, 0, count).await,
            Connection::Cluster(cluster) => cluster.req_packed_commands(pipeline, 0, count).await,
        };
        match answers {
            Ok(answers) => Ok(answers),
            Err(error) => Err(self.failed(&error, number).await),
        }
    }

    /// Sends one command, of any slot.
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, Failure> {
        let (mut connection, number) = self.connection().await?;
        let answer = match &mut connection {
            Connection::Single(single) => single.req_packed_command(command).await,
            Connection::Cluster(cluster) => cluster.req_packed_command(command).await,
        };
        match answer.and_then(Value::extract_error) {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.failed(&error, number).await),
        }
    }

    /// Judges an error of the server that came among other answers.
    pub(super) fn judge(&self, error: &RedisError) -> Failure {
        let moves = self.address.cluster || self.address.sentinel.is_some();
        Failure::of(error, &self.address.shown, moves)
    }

    /// Closes the connection for good.
    pub(super) async fn close(&self) {
        let mut state = self.state.lock().await;
        state.closed = true;
        state.connection = None;
    }

    /// Gives up the connection that is there now.
    pub(super) async fn reconnect(&self) {
        self.state.lock().await.connection = None;
    }

    async fn failed(&self, error: &RedisError, number: u64) -> Failure {
        let failure = self.judge(error);
        if matches!(failure, Failure::Connection(_)) {
            let mut state = self.state.lock().await;
            if state.number == number {
                state.connection = None;
            }
        }
        failure
    }

    async fn connection(&self) -> Result<(Connection, u64), Failure> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(Failure::Final(Error::Closed));
        }
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.number));
        }
        let connected = tokio::time::timeout(2 * ANSWER_MAX, self.connect()).await;
        let connection = connected.unwrap_or_else(|_| {
            let reason = "it accepts connections, but does not answer".to_owned();
            let url = self.address.shown.clone();
            Err(Failure::Unreached(Error::RedisUnreachable { url, reason }))
        })?;
        state.number += 1;
        state.connection = Some(connection.clone());
        self.reached.store(true, Ordering::Relaxed);
        Ok((connection, state.number))
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let mut connection = self.open().await.map_err(|error| self.judge(&error).unsent())?;
        let mut get = redis::cmd("GET");
        get.arg(FORMAT);
        let format = match &mut connection {
            Connection::Single(single) => single.req_packed_command(&get).await,
            Connection::Cluster(cluster) => cluster.req_packed_command(&get).await,
        };
        let format = format.and_then(Value::extract_error);
        let format = format.map_err(|error| self.judge(&error).unsent())?;
        if let Value::BulkString(version) = format {
            let version = String::from_utf8_lossy(&version).parse().unwrap_or(u32::MAX);
            if version > FORMAT_VERSION {
                let path = self.address.shown.clone();
                let place = "server or database";
                return Err(Failure::Final(Error::NewerFormat { path, version, place }));
            }
        }
        Ok(connection)
    }

    async fn open(&self) -> RedisResult<Connection> {
        if let Some(name) = &self.address.sentinel {
            return self.open_by_sentinel(name).await;
        }
        if self.address.cluster {
            return self.open_cluster().await;
        }
        let mut single = self
            .client(self.address.nodes[0].clone())?
            .get_multiplexed_async_connection_with_config(&config())
            .await?;
        if is_cluster(&mut single).await? {
            self.open_cluster().await
        } else {
            Ok(Connection::Single(single))
        }
    }

    fn client(&self, node: ConnectionInfo) -> RedisResult<Client> {
        let node = node.set_tcp_settings(tcp());
        match &self.address.certificates {
            Some(certificates) => Client::build_with_tls(node, certificates.clone()),
            None => Client::open(node),
        }
    }

    async fn open_cluster(&self) -> RedisResult<Connection> {
        let mut builder = ClusterClientBuilder::new(self.address.nodes.clone())
            .connection_timeout(CONNECT_MAX)
            .response_timeout(ANSWER_MAX)
            .retries(CLUSTER_RETRIES)
            .tcp_settings(tcp());
        if let Some(certificates) = &self.address.certificates {
            builder = builder.certs(certificates.clone());
        }
        Ok(Connection::Cluster(builder.build()?.get_async_connection().await?))
    }

    /// The user, the password and the database of the URL are those of the primary.
    async fn open_by_sentinel(&self, name: &str) -> RedisResult<Connection> {
        let settings = self.address.nodes[0].redis_settings();
        let sentinels = self.address.nodes.iter().map(|node| node.addr().clone());
        let mut builder = SentinelClientBuilder::new(sentinels, name, SentinelServerType::Master)?
            .set_client_to_redis_db(settings.db())
            .set_client_to_redis_tcp_settings(tcp());
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(user) = &self.address.sentinel_login.0 {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &self.address.sentinel_login.1 {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if let redis::ConnectionAddr::TcpTls { insecure, .. } = self.address.nodes[0].addr() {
            let mode = if *insecure { TlsMode::Insecure } else { TlsMode::Secure };
            builder = builder.set_client_to_redis_tls_mode(mode);
        }
        if let Some(certificates) = &self.address.certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
        let mut sentinel = builder.build()?;
        let connection = sentinel.get_async_connection_with_config(&config()).await?;
        Ok(Connection::Single(connection))
    }
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_MAX))
        .set_response_timeout(Some(ANSWER_MAX))
}

fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

/// Whether the server is a node of a cluster. One that does not say is none.
async fn is_cluster(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    let answer = connection.req_packed_command(redis::cmd("HELLO").arg("2")).await?;
    let Value::Array(properties) = answer else {
        return Ok(false);
    };
    let named = |value: &Value, text: &str| match value {
        Value::BulkString(bytes) => bytes == text.as_bytes(),
        Value::SimpleString(string) => string == text,
        _ => false,
    };
    Ok(properties
        .chunks(2)
        .any(|pair| pair.len() == 2 && named(&pair[0], "mode") && named(&pair[1], "cluster")))
}
