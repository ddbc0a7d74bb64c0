//! How a process asks for an object that another one has: it sends a request, the file `.ferroflare/wanted/<NAME>.<id>`.
//!
//! The holder reads the requests often ([`crate::backend::files::maintenance`]). It releases the object between commits.
//! A holder that needs the object again lets the process that has sent the request go first.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::backend::ObjectKey;
use crate::backend::files::disk::atomic_file::{create_dir, create_marker};
use crate::backend::files::layout::Layout;
use crate::error::Result;

/// The directory of the requests.
const REQUESTS: &str = "wanted";

/// How often to look whether the process that has sent a request has got the object, and how many times.
const YIELD_STEP: Duration = Duration::from_millis(2);
const YIELD_STEPS: u32 = 25;

/// A request for an object; it ends when it is dropped.
pub struct HandoverRequest {
    path: PathBuf,
}

impl HandoverRequest {
    /// A request that is not sent yet.
    pub fn new(layout: &Layout, key: &ObjectKey) -> Self {
        Self { path: path(layout, key) }
    }

    /// Sends the request, unless the holder can see one already.
    pub fn send(&self) -> Result<()> {
        if self.path.exists() {
            return Ok(());
        }
        if let Some(parent) = self.path.parent() {
            create_dir(parent)?;
        }
        create_marker(&self.path)
    }
}

impl Drop for HandoverRequest {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes a request, which a process may have left that was killed while it waited.
pub fn remove_request(layout: &Layout, key: &ObjectKey) {
    drop(HandoverRequest::new(layout, key));
}

/// The file names of the objects that other processes have requested.
pub fn requested_objects(layout: &Layout) -> HashSet<String> {
    let requests = fs::read_dir(layout.own(REQUESTS)).into_iter().flatten().flatten();
    requests.filter_map(|request| request.file_name().into_string().ok()).collect()
}

/// Waits a moment for the process that has requested the object, so that it gets the object first.
pub async fn let_request_go_first(layout: &Layout, key: &ObjectKey) {
    let request = path(layout, key);
    for _ in 0..YIELD_STEPS {
        if !request.exists() {
            break;
        }
        tokio::time::sleep(YIELD_STEP).await;
    }
}

fn path(layout: &Layout, key: &ObjectKey) -> PathBuf {
    layout.file_of(REQUESTS, key)
}
