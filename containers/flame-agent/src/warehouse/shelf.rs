//! What the warehouse holds: articles, reservations, shipments, and what each key did.

use std::collections::{BTreeMap, HashMap, VecDeque};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::book::Call;

/// Keys that the ledger remembers; the oldest goes first.
const KEYS_MAX: usize = 20_000;
/// Lines of one order.
const LINES_MAX: usize = 100;
/// Pieces of one line.
const QUANTITY_MAX: u32 = 1_000;
/// Longest name of an order, in bytes.
const ORDER_BYTES_MAX: usize = 64;
/// Tries of one key that fail when its order has the flaky article.
const FLAKY_TRIES: u32 = 2;

/// Article, title, price in cents, pieces.
const ARTICLES: &[(&str, &str, u32, u32)] = &[
    ("mug-blue", "Blue mug", 1_250, 1_000_000),
    ("tea-green", "Green tea, 250 g", 490, 1_000_000),
    ("kettle-steel", "Steel kettle", 5_900, 1_000_000),
    ("chair-oak", "Oak chair", 24_900, 1_000_000),
    // Runs out at once, to see an undo.
    ("clock-cuckoo", "Cuckoo clock", 48_000, 3),
    // Fails twice before it works, to see retries.
    ("lamp-flaky", "Flaky lamp", 3_200, 1_000_000),
];

/// Asks for stock.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    order: String,
    items: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    sku: String,
    quantity: u32,
}

/// Asks for reserved stock to be sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shipment {
    order: String,
    method: String,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Send an Idempotency-Key header, so that a second try is no second order.")]
    KeyMissing,
    #[error("This Idempotency-Key was used for something else.")]
    KeyTaken,
    #[error("The warehouse is busy. Try again in a moment.")]
    Busy,
    #[error("{0}")]
    Invalid(String),
    #[error("There is no article {0:?}; GET /prices lists what there is.")]
    ArticleUnknown(String),
    #[error("Only {left} pieces of {sku} are left, and {wanted} are wanted.")]
    SoldOut { sku: String, left: u32, wanted: u32 },
    #[error("Order {0} has another reservation already.")]
    OrderTaken(String),
    #[error("Order {0} has no reservation.")]
    NotReserved(String),
    #[error("There is no shipping method {0:?}; there are standard, express and overnight.")]
    MethodUnknown(String),
    #[error("Nobody delivers overnight at the moment.")]
    NoCarrier,
}

impl Refusal {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::KeyMissing | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::KeyTaken | Self::ArticleUnknown(_) | Self::MethodUnknown(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Busy | Self::NoCarrier => StatusCode::SERVICE_UNAVAILABLE,
            Self::SoldOut { .. } | Self::OrderTaken(_) => StatusCode::CONFLICT,
            Self::NotReserved(_) => StatusCode::NOT_FOUND,
        }
    }
}

/// What one key asked for, and what came of it.
#[derive(Debug)]
struct Entry {
    action: String,
    requests: u32,
    /// How often stock or shipments changed for it: 1 at most.
    effects: u32,
    answer: Option<Value>,
}

/// The stock and its history.
#[derive(Debug)]
pub(super) struct Shelf {
    fail_first: u32,
    left: BTreeMap<&'static str, u32>,
    reserved: HashMap<String, Vec<Line>>,
    entries: HashMap<String, Entry>,
    /// Keys by age.
    order: VecDeque<String>,
}

