//! Real servers for the tests, each on a free port and in a temporary folder. They end when the test run
//! does, however that comes: a shell waits for the end of its standard input.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use redis::{Connection, Value};

/// Databases of a server.
pub(crate) const DATABASES: u32 = 20_000;

const SLOTS: usize = 16_384;
/// Another program may take a free port before the server does.
const PORT_TRIES: u32 = 5;
const AGREED_POLL: Duration = Duration::from_millis(20);
const WATCHED: &str = r#"
dir=$(mktemp -d) || exit 1
redis-server "$@" --dir "$dir" &
server=$!
cat >/dev/null
kill -9 $server
rm -rf "$dir"
"#;

/// One server. It ends when the pipe to its shell is closed.
pub(crate) struct Server {
    port: u16,
    _shell: Child,
}

impl Server {
    /// Starts a server with these arguments, and waits until it accepts connections.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut said = String::new();
        for _ in 0..PORT_TRIES {
            match Self::try_start(arguments) {
                Ok(server) => return server,
                Err(reason) => said = reason,
            }
        }
        panic!("redis-server cannot be started; these tests need a real one:\n{said}");
    }

    fn try_start(arguments: &[&str]) -> std::result::Result<Self, String> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let [port_text, databases] = [port.to_string(), DATABASES.to_string()];
        let mut shell = Command::new("sh")
            .args(["-c", WATCHED, "sh", "--port", &port_text, "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--databases", &databases])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("sh: {error}"))?;
        let mut output = BufReader::new(shell.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("Ready to accept connections") {
            if said.contains("Address already in use") || output.read_line(&mut said).unwrap() == 0
            {
                drop(shell.stdin.take());
                let _ = shell.wait();
                return Err(said);
            }
        }
        // The test does not read what the server prints later, but the server must be able to print it.
        thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = output.read_to_end(&mut rest);
        });
        Ok(Self { port, _shell: shell })
    }

    /// Where it listens.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn connect(&self) -> Connection {
        redis::Client::open(format!("redis://{}", self.host())).unwrap().get_connection().unwrap()
    }

    fn ask(&self, words: &[&str]) -> String {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        match command.query::<Value>(&mut self.connect()).unwrap() {
            Value::BulkString(bytes) => String::from_utf8(bytes).unwrap(),
            answer => format!("{answer:?}"),
        }
    }
}

/// Starts a cluster of so many primaries, and waits until each says that it is whole.
pub(crate) fn cluster(count: usize) -> Vec<Server> {
    let arguments = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let servers: Vec<_> = (0..count).map(|_| cluster_node(&arguments)).collect();
    let share = SLOTS.div_ceil(count);
    for (place, server) in servers.iter().enumerate() {
        let slots: Vec<_> = (place * share..SLOTS.min((place + 1) * share)).collect();
        let epoch = (place + 1).to_string();
        server.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        let mut command = redis::cmd("CLUSTER");
        command.arg("ADDSLOTS").arg(slots);
        command.query::<Value>(&mut server.connect()).unwrap();
    }
    for server in &servers[1..] {
        servers[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &server.port.to_string()]);
    }
    let known = format!("cluster_known_nodes:{count}\r\n");
    for server in &servers {
        loop {
            let state = server.ask(&["CLUSTER", "INFO"]);
            if state.contains("cluster_state:ok") && state.contains(&known) {
                break;
            }
            thread::sleep(AGREED_POLL);
        }
    }
    servers
}

/// Nodes talk to each other on their port and 10,000.
fn cluster_node(arguments: &[&str]) -> Server {
    loop {
        let server = Server::start(arguments);
        if server.port < u16::MAX - 10_000 {
            return server;
        }
    }
}
