//! The agent's image: built FROM scratch out of the static program, and checked against it.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::raw::{Raw, whole};
use crate::{Error, LABEL, Place};

const CONTAINERFILE: &str = include_str!("../../../../containers/flame-agent/Containerfile");

/// Label that names the program which an image was built from.
const PROGRAM_LABEL: &str = "io.mastra.program";

/// The static `flame-agent` that goes into the image.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    bytes: Bytes,
    digest: String,
}

/// An image that holds exactly the program, by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentImage {
    pub id: String,
    /// `sha256:...` of the program inside.
    pub program: String,
    /// Whether it was built now, or stood there already.
    pub built: bool,
}

impl Program {
    /// Reads the program and takes its checksum.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::ImageMissing {
                path: path.to_owned(),
            },
            _ => Error::io(format!("reading {}", path.display()))(error),
        })?;
        let digest = Sha256::digest(&bytes)
            .iter()
            .fold("sha256:".to_owned(), |mut text, byte| {
                text.push_str(&format!("{byte:02x}"));
                text
            });
        Ok(Self {
            path: path.to_owned(),
            bytes: bytes.into(),
            digest,
        })
    }

    /// `localhost/mastra/flame-agent:<first 16 digits of the checksum>`.
    pub fn tag(&self) -> String {
        format!(
            "localhost/mastra/flame-agent:{}",
            &self.digest["sha256:".len()..][..16]
        )
    }

    fn context(&self) -> Result<Vec<u8>, Error> {
        let failed = || Error::io(format!("packing {}", self.path.display()));
        let mut archive = tar::Builder::new(Vec::new());
        archive.sparse(false);
        append(
            &mut archive,
            "Containerfile",
            0o644,
            CONTAINERFILE.as_bytes(),
        )
        .map_err(failed())?;
        append(&mut archive, "flame-agent", 0o755, &self.bytes).map_err(failed())?;
        archive.into_inner().map_err(failed())
    }
}

impl AgentImage {
    /// The image of this program: the one that is there if its label fits, else built anew.
    pub async fn ensure(place: &Place, program: &Program) -> Result<Self, Error> {
        let raw = Raw::new(&place.socket);
        if let Some(image) = find(&raw, program).await? {
            return Ok(Self {
                built: false,
                ..image
            });
        }
        build(&raw, program).await?;
        find(&raw, program)
            .await?
            .ok_or_else(|| Error::ImageForeign {
                id: program.tag(),
                detail: "it is not there after the build".to_owned(),
            })
    }
}

async fn find(raw: &Raw, program: &Program) -> Result<Option<AgentImage>, Error> {
    let path = format!("/images/{}/json", encode(&program.tag()));
    let inspect = match raw
        .json("inspecting the image", Method::GET, &path, None)
        .await
    {
        Ok(inspect) => inspect,
        Err(Error::Refused { status: 404, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let id = inspect["Id"].as_str().unwrap_or_default().to_owned();
    let label = inspect["Labels"][PROGRAM_LABEL]
        .as_str()
        .unwrap_or_default();
    if label != program.digest {
        let detail = format!(
            "its label names {label:?}, the program is {}",
            program.digest
        );
        return Err(Error::ImageForeign { id, detail });
    }
    Ok(Some(AgentImage {
        id,
        program: program.digest.clone(),
        built: true,
    }))
}

async fn build(raw: &Raw, program: &Program) -> Result<(), Error> {
    let operation = "building the agent's image";
    let labels = json!({ PROGRAM_LABEL: program.digest, LABEL: "image" }).to_string();
    let path = format!(
        "/build?dockerfile=Containerfile&pull=false&networkmode=none&rm=true&t={}&labels={}",
        encode(&program.tag()),
        encode(&labels)
    );
    let context = whole(program.context()?);
    let answer = raw
        .bytes(operation, Method::POST, &path, "application/x-tar", context)
        .await?;
    let failure = answer
        .split(|byte| *byte == b'\n')
        .filter_map(|line| flame_types::json::from_slice::<Value>(line).ok())
        .find_map(|line| line["error"].as_str().map(str::to_owned));
    match failure {
        Some(message) => Err(Error::Refused {
            operation: operation.to_owned(),
            status: 500,
            message,
        }),
        None => Ok(()),
    }
}

fn append(
    archive: &mut tar::Builder<Vec<u8>>,
    name: &str,
    mode: u32,
    bytes: &[u8],
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    archive.append_data(&mut header, name, bytes)
}

/// Percent-encodes all but unreserved characters.
pub(crate) fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}