impl Shelf {
    pub(super) fn new(fail_first: u32) -> Self {
        Self {
            fail_first,
            left: ARTICLES
                .iter()
                .map(|(sku, _, _, left)| (*sku, *left))
                .collect(),
            reserved: HashMap::new(),
            entries: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(super) fn prices(&self) -> Value {
        let items: Vec<Value> = ARTICLES
            .iter()
            .map(|(sku, title, cents, _)| {
                let price = f64::from(*cents) / 100.0;
                json!({ "sku": sku, "title": title, "price": price, "left": self.left.get(sku) })
            })
            .collect();
        json!({ "currency": "EUR", "items": items })
    }

    /// Every remembered key, oldest first.
    pub(super) fn ledger(&self) -> Value {
        let entries: Vec<Value> = self
            .order
            .iter()
            .filter_map(|key| self.entries.get_key_value(key))
            .map(|(key, entry)| {
                json!({
                    "key": key,
                    "action": entry.action,
                    "requests": entry.requests,
                    "effects": entry.effects,
                })
            })
            .collect();
        json!({ "entries": entries, "reserved": self.reserved.len() })
    }

    /// What one call asks for.
    pub(super) fn take(&mut self, key: &str, call: &Call) -> Result<Value, Refusal> {
        match call {
            Call::Reserve(order) => self.reserve(key, order),
            Call::Release(order) => self.release(key, order),
            Call::Ship(shipment) => self.ship(key, shipment),
        }
    }

    /// Sets the order's lines aside.
    fn reserve(&mut self, key: &str, order: &Order) -> Result<Value, Refusal> {
        check_order(order)?;
        let flaky = order.items.iter().any(|line| line.sku == "lamp-flaky");
        let action = format!("reserve {}", order.order);
        if let Some(answer) = self.enter(key, &action, flaky)? {
            return Ok(answer);
        }
        let answer = json!({ "id": order.order, "items": order.items });
        match self.reserved.get(&order.order) {
            // Another run of the same order: it is reserved once.
            Some(lines) if *lines == order.items => return Ok(answer),
            Some(_) => return Err(Refusal::OrderTaken(order.order.clone())),
            None => {}
        }
        for line in &order.items {
            let left = self.left(&line.sku)?;
            let wanted: u32 = order
                .items
                .iter()
                .filter(|l| l.sku == line.sku)
                .map(|l| l.quantity)
                .sum();
            if left < wanted {
                return Err(Refusal::SoldOut {
                    sku: line.sku.clone(),
                    left,
                    wanted,
                });
            }
        }
        for line in &order.items {
            if let Some(left) = self.left.get_mut(line.sku.as_str()) {
                *left -= line.quantity;
            }
        }
        self.reserved
            .insert(order.order.clone(), order.items.clone());
        Ok(self.settle(key, answer))
    }

    /// Puts an order's lines back. An order without a reservation is released already.
    fn release(&mut self, key: &str, order: &str) -> Result<Value, Refusal> {
        if let Some(answer) = self.enter(key, &format!("release {order}"), false)? {
            return Ok(answer);
        }
        let answer = json!({ "id": order, "released": true });
        let Some(lines) = self.reserved.remove(order) else {
            return Ok(answer);
        };
        for line in lines {
            if let Some(left) = self.left.get_mut(line.sku.as_str()) {
                *left += line.quantity;
            }
        }
        Ok(self.settle(key, answer))
    }

    /// Sends a reserved order.
    fn ship(&mut self, key: &str, shipment: &Shipment) -> Result<Value, Refusal> {
        let order = &shipment.order;
        if let Some(answer) = self.enter(key, &format!("ship {order}"), false)? {
            return Ok(answer);
        }
        match shipment.method.as_str() {
            "standard" | "express" => {}
            "overnight" => return Err(Refusal::NoCarrier),
            other => return Err(Refusal::MethodUnknown(other.to_owned())),
        }
        if !self.reserved.contains_key(order) {
            return Err(Refusal::NotReserved(order.clone()));
        }
        let answer = json!({ "id": format!("ship-{order}"), "method": shipment.method });
        Ok(self.settle(key, answer))
    }

    fn left(&self, sku: &str) -> Result<u32, Refusal> {
        self.left
            .get(sku)
            .copied()
            .ok_or_else(|| Refusal::ArticleUnknown(sku.to_owned()))
    }

    /// Counts a request; gives the answer of before where the key has done its work.
    fn enter(&mut self, key: &str, action: &str, flaky: bool) -> Result<Option<Value>, Refusal> {
        if !self.entries.contains_key(key) {
            while self.order.len() >= KEYS_MAX {
                if let Some(oldest) = self.order.pop_front() {
                    self.entries.remove(&oldest);
                }
            }
            self.order.push_back(key.to_owned());
        }
        let entry = self.entries.entry(key.to_owned()).or_insert_with(|| Entry {
            action: action.to_owned(),
            requests: 0,
            effects: 0,
            answer: None,
        });
        entry.requests += 1;
        if entry.action != action {
            return Err(Refusal::KeyTaken);
        }
        if entry.answer.is_some() {
            return Ok(entry.answer.clone());
        }
        let failing = if flaky {
            FLAKY_TRIES.max(self.fail_first)
        } else {
            self.fail_first
        };
        if entry.requests <= failing {
            Err(Refusal::Busy)
        } else {
            Ok(None)
        }
    }

    /// The key has taken effect.
    fn settle(&mut self, key: &str, answer: Value) -> Value {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.effects += 1;
            entry.answer = Some(answer.clone());
        }
        answer
    }
}

fn check_order(order: &Order) -> Result<(), Refusal> {
    let name = &order.order;
    let invalid = |problem: String| Err(Refusal::Invalid(problem));
    if name.is_empty() || name.len() > ORDER_BYTES_MAX {
        return invalid("`order` needs 1 to 64 bytes.".to_owned());
    }
    if order.items.is_empty() || order.items.len() > LINES_MAX {
        return invalid(format!("`items` needs 1 to {LINES_MAX} lines."));
    }
    match order
        .items
        .iter()
        .find(|line| !(1..=QUANTITY_MAX).contains(&line.quantity))
    {
        Some(line) => invalid(format!(
            "{} pieces of {}: from 1 to {QUANTITY_MAX} are possible.",
            line.quantity, line.sku
        )),
        None => Ok(()),
    }
}
