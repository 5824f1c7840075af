//! What `strace -f -yy` wrote, as calls in the order in which they began, and places among them.

/// Where transactions go; a page in it counts once the last page of its transaction is there.
const LOG: &str = "/agent.db-wal";
/// How many bytes of each argument a trace must show: a page of the log and the head of its frame.
pub(super) const SHOWN_BYTES: &str = "5000";
/// The calls that places are told by.
pub(super) const TOLD_BY: &str = "pwrite64,fdatasync,fsync,sendto,writev,recvfrom";

/// One call of one thread.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    thread: u32,
    pub(super) name: String,
    /// What its first argument stands for: a path, or both ends of a connection.
    file: String,
    /// As strace shows them, with quotes as they are.
    arguments: String,
    /// `None` where the process was killed in it.
    result: Option<i64>,
    /// At which lines of the trace it began and returned.
    begun: usize,
    returned: Option<usize>,
}

/// A place in the life of an agent, told by what it does there.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// It writes the page of the log that is the first to hold this text. Dead there, it has not committed it.
    Written(&'static str),
    /// It syncs the log for the first time after that. Dead there, it has committed it and told nobody.
    Synced(&'static str),
    /// It writes to the log again after that.
    Following(&'static str),
    /// It sends what holds this text. Dead there, it has sent nothing of it.
    Sent(&'static str),
    /// It sends an answer that begins and goes on like this.
    Answered(&'static str, &'static str),
    /// It reads the answer to that. Dead there, it does not know it, and the partner has given it.
    Read(&'static str),
    /// It has read it and writes to the log.
    Heard(&'static str),
    /// It has sent such an answer and writes to the log.
    Told(&'static str, &'static str),
    /// It answers the request whose head holds this text.
    AnswerTo(&'static str),
    /// It writes to the log for the first time since it read that request.
    WrittenFor(&'static str),
    /// It syncs the log for the first time after that.
    SyncedFor(&'static str),
    /// It writes to a file whose path ends so.
    Copied(&'static str),
    /// It syncs that file.
    Kept(&'static str),
}

impl Place {
    /// The number of the call that is this place, if the trace gets there.
    pub(super) fn find(self, calls: &[Call]) -> Option<usize> {
        let first = |from: usize, is: &dyn Fn(&Call) -> bool| {
            let found = calls.get(from..)?.iter().position(is)?;
            Some(from + found)
        };
        let logged = |from: usize| first(from, &|call| call.name == "pwrite64" && call.is_on(LOG));
        let synced = |written: usize| {
            let thread = calls[written].thread;
            first(written, &|call| {
                call.thread == thread && call.is_sync() && call.is_on(LOG)
            })
        };
        let asked = |request: &str| {
            first(0, &|call| {
                call.name == "recvfrom" && call.arguments.contains(request)
            })
        };
        match self {
            Self::Written(text) => first(0, &|call| {
                call.name == "pwrite64" && call.is_on(LOG) && call.arguments.contains(text)
            }),
            Self::Synced(text) => synced(Self::Written(text).find(calls)?),
            Self::Following(text) => logged(Self::Synced(text).find(calls)?),
            Self::Sent(text) => first(0, &|call| call.sends() && call.arguments.contains(text)),
            Self::Read(text) => {
                let sent = Self::Sent(text).find(calls)?;
                first(sent, &|call| {
                    // Where there is nothing yet it asks in vain.
                    call.name == "recvfrom"
                        && call.file == calls[sent].file
                        && call.result.is_none_or(|bytes| bytes > 0)
                })
            }
            Self::Heard(text) => logged(Self::Read(text).find(calls)?),
            Self::Answered(head, body) => first(0, &|call| {
                call.sends() && call.arguments.contains(head) && call.arguments.contains(body)
            }),
            Self::Told(head, body) => logged(Self::Answered(head, body).find(calls)?),
            Self::AnswerTo(request) => {
                let read = asked(request)?;
                first(read, &|call| call.sends() && call.file == calls[read].file)
            }
            Self::WrittenFor(request) => logged(asked(request)?),
            Self::SyncedFor(request) => synced(Self::WrittenFor(request).find(calls)?),
            Self::Copied(end) => first(0, &|call| call.name == "pwrite64" && call.is_on(end)),
            Self::Kept(end) => first(0, &|call| call.is_sync() && call.is_on(end)),
        }
    }

    /// The file of the data folder whose calls alone tell this place. Other threads write and sync other files more
    /// often, and would be killed at that number first.
    pub(super) fn file(self) -> Option<&'static str> {
        match self {
            Self::Copied(file) | Self::Kept(file) => file.strip_prefix('/'),
            _ => None,
        }
    }

    /// Whether the process was killed here.
    pub(super) fn is_end(self, calls: &[Call]) -> bool {
        self.find(calls)
            .is_some_and(|at| calls[at].result.is_none())
    }
}

impl Call {
    /// Whether it had succeeded when the other began.
    pub(super) fn is_done_before(&self, other: &Self) -> bool {
        self.result == Some(0) && self.returned.is_some_and(|line| line < other.begun)
    }

    fn is_on(&self, end: &str) -> bool {
        self.file.ends_with(end)
    }

    fn is_sync(&self) -> bool {
        self.name == "fdatasync" || self.name == "fsync"
    }

    fn sends(&self) -> bool {
        (self.name == "sendto" || self.name == "writev") && self.file.starts_with("TCP:")
    }
}

/// How `strace -e inject` names a call: it counts those of one name in one thread, of all files or of one (`-P`).
pub(super) fn injection(calls: &[Call], at: usize, is_of_one_file: bool) -> String {
    let Call {
        thread, name, file, ..
    } = &calls[at];
    let alike = |call: &&Call| {
        call.thread == *thread && call.name == *name && (!is_of_one_file || call.file == *file)
    };
    let when = calls[..=at].iter().filter(alike).count();
    format!("inject={name}:signal=SIGKILL:when={when}")
}

/// Reads a trace. Signals and ends of threads are left out.
pub(super) fn read(trace: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, event)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let (Ok(thread), event) = (thread.parse(), event.trim_start()) else {
            continue;
        };
        if let Some(rest) = event.strip_prefix("<... ") {
            let goes_on = calls.iter_mut().rfind(|call| call.thread == thread);
            if let (Some(call), Some((_, rest))) = (goes_on, rest.split_once("resumed>")) {
                call.result = result(rest);
                call.returned = Some(number);
                call.arguments += &unquoted(rest);
            }
        } else if let Some((name, arguments)) = event.split_once('(')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            let result = result(arguments);
            calls.push(Call {
                thread,
                name: name.to_owned(),
                file: file(arguments).to_owned(),
                arguments: unquoted(arguments),
                result,
                begun: number,
                returned: result.map(|_| number),
            });
        }
    }
    calls
}

fn unquoted(arguments: &str) -> String {
    arguments.replace("\\\"", "\"")
}

fn result(text: &str) -> Option<i64> {
    let (_, result) = text.rsplit_once(" = ")?;
    result.split(' ').next()?.parse().ok()
}

/// `9</a/file>, ...` gives the path, `9<TCP:[a->b]>, ...` the connection.
fn file(arguments: &str) -> &str {
    let number = arguments.bytes().take_while(u8::is_ascii_digit).count();
    let Some(named) = arguments[number..].strip_prefix('<') else {
        return "";
    };
    let ends = [">,", ">)", "> <unfinished"];
    let end = ends.iter().filter_map(|end| named.find(end)).min();
    end.map_or("", |end| &named[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = r#"
7 pwrite64(9</d/agent.db-wal>, "page", 24, 0) = 24
7 pwrite64(9</d/agent.db-wal>, "{\"type\":\"a\"}", 24, 24) = 24
8 sendto(11<TCP:[127.0.0.1:5->127.0.0.1:6]>, "POST /x HTTP/1.1\r\n", 17, 0, NULL, 0) = 17
7 fdatasync(9</d/agent.db-wal> <unfinished ...>
8 recvfrom(11<TCP:[127.0.0.1:5->127.0.0.1:6]>, 0x1, 8192, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
7 <... fdatasync resumed>) = 0
8 --- SIGCHLD {si_signo=SIGCHLD} ---
8 recvfrom(11<TCP:[127.0.0.1:5->127.0.0.1:6]>, "HTTP/1.1 200 OK\r\n", 8192, 0, NULL, NULL) = 17
7 pwrite64(9</d/agent.db-wal>, "more", 24, 48) = ?
7 +++ killed by SIGKILL +++
"#;

    #[test]
    fn places_are_found() {
        let calls = read(TRACE);
        let found = |place: Place| place.find(&calls);
        assert_eq!(found(Place::Written("\"type\":\"a\"")), Some(1));
        assert_eq!(found(Place::Synced("\"type\":\"a\"")), Some(3));
        assert_eq!(found(Place::Following("\"type\":\"a\"")), Some(6));
        assert_eq!(found(Place::Sent("POST /x")), Some(2));
        assert_eq!(found(Place::Read("POST /x")), Some(5));
        assert_eq!(found(Place::Heard("POST /x")), Some(6));
        assert_eq!(found(Place::WrittenFor("HTTP/1.1 200 OK")), Some(6));
        assert_eq!(found(Place::SyncedFor("HTTP/1.1 200 OK")), None);
        assert_eq!(found(Place::WrittenFor("POST /x")), None, "it was sent");
        assert_eq!(found(Place::Written("other")), None);
        assert_eq!(found(Place::Copied("/agent.db")), None);
    }

    #[test]
    fn a_call_is_done_before_another_once_it_has_succeeded() {
        let write = "7 pwrite64(9</d/agent.db-wal>, \"x\", 24, 0) = 24\n";
        let ask = "8 recvfrom(5<TCP:[a->b]>, \"POST /x HTTP/1.1\", 99, 0, NULL, NULL) = 16\n";
        let sync = "7 fdatasync(9</d/agent.db-wal>) = 0\n";
        let half = "7 fdatasync(9</d/agent.db-wal> <unfinished ...>\n";
        let other_half = "7 <... fdatasync resumed>) = 0\n";
        let fails = "7 fdatasync(9</d/agent.db-wal>) = -1 EIO (Input/output error)\n";
        let elsewhere = "8 sendto(6<TCP:[a->c]>, \"HTTP/1.1 200\", 12, 0, NULL, 0) = 12\n";
        let answer = "8 sendto(5<TCP:[a->b]>, \"HTTP/1.1 200\", 12, 0, NULL, 0) = 12\n";
        for (trace, expected) in [
            ([ask, write, sync, elsewhere, answer, ""], true),
            ([ask, write, half, other_half, answer, ""], true),
            ([ask, write, half, answer, other_half, ""], false),
            ([ask, write, fails, answer, "", ""], false),
            ([ask, write, answer, sync, "", ""], false),
        ] {
            let trace = trace.concat();
            let calls = read(&trace);
            let synced = Place::Synced("x").find(&calls).unwrap();
            assert_eq!(Place::SyncedFor("POST /x ").find(&calls), Some(synced));
            let told = Place::AnswerTo("POST /x ").find(&calls).unwrap();
            assert!(calls[told].file.contains("a->b"));
            let found = calls[synced].is_done_before(&calls[told]);
            assert_eq!(found, expected, "{trace}");
        }
    }

    #[test]
    fn only_the_call_that_did_not_return_is_an_end() {
        let calls = read(TRACE);
        assert!(Place::Heard("POST /x").is_end(&calls));
        for place in [
            Place::Synced("\"type\":\"a\""),
            Place::Read("POST /x"),
            Place::Written("other"),
        ] {
            assert!(!place.is_end(&calls), "{place:?}");
        }
    }

    #[test]
    fn a_call_is_counted_among_those_of_its_thread_and_name() {
        let calls = read(TRACE);
        let named = |at| injection(&calls, at, false);
        assert_eq!(named(6), "inject=pwrite64:signal=SIGKILL:when=3");
        assert_eq!(named(5), "inject=recvfrom:signal=SIGKILL:when=2");
    }
}
