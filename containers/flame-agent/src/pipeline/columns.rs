//! The fields of a CSV record, and the names that its columns have.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Columns of one file.
const COLUMNS_MAX: usize = 2_000;

/// Splits records into fields; keeps its buffers from one to the next.
pub(super) struct Fields {
    reader: Reader,
    output: Vec<u8>,
    ends: Vec<usize>,
}

impl Fields {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            output: vec![0; 1024],
            ends: vec![0; 64],
        }
    }

    /// The fields of one record, unquoted.
    pub(super) fn split(&mut self, record: &str) -> Vec<&str> {
        self.reader.reset();
        let (mut input, mut written, mut fields) = (record.as_bytes(), 0, 0);
        // Each turn takes input or doubles a buffer, so this ends.
        loop {
            let (result, taken, text, ends) = self.reader.read_record(
                input,
                &mut self.output[written..],
                &mut self.ends[fields..],
            );
            input = &input[taken..];
            written += text;
            fields += ends;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.output.resize(self.output.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        let mut from = 0;
        self.ends[..fields]
            .iter()
            .map(|end| {
                let field = &self.output[from..*end];
                from = *end;
                // Taking quotes out of UTF-8 leaves UTF-8.
                std::str::from_utf8(field).unwrap_or_default()
            })
            .collect()
    }
}

/// The names in a header record: without outer spaces, `c1`, `c2` .. where there is none.
pub(super) fn named(header: &[&str]) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    refuse_too_many(header.len())?;
    for (at, name) in header.iter().enumerate() {
        let name = match name.trim() {
            "" => format!("c{}", at + 1),
            name => name.to_owned(),
        };
        if names.contains(&name) {
            return Err(format!("the header names the column {name:?} twice"));
        }
        names.push(name);
    }
    Ok(names)
}

/// `c1`, `c2` .. for a file without a header.
pub(super) fn numbered(count: usize) -> Result<Vec<String>, String> {
    refuse_too_many(count)?;
    Ok((1..=count).map(|at| format!("c{at}")).collect())
}

fn refuse_too_many(count: usize) -> Result<(), String> {
    if count <= COLUMNS_MAX {
        return Ok(());
    }
    Err(format!(
        "it has {count} columns; at most {COLUMNS_MAX} are taken"
    ))
}
