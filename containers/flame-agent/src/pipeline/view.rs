//! Pipelines, feeds and dead letters in the words of the wire.

use flame_agent_api::{DeadLetterOrigin, FeedState, FeedStatus, PipelineView};
use flame_errors::Code;
use flame_store::{DeadLetter, Feed};

use super::handle::DeployedPipeline;

/// A pipeline; lists leave its text out.
pub fn pipeline_view(deployed: &DeployedPipeline, with_text: bool) -> PipelineView {
    let pipeline = &deployed.pipeline;
    PipelineView {
        namespace: pipeline.namespace.to_string(),
        name: pipeline.name.to_string(),
        version: pipeline.version.to_string(),
        title: pipeline.title.clone(),
        summary: pipeline.summary.clone(),
        hash: pipeline.hash.to_string(),
        deployed_at: deployed.updated,
        text: with_text.then(|| deployed.text.clone()),
        dead_letters: deployed.dead_letters,
    }
}

/// Where a feed stands.
pub fn feed_status(feed: &Feed) -> FeedStatus {
    let (namespace, name) = feed
        .pipeline
        .split_once('/')
        .unwrap_or(("", &feed.pipeline));
    let state = if feed.complete {
        FeedState::Completed
    } else if feed.detail["running"].as_bool().unwrap_or(false) {
        FeedState::Running
    } else {
        FeedState::Interrupted
    };
    FeedStatus {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        identity: feed.source.clone(),
        source: feed.detail["name"]
            .as_str()
            .unwrap_or(&feed.source)
            .to_owned(),
        state,
        offset: feed.offset,
        total: feed.detail["total"].as_u64().unwrap_or(0),
        rows: feed.records,
        dead_letters: feed.dead,
        error: feed.detail["error"].as_str().map(str::to_owned),
        updated_at: feed.updated,
    }
}

/// A dead letter of a pipeline.
pub fn dead_letter(letter: &DeadLetter) -> flame_agent_api::DeadLetter {
    let address = letter
        .origin
        .strip_prefix("pipeline/")
        .unwrap_or(&letter.origin);
    let (namespace, name) = address.split_once('/').unwrap_or(("", address));
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let shown = String::from_utf8_lossy(&letter.payload).into_owned();
    flame_agent_api::DeadLetter {
        id: letter.id,
        origin: DeadLetterOrigin::Pipeline {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            source: text(&letter.detail["source"]),
            line: letter.detail["line"].as_u64().unwrap_or(0),
        },
        edited: shown != String::from_utf8_lossy(&letter.original),
        record: shown,
        content_type: letter.content_type.clone(),
        code: serde_json::from_value(letter.error["code"].clone()).unwrap_or(Code::InputInvalid),
        error: text(&letter.error["detail"]),
        at: letter.created,
        attempts: letter.attempts,
    }
}
