//! The Redis backend under test: on a server, and on a cluster of three, which end with this test run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ferroflare_core::backend::redis::{RedisOptions, RedisStore};
use ferroflare_core::backend::{ObjectKey, ObjectStorage, Store};
use ferroflare_core::key::Value;
use ferroflare_core::{Answer, Result};
use once_cell::sync::Lazy;
use tokio::runtime::Runtime;

use super::redis_server::{DATABASES, Server, cluster};
use super::{Opening, TestPlace};

/// Background work runs here, also while a test blocks its own thread.
static RUNTIME: Lazy<Runtime> = Lazy::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});
static SERVER: Lazy<Server> = Lazy::new(|| Server::start(&[]));
static CLUSTER: Lazy<Vec<Server>> = Lazy::new(|| cluster(3));
static OPENED: AtomicU32 = AtomicU32::new(0);

fn next() -> u32 {
    OPENED.fetch_add(1, Ordering::Relaxed)
}

/// As another process would open it.
fn open_apart(url: &str) -> Arc<dyn Store> {
    #[expect(clippy::disallowed_methods, reason = "a test gives the core its clock")]
    let clock = tokio::time::Instant::now;
    let runtime = RUNTIME.handle().clone();
    let options = RedisOptions { runtime, corked: false, more_ca: None, clock };
    let name = next().to_le_bytes();
    let mut named = move |bytes: &mut [u8]| {
        bytes[..name.len()].copy_from_slice(&name);
    };
    Arc::new(RedisStore::open(url, options, &mut named).unwrap())
}

/// What a server and a cluster have in common.
macro_rules! as_every_redis {
    () => {
        fn answers_at_once(&self) -> bool {
            false
        }

        fn log_shares_keys(&self) -> bool {
            false
        }

        fn forgets_emptied_objects(&self) -> bool {
            true
        }

        fn starts_at_first_read(&self) -> bool {
            true
        }

        fn reads_commit_beside_turns(&self) -> bool {
            true
        }

        fn finishes_what_waits(&self) -> bool {
            true
        }
    };
}

/// A database of its own for each test.
pub(crate) struct Redis;

impl Redis {
    fn url() -> String {
        let database = next();
        assert!(database < DATABASES, "there are more tests than databases");
        format!("redis://{}/{database}", SERVER.host())
    }
}

impl TestPlace for Redis {
    fn open(&self) -> Opening<'_, Arc<dyn Store>> {
        Box::pin(async { open_apart(&Self::url()) })
    }

    fn open_twice(&self) -> Opening<'_, [Arc<dyn Store>; 2]> {
        Box::pin(async {
            let url = Self::url();
            [open_apart(&url), open_apart(&url)]
        })
    }

    as_every_redis!();

    fn cost(&self) -> u32 {
        40
    }
}

/// A cluster has one database: the names of each test's bindings are its own.
pub(crate) struct RedisCluster;

impl RedisCluster {
    fn open_as(prefix: &Arc<str>) -> Arc<dyn Store> {
        let hosts: Vec<_> = CLUSTER.iter().map(Server::host).collect();
        let place = open_apart(&format!("redis://{}", hosts.join(",")));
        Arc::new(Named { place, prefix: prefix.clone() })
    }
}

impl TestPlace for RedisCluster {
    fn open(&self) -> Opening<'_, Arc<dyn Store>> {
        Box::pin(async { Self::open_as(&format!("{}-", next()).into()) })
    }

    fn open_twice(&self) -> Opening<'_, [Arc<dyn Store>; 2]> {
        Box::pin(async {
            let prefix = format!("{}-", next()).into();
            [Self::open_as(&prefix), Self::open_as(&prefix)]
        })
    }

    as_every_redis!();

    fn cost(&self) -> u32 {
        80
    }
}

/// A place of which only the bindings with a prefix are used.
struct Named {
    place: Arc<dyn Store>,
    prefix: Arc<str>,
}

impl Named {
    fn with(&self, name: &str) -> Arc<str> {
        format!("{}{name}", self.prefix).into()
    }

    fn all_with(&self, names: &[Arc<str>]) -> Vec<Arc<str>> {
        names.iter().map(|name| self.with(name)).collect()
    }
}

fn without(prefix: &str, name: &str) -> Arc<str> {
    name.strip_prefix(prefix).unwrap().into()
}

impl Store for Named {
    fn object(&self, key: &ObjectKey) -> Result<Arc<dyn ObjectStorage>> {
        self.place.object(&ObjectKey { name: self.with(&key.name), id: key.id.clone() })
    }

    fn alarms(&self, names: &[Arc<str>]) -> Result<Vec<(i64, ObjectKey)>> {
        let mut alarms = self.place.alarms(&self.all_with(names))?;
        for (_, key) in &mut alarms {
            key.name = without(&self.prefix, &key.name);
        }
        Ok(alarms)
    }

    fn refresh_alarms(&self, names: &[Arc<str>]) -> Answer<()> {
        self.place.refresh_alarms(&self.all_with(names))
    }

    fn object_ids(&self, name: &str) -> Answer<Vec<Arc<str>>> {
        self.place.object_ids(&self.with(name))
    }

    fn object_names(&self) -> Answer<Vec<Arc<str>>> {
        let prefix = self.prefix.clone();
        self.place.object_names().and_then(move |names| {
            let own = names.iter().filter(|name| name.starts_with(&*prefix));
            Ok(own.map(|name| without(&prefix, name)).collect())
        })
    }

    fn record_name(&self, key: &ObjectKey, name: Option<&str>) -> Answer<()> {
        self.place.record_name(&ObjectKey { name: self.with(&key.name), id: key.id.clone() }, name)
    }

    fn recorded_name(&self, key: &ObjectKey) -> Answer<Option<Value>> {
        self.place.recorded_name(&ObjectKey { name: self.with(&key.name), id: key.id.clone() })
    }

    fn flush(&self) {
        self.place.flush();
    }

    fn close(&self) -> Answer<()> {
        self.place.close()
    }
}
