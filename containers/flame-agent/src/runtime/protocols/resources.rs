//! Documents that calls are described by: from an HTTP address, or from the workspace's resources folder.
//!
//! What is made of a document is kept for a while by its address; the document itself is not.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flame_engine::{Credentials, Error, StandardError};
use reqwest::Url;

use super::{Caller, invalid};

/// The largest document that is read; GitHub's, of 13 MB, is among the largest there are.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long what was made of a document is used before it is fetched again.
const FRESH: Duration = Duration::from_secs(300);
const KEPT_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Resources {
    folder: PathBuf,
}

/// Where a document is.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) place: Place,
    /// The workflow itself says which host or file it is, so what the document names on the same host is
    /// named as well.
    pub(super) named: bool,
    /// What it is got with.
    pub(super) credentials: Option<Box<Credentials>>,
}

#[derive(Debug)]
pub(super) enum Place {
    Http(Url),
    File(PathBuf),
}

impl Resources {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn locate(
        &self,
        address: &str,
        credentials: Option<Box<Credentials>>,
        names: impl Fn(&str) -> bool,
    ) -> Result<Resource, Error> {
        if let Some(name) = address.strip_prefix("file://") {
            return Ok(Resource {
                place: Place::File(self.file(name)?),
                named: true,
                credentials: None,
            });
        }
        let url = Url::parse(address).map_err(|error| {
            invalid(format!(
                "{address:?} is not the address of a document: {error}"
            ))
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(format!(
                "{address:?} is not the address of a document: it begins with http:, https: or file:"
            )));
        }
        Ok(Resource {
            named: names(address),
            place: Place::Http(url),
            credentials,
        })
    }

    /// A document that another one imports by this name; it is named as the other is.
    pub(super) fn beside(&self, resource: &Resource, name: &str) -> Result<Resource, Error> {
        let place = match &resource.place {
            Place::File(_) => Place::File(self.file(name)?),
            Place::Http(url) => {
                let joined = url.join(name).ok();
                let same = joined.filter(|joined| joined.origin() == url.origin());
                Place::Http(same.ok_or_else(|| {
                    invalid(format!("{}: can't import {name:?}", resource.name()))
                })?)
            }
        };
        Ok(Resource {
            place,
            named: resource.named,
            credentials: resource.credentials.clone(),
        })
    }

    /// A file below the resources folder. `file://app/a.proto` and `file:///app/a.proto` are the same.
    fn file(&self, name: &str) -> Result<PathBuf, Error> {
        let name = percent_encoding::percent_decode_str(name.trim_start_matches('/'))
            .decode_utf8()
            .map_err(|_| invalid(format!("file://{name} is not UTF-8")))?
            .into_owned();
        let relative = Path::new(&name);
        let is_plain = |part| matches!(part, Component::Normal(_));
        if name.is_empty() || !relative.components().all(is_plain) {
            return Err(invalid(format!(
                "file://{name} leaves the resources folder; name a file below it, such as \
                 file:///shop.yaml"
            )));
        }
        Ok(self.folder.join(relative))
    }

    /// The document's bytes.
    pub(super) async fn read(
        &self,
        caller: &Caller<'_>,
        resource: &Resource,
    ) -> Result<Vec<u8>, Error> {
        match &resource.place {
            Place::Http(url) => {
                let sender = caller.sender(resource.named, resource.credentials.as_deref());
                let outbound = caller.outbound;
                let fetched = outbound
                    .fetch(url.clone(), sender, DOCUMENT_BYTES_MAX)
                    .await;
                caller.enter(url, fetched.is_err());
                fetched
            }
            Place::File(path) => {
                let (path, folder) = (path.clone(), self.folder.clone());
                let read = tokio::task::spawn_blocking(move || read_below(&folder, &path)).await;
                read.map_err(|error| {
                    StandardError::Runtime.with("A file was not read", error.to_string())
                })?
            }
        }
    }
}

impl Resource {
    /// As messages name it.
    pub(super) fn name(&self) -> String {
        match &self.place {
            Place::Http(url) => {
                let mut url = url.clone();
                url.set_query(None);
                url.to_string()
            }
            Place::File(path) => path.display().to_string(),
        }
    }

    /// Its name without the folder: for a file, the one that the resources folder knows it by.
    pub(super) fn file_name(&self) -> String {
        match &self.place {
            Place::Http(url) => {
                let last = url.path().rsplit('/').next().unwrap_or_default();
                if last.is_empty() { "document" } else { last }.to_owned()
            }
            Place::File(path) => {
                let name = path.file_name().unwrap_or_default();
                name.to_string_lossy().into_owned()
            }
        }
    }

    /// What tells its content from that of others; a file that was changed is another one, and what was got
    /// with some credentials is not for others.
    pub(super) fn key(&self) -> String {
        match (&self.place, &self.credentials) {
            (Place::Http(url), None) => url.to_string(),
            (Place::Http(url), Some(credentials)) => {
                let mut hasher = DefaultHasher::new();
                credentials.hash(&mut hasher);
                format!("{url} {:x}", hasher.finish())
            }
            (Place::File(path), _) => {
                let changed = std::fs::metadata(path).and_then(|data| data.modified());
                format!("{} {changed:?}", path.display())
            }
        }
    }

    /// Whether whoever gave the document answers at this URL too.
    pub(super) fn is_from(&self, url: &Url) -> bool {
        match &self.place {
            Place::Http(own) => own.origin() == url.origin(),
            Place::File(_) => false,
        }
    }

    /// Whether a call to this URL, which the document names, counts as named by the workflow: a file of
    /// the user's own may name any host, another document its own host.
    pub(super) fn names(&self, url: &Url) -> bool {
        match &self.place {
            Place::Http(own) => self.named && own.host_str() == url.host_str(),
            Place::File(_) => true,
        }
    }
}

/// A file's bytes, unless a link leads out of the folder.
fn read_below(folder: &Path, path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |error: std::io::Error| {
        invalid(format!(
            "{} can't be read: {error}; put the document there",
            path.display()
        ))
    };
    let real = path.canonicalize().map_err(unreadable)?;
    if !real.starts_with(folder.canonicalize().map_err(unreadable)?) {
        return Err(invalid(format!(
            "{} is a link out of the resources folder",
            path.display()
        )));
    }
    let bytes = std::fs::metadata(&real).map_err(unreadable)?.len();
    if bytes > DOCUMENT_BYTES_MAX as u64 {
        return Err(invalid(format!(
            "{} has {bytes} bytes; a document has at most {DOCUMENT_BYTES_MAX}",
            path.display()
        )));
    }
    std::fs::read(&real).map_err(unreadable)
}

/// What was made of documents, for a while.
#[derive(Debug)]
pub(super) struct Cache<T> {
    kept: Mutex<HashMap<String, (Instant, Arc<T>)>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self {
            kept: Mutex::default(),
        }
    }
}

impl<T> Cache<T> {
    pub(super) fn get(&self, key: &str) -> Option<Arc<T>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, value) = kept.get(key)?;
        (since.elapsed() < FRESH).then(|| Arc::clone(value))
    }

    pub(super) fn put(&self, key: String, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, (since, _)| since.elapsed() < FRESH);
        }
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, (Instant::now(), Arc::clone(&value)));
        value
    }
}
