//! Functions and schemas that a workflow needs before a run begins, and scripts that a task runs.

use std::sync::Arc;

use flame_engine::{Credentials, Error, StandardError, Wanted};

use super::{Caller, Protocols};

/// The longest one.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

impl Protocols {
    /// The text, from its place or as it was there a short while ago.
    pub(in crate::runtime) async fn text(
        &self,
        caller: &Caller<'_>,
        wanted: &Wanted,
    ) -> Result<String, Error> {
        let resource =
            self.resources
                .locate(&wanted.address, wanted.credentials.clone(), |_| {
                    wanted.named
                })?;
        // What one workflow's credentials open is not for another.
        let key = format!("{} {}", caller.workflow.id, resource.key());
        if let Some(text) = self.texts.get(&key) {
            return Ok((*text).clone());
        }
        let bytes = self.resources.read(caller, &resource).await?;
        let unusable = |detail: String| {
            StandardError::Communication.with("A text from outside can't be used", detail)
        };
        if bytes.len() > TEXT_BYTES_MAX {
            return Err(unusable(format!(
                "{} has {} bytes; a function or a schema has at most {TEXT_BYTES_MAX}",
                resource.name(),
                bytes.len()
            )));
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| unusable(format!("{} is not UTF-8 text", resource.name())))?;
        Ok((*self.texts.put(key, text)).clone())
    }

    /// The script at an address, which `named` says that the workflow itself names; each time as it is there.
    pub(in crate::runtime) async fn script(
        &self,
        caller: &Caller<'_>,
        address: &str,
        credentials: Option<Box<Credentials>>,
        named: bool,
    ) -> Result<Arc<str>, Error> {
        let resource = self.resources.locate(address, credentials, |_| named)?;
        let bytes = self.resources.read(caller, &resource).await?;
        let text = String::from_utf8(bytes);
        text.map(Into::into).map_err(|_| {
            StandardError::Communication.with(
                "The script can't be read",
                format!("what {} answers is not UTF-8 text", resource.name()),
            )
        })
    }
}
