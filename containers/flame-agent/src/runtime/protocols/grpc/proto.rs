//! A proto file and what it imports, compiled.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use flame_engine::{Error, StandardError};
use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::super::resources::{Resource, Resources};
use super::super::{Caller, invalid};

/// Files that one proto may import, with all that those import.
const FILES_MAX: usize = 64;
/// Brackets within brackets: the compiler descends into each, on a stack that ends.
const NESTING_MAX: usize = 64;

/// Compiles a proto; imports are sought beside it, where the standard's own are not meant.
pub(super) async fn compile(
    resources: &Resources,
    caller: &Caller<'_>,
    resource: &Resource,
) -> Result<DescriptorPool, Error> {
    let main = resource.file_name();
    let mut files = BTreeMap::new();
    let mut wanted = vec![main.clone()];
    while let Some(name) = wanted.pop() {
        if files.len() >= FILES_MAX {
            return Err(invalid(format!(
                "{} imports more than {FILES_MAX} files",
                resource.name()
            )));
        }
        let place = match name == main {
            true => None,
            false => Some(resources.beside(resource, &name)?),
        };
        let place = place.as_ref().unwrap_or(resource);
        let bytes = resources.read(caller, place).await?;
        let text = String::from_utf8(bytes)
            .map_err(|_| invalid(format!("{} is not UTF-8", place.name())))?;
        if is_too_deep(&text) {
            return Err(invalid(format!(
                "{} has brackets nested deeper than {NESTING_MAX} levels",
                place.name()
            )));
        }
        files.insert(name, text);
        let (known, start) = (files.clone(), main.clone());
        let compiled = tokio::task::spawn_blocking(move || attempt(known, &start)).await;
        match compiled.map_err(|error| {
            StandardError::Runtime.with("A proto was not read", error.to_string())
        })? {
            Ok(pool) => return Ok(pool),
            Err(Failure::Missing(name)) => wanted.push(name),
            Err(Failure::Wrong(problem)) => {
                return Err(invalid(format!("{}: {problem}", resource.name())));
            }
        }
    }
    Err(invalid(format!("{} can't be compiled", resource.name())))
}

enum Failure {
    /// A file is imported that is not known yet.
    Missing(String),
    Wrong(String),
}

fn attempt(files: BTreeMap<String, String>, main: &str) -> Result<DescriptorPool, Failure> {
    let missing = Arc::new(Mutex::new(None));
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    resolver.add(Known {
        files,
        missing: Arc::clone(&missing),
    });
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    let outcome = compiler.open_file(Path::new(main)).map(|_| ());
    let missing = missing
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    match (outcome, missing) {
        (Ok(()), _) => Ok(compiler.descriptor_pool()),
        (Err(_), Some(name)) => Err(Failure::Missing(name)),
        (Err(error), None) => Err(Failure::Wrong(format!("{error:?}"))),
    }
}

/// Files that were read already; the first that was not is noted.
struct Known {
    files: BTreeMap<String, String>,
    missing: Arc<Mutex<Option<String>>>,
}

impl FileResolver for Known {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if let Some(text) = self.files.get(name) {
            return File::from_source(name, text);
        }
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.get_or_insert_with(|| name.to_owned());
        Err(protox::Error::file_not_found(name))
    }
}

fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > NESTING_MAX
    })
}
