//! What everybody else holds of the pipelines. Clones share it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flame_agent_api::media;
use flame_connector::Sink;
use flame_dsl::{Format, Pipeline, PipelineSource, parse_pipeline};
use flame_store::{
    DeadLetter, DeadLetterState, Definition, DefinitionKey, Feed, Operation, Page, Store,
};
use flame_types::{Namespace, Timestamp, WorkflowName};
use futures::Stream;

use super::error::Error;
use super::feed::{self, Feeding};
use super::letter;
use super::write::open_sink;
use crate::runtime::{Change, Handle};

/// Kind of document in the store.
const KIND: &str = "pipeline";
/// Files that are fed at once; each holds a few megabytes.
const FEEDS_MAX: usize = 8;
/// Longest identity and name of a file, in bytes.
const NAME_BYTES_MAX: usize = 512;
/// Pipelines that a list shows.
const PIPELINES_MAX: usize = 1_000;
/// Feeds of one pipeline that a list shows.
const FEEDS_SHOWN_MAX: usize = 200;

/// The pipelines of one runtime. Make one, and clone it.
#[derive(Debug, Clone)]
pub struct Pipelines {
    runtime: Handle,
    running: Arc<Mutex<HashSet<FeedKey>>>,
}

/// `namespace/name`, and the file's identity.
type FeedKey = (String, String);

/// A pipeline as it is deployed.
#[derive(Debug, Clone)]
pub struct DeployedPipeline {
    pub pipeline: Pipeline,
    /// `application/yaml` or `application/json`.
    pub content_type: String,
    /// The document as it was put.
    pub text: String,
    pub updated: Timestamp,
    /// Dead letters that wait for a person.
    pub dead_letters: u64,
}

/// One file, or the rest of one, on its way in.
#[derive(Debug, Clone)]
pub struct FeedRequest {
    pub namespace: Namespace,
    pub name: WorkflowName,
    /// Tells this content from any other.
    pub identity: String,
    /// The file's name, for people; the identity where it is `None`.
    pub source: Option<String>,
    /// Byte of the file at which the body starts.
    pub offset: u64,
    /// Bytes of the whole file; where it is `None` the end of the body is the end of the file.
    pub total: Option<u64>,
    /// Content type of the body, without parameters.
    pub media: String,
}

/// A page of dead letters that wait for a person, newest first.
#[derive(Debug, Clone)]
pub struct LetterPage {
    pub letters: Vec<DeadLetter>,
    /// The id to go on behind, where there is more.
    pub next: Option<u64>,
    /// How many there are over all pages.
    pub total: u64,
}

/// What sending a dead letter again came to.
#[derive(Debug, Clone)]
pub enum Sent {
    /// It went through and is gone.
    Taken,
    /// It failed again and stays, with the new error.
    Refused(Box<DeadLetter>),
}

