//! What the warehouse was asked, a line of JSON each: asked again in the same order, an empty shelf becomes what
//! it was. So the warehouse knows its reservations after its process was killed, as one elsewhere would.
//!
//! Deliberately absent: syncing. A loss of power may take the last lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::shelf::{Order, Refusal, Shelf, Shipment};

/// Lines after which the next start begins a new book, with new stock.
const LINES_MAX: usize = 50_000;

/// One request that may change something, under its key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Call {
    Reserve(Order),
    Release(String),
    Ship(Shipment),
}

#[derive(Serialize, Deserialize)]
struct Entry<'e> {
    key: std::borrow::Cow<'e, str>,
    call: Call,
}

/// A shelf, and where its calls are written down.
#[derive(Debug)]
pub(super) struct Book {
    shelf: Shelf,
    /// `None` for a warehouse that is new with every start.
    file: Option<File>,
}

impl Book {
    pub(super) const fn of(shelf: Shelf) -> Self {
        Self { shelf, file: None }
    }

    /// The shelf as the calls in this file left it.
    pub(super) fn open(path: &Path, mut shelf: Shelf) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        // A process that was killed may have left half a line.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let is_full = whole.lines().count() > LINES_MAX;
        let kept = if is_full { "" } else { whole };
        for line in kept.lines() {
            let Entry { key, call } = serde_json::from_str(line)?;
            // Refused then, and now.
            let _ = shelf.take(&key, &call);
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(kept.len() as u64)?;
        Ok(Self {
            shelf,
            file: Some(file),
        })
    }

    pub(super) const fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Writes the call down and does it.
    pub(super) fn take(&mut self, key: &str, call: Call) -> Result<Value, Refusal> {
        if let Some(file) = &mut self.file {
            let key = key.into();
            let entry = Entry { key, call };
            let mut line = serde_json::to_vec(&entry).expect("a call always serialises");
            line.push(b'\n');
            if let Err(error) = file.write_all(&line) {
                tracing::warn!(%error, "The sample's warehouse can't write its book");
                return Err(Refusal::Busy);
            }
            return self.shelf.take(&entry.key, &entry.call);
        }
        self.shelf.take(key, &call)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reserve(order: &str) -> Call {
        let lines = json!({ "order": order, "items": [{ "sku": "clock-cuckoo", "quantity": 1 }] });
        Call::Reserve(serde_json::from_value(lines).unwrap())
    }

    #[test]
    fn a_book_that_is_opened_again_has_its_stock_and_keys_and_drops_half_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/warehouse.jsonl");
        let mut book = Book::open(&path, Shelf::new(0)).unwrap();
        let first = book.take("1", reserve("a")).unwrap();
        book.take("2", reserve("b")).unwrap();
        let before = book.shelf().ledger();
        drop(book);
        let mut half = OpenOptions::new().append(true).open(&path).unwrap();
        half.write_all(br#"{"key":"3","call":{"rel"#).unwrap();

        let mut book = Book::open(&path, Shelf::new(0)).unwrap();
        assert_eq!(book.shelf().ledger(), before);
        assert_eq!(
            book.take("1", reserve("a")),
            Ok(first),
            "the same key does it once"
        );
        let shipment = json!({ "order": "b", "method": "standard" });
        let shipment = serde_json::from_value(shipment).unwrap();
        book.take("4", Call::Ship(shipment)).unwrap();
        book.take("5", Call::Release("a".to_owned())).unwrap();
        drop(book);
        let book = Book::open(&path, Shelf::new(0)).unwrap();
        assert_eq!(book.shelf().ledger()["reserved"], 1);
    }

    #[test]
    fn a_full_book_is_followed_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("warehouse.jsonl");
        let line = serde_json::to_string(&Entry {
            key: "k".into(),
            call: Call::Release("o".to_owned()),
        });
        let lines = (line.unwrap() + "\n").repeat(LINES_MAX + 1);
        fs::write(&path, lines).unwrap();
        let book = Book::open(&path, Shelf::new(0)).unwrap();
        assert_eq!(book.shelf().ledger()["entries"], json!([]));
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }
}
