//! Sends everything over one connection, and makes a new one when it breaks.

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
use tokio::time::Instant;

use super::address::Address;
use super::errors::Failure;
use crate::backend::redis::layout::{FORMAT, FORMAT_VERSION};
use crate::clock::Clock;
use crate::error::Error;

/// How long to try, after the server was reached once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// How long to try to reach the server for the first time.
const FIRST_PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection may take to come up.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long one reply may take. After that, the command is sent again on a new connection.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long to wait before a command that the server has not answered is sent again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// Attempts of the cluster's own client before we try again ourselves.
const CLUSTER_RETRIES: u32 = 2;

#[derive(Clone)]
enum Transport {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

#[derive(Default)]
struct State {
    transport: Option<Transport>,
    /// Counts connections, so that an old failure does not end a newer one.
    number: u64,
    closed: bool,
}

/// The connection to one server, one cluster, or the primary that sentinels name.
pub(crate) struct Connection {
    address: Address,
    clock: Clock,
    state: Mutex<State>,
    reached: AtomicBool,
}

impl Connection {
    /// A connection that is opened by its first use.
    pub(crate) fn new(address: Address, clock: Clock) -> Self {
        Self { address, clock, state: Mutex::default(), reached: AtomicBool::new(false) }
    }

    /// Until when to try to get a reply to what is asked now.
    pub(crate) fn deadline(&self) -> Instant {
        let reached = self.reached.load(Ordering::Relaxed);
        (self.clock)() + if reached { PATIENCE } else { FIRST_PATIENCE }
    }

    /// Sends commands whose keys share a slot, in order. Each has a reply, which may be an error of the server.
    pub(crate) async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Failure> {
        let (mut transport, number) = self.transport().await?;
        let count = pipeline.len();
        let replies = match &mut transport {
            Transport::Single(single) => single.req_packed_commands(pipeline, 0, count).await,
            Transport::Cluster(cluster) => cluster.req_packed_commands(pipeline, 0, count).await,
        };
        match replies {
            Ok(replies) => Ok(replies),
            Err(error) => Err(self.failed(&error, number).await),
        }
    }

    /// Sends one command, of any slot.
    pub(crate) async fn ask(&self, command: &Cmd) -> Result<Value, Failure> {
        let (mut transport, number) = self.transport().await?;
        let reply = match &mut transport {
            Transport::Single(single) => single.req_packed_command(command).await,
            Transport::Cluster(cluster) => cluster.req_packed_command(command).await,
        };
        match reply.and_then(Value::extract_error) {
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.failed(&error, number).await),
        }
    }

    /// Sends one command that changes nothing, again and again until the server replies or the deadline passes.
    pub(crate) async fn ask_until_answered(&self, command: &Cmd) -> crate::error::Result<Value> {
        let deadline = self.deadline();
        loop {
            let failure = match self.ask(command).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let is_final = matches!(failure, Failure::Final(_) | Failure::UnknownScript);
            if is_final || (self.clock)() >= deadline {
                return Err(failure.error());
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Judges an error that is the reply to one of several commands.
    pub(crate) fn judge(&self, error: &RedisError) -> Failure {
        let moves = self.address.cluster || self.address.sentinel.is_some();
        Failure::of(error, &self.address.shown, moves)
    }

    /// Closes the connection for good.
    pub(crate) async fn close(&self) {
        let mut state = self.state.lock().await;
        state.closed = true;
        state.transport = None;
    }

    /// Gives up the current connection; the next command opens a new one.
    pub(crate) async fn reconnect(&self) {
        self.state.lock().await.transport = None;
    }

    async fn failed(&self, error: &RedisError, number: u64) -> Failure {
        let failure = self.judge(error);
        if matches!(failure, Failure::Connection(_)) {
            let mut state = self.state.lock().await;
            if state.number == number {
                state.transport = None;
            }
        }
        failure
    }

    async fn transport(&self) -> Result<(Transport, u64), Failure> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(Failure::Final(Error::Closed));
        }
        if let Some(transport) = &state.transport {
            return Ok((transport.clone(), state.number));
        }
        // In a box: the types of futures that hold it would be too deep for the compiler.
        let connecting = Box::pin(self.connect());
        let connected = tokio::time::timeout(2 * ANSWER_MAX, connecting).await;
        let transport = connected.unwrap_or_else(|_| {
            let reason = "it accepts connections, but does not answer".to_owned();
            let url = self.address.shown.clone();
            Err(Failure::Unreached(Error::RedisUnreachable { url, reason }))
        })?;
        state.number += 1;
        state.transport = Some(transport.clone());
        self.reached.store(true, Ordering::Relaxed);
        Ok((transport, state.number))
    }

    async fn connect(&self) -> Result<Transport, Failure> {
        let mut transport = self.open().await.map_err(|error| self.judge(&error).unsent())?;
        let mut get = redis::cmd("GET");
        get.arg(FORMAT);
        let format = match &mut transport {
            Transport::Single(single) => single.req_packed_command(&get).await,
            Transport::Cluster(cluster) => cluster.req_packed_command(&get).await,
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
        Ok(transport)
    }

    async fn open(&self) -> RedisResult<Transport> {
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
            Ok(Transport::Single(single))
        }
    }

    fn client(&self, node: ConnectionInfo) -> RedisResult<Client> {
        let node = node.set_tcp_settings(tcp());
        match &self.address.certificates {
            Some(certificates) => Client::build_with_tls(node, certificates.clone()),
            None => Client::open(node),
        }
    }

    async fn open_cluster(&self) -> RedisResult<Transport> {
        let mut builder = ClusterClientBuilder::new(self.address.nodes.clone())
            .connection_timeout(CONNECT_MAX)
            .response_timeout(ANSWER_MAX)
            .retries(CLUSTER_RETRIES)
            .tcp_settings(tcp());
        if let Some(certificates) = &self.address.certificates {
            builder = builder.certs(certificates.clone());
        }
        Ok(Transport::Cluster(builder.build()?.get_async_connection().await?))
    }

    /// The user, the password and the database of the URL are those of the primary.
    async fn open_by_sentinel(&self, name: &str) -> RedisResult<Transport> {
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
        Ok(Transport::Single(connection))
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

/// Whether the server says that it is a node of a cluster.
async fn is_cluster(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    let reply = connection.req_packed_command(redis::cmd("HELLO").arg("2")).await?;
    let Value::Array(properties) = reply else {
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