impl Pipelines {
    pub fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            running: Arc::default(),
        }
    }

    fn store(&self) -> &Store {
        self.runtime.store()
    }

    // Documents

    /// Parses, checks and stores a pipeline; `path` is the address it was put at. The flag is true
    /// where the address is new. Checkpoints of its feeds stay.
    pub async fn deploy(
        &self,
        text: &str,
        content_type: &str,
        path: (&Namespace, &WorkflowName),
    ) -> Result<(DeployedPipeline, bool), Error> {
        let pipeline = parse_pipeline(text, format_of(content_type))
            .map_err(|problems| Error::DefinitionInvalid { problems })?;
        if (&pipeline.namespace, &pipeline.name) != path {
            return Err(Error::PathMismatch {
                path: format!("{}/{}", path.0, path.1),
                document: format!("{}/{}", pipeline.namespace, pipeline.name),
            });
        }
        let key = key(&pipeline.namespace, &pipeline.name);
        let new = self.store().definition(key.clone()).await?.is_none();
        let definition = Definition {
            key,
            hash: pipeline.hash.to_string(),
            content_type: content_type.to_owned(),
            body: text.as_bytes().to_vec(),
            detail: serde_json::json!({ "version": pipeline.version, "title": pipeline.title }),
            updated: Timestamp::now(),
        };
        self.store()
            .commit(Operation::PutDefinition(Box::new(definition.clone())))
            .await?;
        self.runtime.announce(Change::Pipelines);
        let waiting = self.waiting(&pipeline.namespace, &pipeline.name).await?;
        Ok((deployed(definition, waiting)?, new))
    }

    /// Removes a pipeline that is not being fed; false where there was none. Dead letters stay.
    pub async fn undeploy(
        &self,
        namespace: &Namespace,
        name: &WorkflowName,
    ) -> Result<bool, Error> {
        let (key, pipeline) = (key(namespace, name), format!("{namespace}/{name}"));
        if self.store().definition(key.clone()).await?.is_none() {
            return Ok(false);
        }
        if self.running().iter().any(|(fed, _)| *fed == pipeline) {
            return Err(Error::InUse { pipeline });
        }
        self.store()
            .commit(Operation::DeleteDefinition(key))
            .await?;
        self.runtime.announce(Change::Pipelines);
        Ok(true)
    }

    pub async fn deployed(
        &self,
        namespace: &Namespace,
        name: &WorkflowName,
    ) -> Result<Option<DeployedPipeline>, Error> {
        match self.store().definition(key(namespace, name)).await? {
            Some(definition) => {
                deployed(definition, self.waiting(namespace, name).await?).map(Some)
            }
            None => Ok(None),
        }
    }

    /// By name, at most 1,000.
    pub async fn deployed_list(&self) -> Result<Vec<DeployedPipeline>, Error> {
        let counts = self.store().dead_letter_counts().await?;
        let definitions = self
            .store()
            .definitions(KIND, Page::first(PIPELINES_MAX))
            .await?;
        definitions
            .into_iter()
            .map(|definition| {
                let origin = letter::origin(&definition.key.namespace, &definition.key.name);
                deployed(definition, open_of(&counts, &origin))
            })
            .collect()
    }

    async fn waiting(&self, namespace: &Namespace, name: &WorkflowName) -> Result<u64, Error> {
        let counts = self.store().dead_letter_counts().await?;
        Ok(open_of(
            &counts,
            &letter::origin(namespace.as_str(), name.as_str()),
        ))
    }

    // Feeds

    /// Takes a file in as it streams, and answers where it stands when the body has ended. Dropping
    /// the future stops the feed at its last checkpoint.
    pub async fn feed<S, E>(&self, request: FeedRequest, body: S) -> Result<Feed, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::fmt::Display + Send,
    {
        check_names(&request)?;
        let found = self.deployed(&request.namespace, &request.name).await?;
        let name = format!("{}/{}", request.namespace, request.name);
        let pipeline = found
            .ok_or(Error::PipelineUnknown {
                pipeline: name.clone(),
            })?
            .pipeline;
        check_media(&pipeline, &request.media)?;
        let running = self.admit((name, request.identity.clone()))?;
        let feeding = Feeding::begin(self.store(), pipeline, &request).await?;
        let mut sink = self.sink(feeding.pipeline()).await?;
        let announce = |feed: &Feed, dead: bool| {
            self.runtime.announce(Change::Feed(Arc::new(feed.clone())));
            if dead {
                self.runtime.announce(Change::DeadLetters);
            }
        };
        let accepting = || self.runtime.is_accepting();
        let ended = feed::run(
            feeding,
            self.store(),
            sink.as_mut(),
            body,
            &announce,
            &accepting,
        )
        .await;
        drop(running);
        let (feed, outcome) = ended;
        // Once more, as a feed that is no longer running.
        self.runtime.announce(Change::Feed(Arc::new(feed.clone())));
        outcome.map(|()| feed)
    }

    /// Where feeds of a pipeline stand, latest first; of one file alone where `identity` says so.
    pub async fn feeds(
        &self,
        namespace: &Namespace,
        name: &WorkflowName,
        identity: Option<&str>,
    ) -> Result<Vec<Feed>, Error> {
        let pipeline = format!("{namespace}/{name}");
        let mut feeds = match identity {
            Some(identity) => self
                .store()
                .feed(&pipeline, identity)
                .await?
                .into_iter()
                .collect(),
            None => self.store().feeds(Some(pipeline), FEEDS_SHOWN_MAX).await?,
        };
        let running = self.running();
        for feed in &mut feeds {
            if running.contains(&(feed.pipeline.clone(), feed.source.clone())) {
                feed::mark_running(feed);
            }
        }
        Ok(feeds)
    }

    fn admit(&self, key: FeedKey) -> Result<Running, Error> {
        let mut running = self.running();
        if running.contains(&key) {
            return Err(Error::FeedRunning {
                pipeline: key.0,
                identity: key.1,
            });
        }
        if running.len() >= FEEDS_MAX {
            return Err(Error::TooManyFeeds { limit: FEEDS_MAX });
        }
        running.insert(key.clone());
        Ok(Running {
            pipelines: self.clone(),
            key,
        })
    }

    fn running(&self) -> MutexGuard<'_, HashSet<FeedKey>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sink(&self, pipeline: &Pipeline) -> Result<Box<dyn Sink>, Error> {
        open_sink(self.runtime.connections(), pipeline).await
    }

    // Dead letters

    /// Dead letters that wait for a person, newest first, of one pipeline or all.
    pub async fn letters(
        &self,
        pipeline: Option<(&Namespace, &WorkflowName)>,
        page: Page<u64>,
    ) -> Result<LetterPage, Error> {
        let origin =
            pipeline.map(|(namespace, name)| letter::origin(namespace.as_str(), name.as_str()));
        let counts = self.store().dead_letter_counts().await?;
        let total = match &origin {
            Some(origin) => open_of(&counts, origin),
            None => counts
                .iter()
                .filter(|(_, state, _)| *state == DeadLetterState::Open)
                .map(|(_, _, count)| count)
                .sum(),
        };
        let limit = page.limit;
        let letters = self
            .store()
            .dead_letters(Some(DeadLetterState::Open), origin, page)
            .await?;
        let next = letters
            .last()
            .filter(|_| letters.len() >= limit)
            .map(|letter| letter.id);
        Ok(LetterPage {
            letters,
            next,
            total,
        })
    }

    pub async fn letter(&self, id: u64) -> Result<DeadLetter, Error> {
        self.store()
            .dead_letter(id)
            .await?
            .ok_or(Error::LetterUnknown { id })
    }

    /// Replaces the record; it is not sent yet.
    pub async fn edit(&self, id: u64, record: &str) -> Result<DeadLetter, Error> {
        let before = self.letter(id).await?;
        let edited = letter::edited(&before, record, Timestamp::now())?;
        self.replace(edited, before.revision).await
    }

    /// Sends the record through its pipeline again.
    pub async fn send(&self, id: u64) -> Result<Sent, Error> {
        let before = self.letter(id).await?;
        let (namespace, name) = letter::pipeline_of(&before)?;
        let found = self.deployed(&namespace, &name).await?;
        let pipeline = found
            .ok_or_else(|| Error::PipelineUnknown {
                pipeline: format!("{namespace}/{name}"),
            })?
            .pipeline;
        let mut sink = self.sink(&pipeline).await?;
        match letter::send(&before, pipeline, sink.as_mut()).await? {
            None => self.remove(&before).await.map(|()| Sent::Taken),
            Some(error) => {
                let refused = letter::refused(&before, error, Timestamp::now());
                self.replace(refused, before.revision)
                    .await
                    .map(|kept| Sent::Refused(Box::new(kept)))
            }
        }
    }

    /// Removes the record for good.
    pub async fn discard(&self, id: u64) -> Result<(), Error> {
        let before = self.letter(id).await?;
        self.remove(&before).await
    }

    /// Removes a letter as it was read: what somebody made of it since stays.
    async fn remove(&self, read: &DeadLetter) -> Result<(), Error> {
        let operation = Operation::DeleteDeadLetter {
            id: read.id,
            expected_revision: read.revision,
        };
        self.store().commit(operation).await?;
        self.runtime.announce(Change::DeadLetters);
        Ok(())
    }

    async fn replace(
        &self,
        letter: DeadLetter,
        expected_revision: u64,
    ) -> Result<DeadLetter, Error> {
        let operation = Operation::UpdateDeadLetter {
            letter: Box::new(letter.clone()),
            expected_revision,
        };
        self.store().commit(operation).await?;
        self.runtime.announce(Change::DeadLetters);
        Ok(letter)
    }
}

