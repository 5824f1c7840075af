//! Definitions and inputs as they come from files, stdin and the command line.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flame_dsl::{Format, TEXT_BYTES_MAX};
use flame_types::json;
use secrecy::SecretString;
use serde_json::Value;

/// Bytes of an input.
const INPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The format by the file's ending: JSON for `.json`, else YAML.
pub(super) fn format(file: &Path) -> Format {
    let is_json = file
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    if is_json { Format::Json } else { Format::Yaml }
}

/// A definition's bytes; one that is too large is read just far enough to say so.
pub(super) fn definition(file: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("{} can't be read: {error}", file.display());
    let opened = File::open(file).map_err(failed)?;
    let size = opened.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    opened
        .take(TEXT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > TEXT_BYTES_MAX {
        // The message names the size, so the rest counts, unread.
        bytes.resize(
            usize::try_from(size)
                .unwrap_or(usize::MAX)
                .clamp(bytes.len(), 4 * TEXT_BYTES_MAX),
            b' ',
        );
    }
    Ok(bytes)
}

/// An input: JSON, `@file` or `-` for stdin.
pub(super) fn input(given: &str) -> Result<Value, String> {
    if given == "-" {
        return parse(&read(std::io::stdin().lock(), "stdin")?, "stdin");
    }
    json("--input", given)
}

/// What an option gives: JSON or `@file`.
pub(super) fn json(option: &str, given: &str) -> Result<Value, String> {
    let (text, origin) = match given.strip_prefix('@') {
        Some(file) => {
            let opened =
                File::open(file).map_err(|error| format!("{file} can't be read: {error}"))?;
            (read(opened, file)?, file.to_owned())
        }
        None => (given.to_owned(), option.to_owned()),
    };
    parse(&text, &origin)
}

fn parse(text: &str, origin: &str) -> Result<Value, String> {
    json::from_str(text).map_err(|error| format!("the input from {origin} is not JSON: {error}"))
}

/// A secret: `@file` or `-` for stdin, without the newline at its end.
pub(super) fn secret(given: &str) -> Result<SecretString, String> {
    let text = match given.strip_prefix('@') {
        Some(file) => {
            let opened =
                File::open(file).map_err(|error| format!("{file} can't be read: {error}"))?;
            read(opened, file)?
        }
        None => read(std::io::stdin().lock(), "stdin")?,
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(SecretString::from(
        text.strip_suffix('\r').unwrap_or(text).to_owned(),
    ))
}

fn read(from: impl Read, origin: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(INPUT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("{origin} can't be read: {error}"))?;
    if bytes.len() > INPUT_BYTES_MAX {
        return Err(format!(
            "{origin} has more than {INPUT_BYTES_MAX} bytes, the most that is taken"
        ));
    }
    String::from_utf8(bytes).map_err(|error| format!("{origin} is not UTF-8: {error}"))
}
