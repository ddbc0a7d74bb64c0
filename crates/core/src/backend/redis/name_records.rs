//! Records of the names that ids were made of: on the server, a string beside the object's other keys.

use super::layout::ObjectNames;
use super::server::reply::value;
use super::shared::Shared;
use crate::backend::ObjectKey;
use crate::error::Result;
use crate::key::Value;

/// Records the name of an object; without a name the record is removed.
pub(crate) async fn write(shared: &Shared, key: &ObjectKey, name: Option<&str>) -> Result<()> {
    let place = ObjectNames::new(key).called();
    let mut cmd = redis::cmd(if name.is_some() { "SET" } else { "DEL" });
    cmd.arg(place).arg(name);
    shared.connection.ask_until_answered(&cmd).await.map(|_| ())
}

/// The name that was recorded.
pub(crate) async fn read(shared: &Shared, key: &ObjectKey) -> Result<Option<Value>> {
    let mut cmd = redis::cmd("GET");
    cmd.arg(ObjectNames::new(key).called());
    value(shared.connection.ask_until_answered(&cmd).await?)
}