/// A feed that is under way; ends with it, also when its sender goes away.
struct Running {
    pipelines: Pipelines,
    key: FeedKey,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pipelines.running().remove(&self.key);
    }
}

fn key(namespace: &Namespace, name: &WorkflowName) -> DefinitionKey {
    DefinitionKey::unversioned(KIND, namespace.as_str(), name.as_str())
}

fn format_of(content_type: &str) -> Format {
    if content_type == media::JSON {
        Format::Json
    } else {
        Format::Yaml
    }
}

fn deployed(definition: Definition, dead_letters: u64) -> Result<DeployedPipeline, Error> {
    let unreadable = |problem: String| Error::Internal {
        detail: format!("the stored pipeline {}: {problem}", definition.key.name),
    };
    let text = String::from_utf8(definition.body).map_err(|error| unreadable(error.to_string()))?;
    let pipeline = parse_pipeline(&text, format_of(&definition.content_type))
        .map_err(|problems| Error::DefinitionInvalid { problems })?;
    Ok(DeployedPipeline {
        pipeline,
        content_type: definition.content_type,
        text,
        updated: definition.updated,
        dead_letters,
    })
}

fn open_of(counts: &[(String, DeadLetterState, u64)], origin: &str) -> u64 {
    counts
        .iter()
        .filter(|(of, state, _)| of == origin && *state == DeadLetterState::Open)
        .map(|(_, _, count)| count)
        .sum()
}

fn check_names(request: &FeedRequest) -> Result<(), Error> {
    let source = request.source.as_deref().unwrap_or(&request.identity);
    for (what, text) in [("identity", request.identity.as_str()), ("source", source)] {
        let problem = if text.is_empty() {
            "it is empty; name the file"
        } else if text.len() > NAME_BYTES_MAX {
            "it is longer than 512 bytes"
        } else if text.chars().any(char::is_control) {
            "it has a control character"
        } else {
            continue;
        };
        return Err(Error::ParameterInvalid {
            what,
            problem: problem.to_owned(),
        });
    }
    if let Some(total) = request.total.filter(|total| *total < request.offset) {
        let problem = format!("{} is behind the end of the file, {total}", request.offset);
        return Err(Error::ParameterInvalid {
            what: "offset",
            problem,
        });
    }
    Ok(())
}

fn check_media(pipeline: &Pipeline, found: &str) -> Result<(), Error> {
    let expected = match pipeline.source {
        PipelineSource::Csv { .. } => media::CSV,
        PipelineSource::Ndjson => media::NDJSON,
    };
    if expected.eq_ignore_ascii_case(found) {
        return Ok(());
    }
    Err(Error::MediaType {
        pipeline: format!("{}/{}", pipeline.namespace, pipeline.name),
        expected,
        found: found.to_owned(),
    })
}
