//! Names of objects, noted on the server: a string beside the object's other keys.

use super::names::ObjectNames;
use super::reply::value;
use super::shared::Shared;
use crate::backend::ObjectKey;
use crate::error::Result;
use crate::key::Value;

/// Notes a name, or removes the note.
pub(super) async fn note(shared: &Shared, key: &ObjectKey, name: Option<String>) -> Result<()> {
    let place = ObjectNames::new(key).called();
    let cmd = match name {
        Some(name) => redis::cmd("SET").arg(place).arg(name).to_owned(),
        None => redis::cmd("DEL").arg(place).to_owned(),
    };
    shared.ask(&cmd).await.map(|_| ())
}

/// The name that was noted.
pub(super) async fn noted(shared: &Shared, key: &ObjectKey) -> Result<Option<Value>> {
    value(shared.ask(redis::cmd("GET").arg(ObjectNames::new(key).called())).await?)
}
