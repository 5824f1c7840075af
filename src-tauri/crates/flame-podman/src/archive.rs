//! Files and folders as tar archives on their way into a container and out of it, never whole in memory.
//!
//! Deliberately absent: what is in them. Whatever is no file, folder or link, such as a socket, holds no
//! data and is left out.

use std::fs::{File, Metadata};
use std::io::{BufWriter, Error, ErrorKind, Result, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::raw::Body;
use crate::spec::USER;

/// The bytes of one chunk, and how many chunks may wait for the socket.
const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS_MAX: usize = 8;

/// A file, or a folder with everything below it, as a body that is packed while it is sent; all of it
/// belongs to the container's user. What can't be read breaks the body, so that no part of an archive
/// passes for a whole one; the task tells whether all of it was taken.
pub(crate) fn pack(from: PathBuf, name: String) -> (Body, JoinHandle<bool>) {
    let (chunks, mut sent) = mpsc::channel(CHUNKS_MAX);
    let task = tokio::task::spawn_blocking(move || {
        let packed = write(&from, &name, Chunks(chunks.clone()));
        packed
            .map_err(|error| chunks.blocking_send(Err(error)))
            .is_ok()
    });
    let stream = stream::poll_fn(move |context| sent.poll_recv(context));
    (BodyExt::boxed(StreamBody::new(stream)), task)
}

/// How many bytes the files have.
pub(crate) fn size(from: &Path) -> Result<u64> {
    let mut bytes = 0;
    walk(from, &mut |_, metadata| {
        bytes += if metadata.is_file() {
            metadata.len()
        } else {
            0
        };
        Ok(())
    })?;
    Ok(bytes)
}

/// Where a body takes its chunks from.
struct Chunks(mpsc::Sender<Result<Frame<Bytes>>>);

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let chunk = Frame::data(Bytes::copy_from_slice(bytes));
        self.0
            .blocking_send(Ok(chunk))
            .map_err(|_| Error::new(ErrorKind::BrokenPipe, "nobody takes the archive"))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn write(from: &Path, name: &str, to: impl Write) -> Result<()> {
    let mut archive = Builder::new(BufWriter::with_capacity(CHUNK_BYTES, to));
    walk(from, &mut |path, metadata| {
        let below = path.strip_prefix(from).map_err(Error::other)?;
        let place = match below.as_os_str().is_empty() {
            true => PathBuf::from(name),
            false => Path::new(name).join(below),
        };
        append(&mut archive, path, &place, metadata)
    })?;
    archive.into_inner()?.flush()
}

/// Shows everything from here on downwards, a folder before what is in it. Follows no links.
fn walk(from: &Path, show: &mut impl FnMut(&Path, &Metadata) -> Result<()>) -> Result<()> {
    let mut ahead = vec![from.to_owned()];
    while let Some(path) = ahead.pop() {
        let metadata = path.symlink_metadata()?;
        show(&path, &metadata)?;
        if metadata.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                ahead.push(entry?.path());
            }
        }
    }
    Ok(())
}

fn append(
    archive: &mut Builder<impl Write>,
    path: &Path,
    place: &Path,
    metadata: &Metadata,
) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_uid(u64::from(USER));
    header.set_gid(u64::from(USER));
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or_default());
    header.set_size(0);
    let kind = metadata.file_type();
    if kind.is_dir() {
        header.set_entry_type(EntryType::Directory);
        header.set_mode((metadata.mode() & 0o777) | 0o700);
        return archive.append_data(&mut header, place, std::io::empty());
    }
    if kind.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        header.set_mode(0o777);
        return archive.append_link(&mut header, place, std::fs::read_link(path)?);
    }
    if !kind.is_file() {
        return Ok(());
    }
    let mut file = File::open(path)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode((metadata.mode() & 0o777) | 0o600);
    header.set_size(metadata.len());
    let content = std::io::Read::take(&mut file, metadata.len());
    archive.append_data(&mut header, place, content)?;
    if file.stream_position()? < metadata.len() {
        let changed = format!("{} became shorter while it was read", path.display());
        return Err(Error::new(ErrorKind::UnexpectedEof, changed));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Everything below a folder: path, kind, mode and content.
    fn listing(folder: &Path) -> Vec<String> {
        let mut list = Vec::new();
        walk(folder, &mut |path, metadata| {
            let below = path.strip_prefix(folder).unwrap().display();
            let mode = metadata.mode() & 0o777;
            list.push(if metadata.is_symlink() {
                format!("{below} -> {}", std::fs::read_link(path)?.display())
            } else if metadata.is_dir() {
                format!("{below}/ {mode:o}")
            } else {
                format!("{below} {mode:o} {}", std::fs::read_to_string(path)?)
            });
            Ok(())
        })
        .unwrap();
        list.sort();
        list
    }

    async fn packed(from: &Path, name: &str) -> Bytes {
        let (body, task) = pack(from.to_owned(), name.to_owned());
        let bytes = body.collect().await.unwrap().to_bytes();
        assert!(task.await.unwrap());
        bytes
    }

    #[tokio::test]
    async fn a_folder_comes_out_as_it_went_in() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        let long = "n".repeat(200);
        std::fs::create_dir_all(from.join("a/b/empty")).unwrap();
        std::fs::create_dir_all(from.join(&long).join(&long)).unwrap();
        std::fs::write(from.join("top.json"), "top").unwrap();
        std::fs::write(from.join("a/b/deep.json"), "deep").unwrap();
        std::fs::write(from.join(&long).join(&long).join("long"), "long").unwrap();
        std::fs::write(from.join("a/large"), "x".repeat(3 * CHUNK_BYTES + 1)).unwrap();
        let readable = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(from.join("a/large"), readable).unwrap();
        symlink("../top.json", from.join("a/link")).unwrap();
        symlink("nowhere", from.join("dangling")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        std::fs::rename(folder.path().join("s"), from.join("socket")).unwrap();

        let bytes = packed(&from, "named").await;
        let owners: Vec<u64> = tar::Archive::new(bytes.as_ref())
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().header().uid().unwrap())
            .collect();
        assert!(owners.iter().all(|owner| *owner == u64::from(USER)));
        let to = folder.path().join("to");
        tar::Archive::new(bytes.as_ref()).unpack(&to).unwrap();
        std::fs::remove_file(from.join("socket")).unwrap();
        assert_eq!(listing(&to.join("named")), listing(&from));
        assert_eq!(size(&from).unwrap(), 11 + 3 * CHUNK_BYTES as u64 + 1);
    }

    #[tokio::test]
    async fn a_file_stands_alone_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("copy"), "rows").unwrap();
        let bytes = packed(&folder.path().join("copy"), "agent.db").await;
        let to = folder.path().join("to");
        tar::Archive::new(bytes.as_ref()).unpack(&to).unwrap();
        assert_eq!(
            std::fs::read_to_string(to.join("agent.db")).unwrap(),
            "rows"
        );
    }

    #[tokio::test]
    async fn what_can_not_be_read_never_passes_for_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (body, task) = pack(folder.path().join("absent"), "files".to_owned());
        let error = body.collect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(!task.await.unwrap());
    }
}
