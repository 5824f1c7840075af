//! Pipelines: files streamed row by row through a jq map into a sink, each byte accounted for.
//!
//! A feed is one file on its way into one pipeline. Its checkpoint and the dead letters before it are
//! one commit, and the sink's writes are by key: after a crash the rows behind the checkpoint are
//! written again, and nothing is lost or doubled. Deliberately absent: watching folders and reading
//! files (the shell does that), and HTTP.

mod columns;
mod error;
mod feed;
mod frame;
mod handle;
mod letter;
mod mapping;
mod view;
mod write;

pub use error::Error;
pub use handle::{DeployedPipeline, FeedRequest, LetterPage, Pipelines, Sent};
pub use view::{dead_letter, feed_status, pipeline_view};

#[cfg(test)]
mod tests;
