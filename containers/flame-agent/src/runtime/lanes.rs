//! The threads that run workflows, seen from outside: which one a run belongs to, and which one a new run goes to.
//!
//! A run belongs to the thread that the end of its id names, so that anybody who knows the id finds it. The id of a
//! new run is made for the first thread that keeps up: few threads that are busy are woken less often than many that
//! are not, and one that is held up by a long decision gets no more until it is through.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::time::{Duration, Instant};

use flame_types::RunId;
use uuid::Uuid;

use super::message::Message;

/// A thread that found no pause for so long does not keep up.
const BUSY_MAX: Duration = Duration::from_millis(5);
/// More than the processors of any machine that this is for; the end of an id has room for each.
const LANES_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Lanes(Vec<Lane>);

#[derive(Debug)]
struct Lane {
    sender: Sender<Message>,
    busy: Arc<Busy>,
}

/// Since when a thread has found no pause.
#[derive(Debug)]
struct Busy {
    origin: Instant,
    /// After the origin; 0 while it waits for work.
    since_us: AtomicU64,
}

/// A lane's inner end, for its thread.
pub(super) struct Queue {
    /// Of the lane, from 0.
    pub(super) number: usize,
    /// For what the thread sends to itself.
    pub(super) sender: Sender<Message>,
    receiver: Receiver<Message>,
    busy: Arc<Busy>,
}

impl Lanes {
    pub(super) fn new(count: usize) -> (Self, Vec<Queue>) {
        let origin = Instant::now();
        let open = |number| {
            let (sender, receiver) = mpsc::channel();
            let busy = Arc::new(Busy {
                origin,
                since_us: AtomicU64::new(0),
            });
            let queue = Queue {
                number,
                sender: sender.clone(),
                receiver,
                busy: Arc::clone(&busy),
            };
            (Lane { sender, busy }, queue)
        };
        let (lanes, queues) = (0..count.clamp(1, LANES_MAX)).map(open).unzip();
        (Self(lanes), queues)
    }

    /// Sends to the thread that owns a run. Where that has ended, whoever waits is told by the reply that is dropped
    /// with the message.
    pub(super) fn send(&self, run: RunId, message: Message) {
        let _ = self.0[lane_of(run.as_uuid(), self.0.len())]
            .sender
            .send(message);
    }

    /// The queue of every thread.
    pub(super) fn all(&self) -> impl Iterator<Item = &Sender<Message>> {
        self.0.iter().map(|lane| &lane.sender)
    }

    /// An id for a new run, of the first thread that keeps up.
    pub(super) fn new_id(&self) -> RunId {
        let free = self.0.iter().position(|lane| lane.busy.keeps_up());
        let id = Uuid::now_v7();
        RunId::new(match free {
            Some(lane) => with_lane(&id, lane, self.0.len()),
            None => id,
        })
    }
}

/// The last bytes of a UUIDv7 are random.
fn tail(id: &Uuid) -> u16 {
    let bytes = id.as_bytes();
    u16::from_be_bytes([bytes[14], bytes[15]])
}

fn lane_of(id: &Uuid, lanes: usize) -> usize {
    usize::from(tail(id)) % lanes
}

/// The same id with an end that belongs to a lane.
fn with_lane(id: &Uuid, lane: usize, lanes: usize) -> Uuid {
    let tail = usize::from(tail(id));
    let start = tail - tail % lanes;
    let wanted = u16::try_from(start + lane).unwrap_or_else(|_| (start + lane - lanes) as u16);
    let mut bytes = *id.as_bytes();
    bytes[14..].copy_from_slice(&wanted.to_be_bytes());
    Uuid::from_bytes(bytes)
}

impl Busy {
    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn keeps_up(&self) -> bool {
        let since = self.since_us.load(Ordering::Relaxed);
        since == 0 || u128::from(self.now_us().saturating_sub(since)) <= BUSY_MAX.as_micros()
    }

    fn waits(&self) {
        self.since_us.store(0, Ordering::Relaxed);
    }

    fn works(&self) {
        self.since_us.store(self.now_us().max(1), Ordering::Relaxed);
    }
}

impl Queue {
    /// What comes next; where nothing is there, after at most as long a pause as `pause` says.
    pub(super) fn next(
        &self,
        pause: impl FnOnce() -> Option<Duration>,
    ) -> Result<Message, RecvTimeoutError> {
        match self.receiver.try_recv() {
            Ok(message) => return Ok(message),
            Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        self.busy.waits();
        let message = match pause() {
            None => self
                .receiver
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            Some(pause) => self.receiver.recv_timeout(pause),
        };
        self.busy.works();
        message
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::RecvTimeoutError;
    use std::time::Duration;

    use uuid::Uuid;

    use super::{Lanes, lane_of, with_lane};
    use crate::runtime::message::Message;

    #[test]
    fn every_end_of_an_id_can_name_every_lane() {
        for lanes in [1, 2, 3, 7, 255, 256] {
            for tail in [0, 1, 254, 255, 256, 65_279, 65_280, 65_534, u16::MAX] {
                let id = Uuid::from_u128(u128::from(tail) | (77 << 64));
                for lane in 0..lanes {
                    let made = with_lane(&id, lane, lanes);
                    assert_eq!(lane_of(&made, lanes), lane, "{tail} of {lanes}");
                    assert_eq!(made.as_bytes()[..14], id.as_bytes()[..14]);
                }
            }
        }
    }

    #[test]
    fn a_thread_that_finds_no_pause_gets_no_new_runs() {
        let (lanes, queues) = Lanes::new(3);
        let lane = || lane_of(lanes.new_id().as_uuid(), 3);
        assert_eq!(lane(), 0, "nobody is busy");
        let outcome = queues[0].next(|| Some(Duration::ZERO));
        assert!(matches!(outcome, Err(RecvTimeoutError::Timeout)));
        assert_eq!(lane(), 0, "it has only begun");
        while lanes.0[0].busy.keeps_up() {
            std::hint::spin_loop();
        }
        assert_eq!(lane(), 1, "the first is held up");
        queues[0].sender.send(Message::Recovered).unwrap();
        assert!(queues[0].next(|| None).is_ok());
        assert_eq!(lane(), 1, "there was something left to do");
        assert!(queues[0].next(|| Some(Duration::ZERO)).is_err());
        assert_eq!(lane(), 0, "it has caught up");
    }
}
