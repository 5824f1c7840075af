//! Files in the inbox while the agent, or the app that streams them, is killed: no row is lost, and none doubled.
//!
//! A pipeline writes by key, so that its table looks the same however often a row was written: counting its rows
//! can't fail. What counts is the audit that the database keeps of them (`flame_testkit::once` says what is
//! promised of it), the checkpoint's own count of rows, and the dead letters, which have no key.
//!
//! Nothing here waits for time to pass. A moment is a call of the agent's to the kernel (`strace` kills it there),
//! or a row that the database holds up until it is told to go on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use flame_commands::Options;
use flame_errors::Code;
use flame_ipc::*;
use flame_testkit::{
    CHANGES, Encryption, Postgres, may_trace, once, postgres_audit, sqlite_audit, until,
};
use rusqlite::Connection as Database;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::connections::postgres;
use crate::runtime::agent_note;
use crate::stage::{AppProcess, Stage, folder, options, unlock, without_keychain};

const ROWS: u64 = 20_000;
const FILE: &str = "stock.csv";
/// Far more than an agent takes for a commit.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most that the agent writes between two checkpoints.
const BATCH_ROWS_MAX: u64 = 2_000;

/// Whether the map refuses that row.
fn is_bad(id: u64) -> bool {
    id % 997 == 996
}

/// A file, and where its rows stand in it.
struct File {
    text: String,
    /// Behind each row, in bytes.
    ends: Vec<u64>,
    /// At which the rows begin that the map refuses.
    bad_lines: Vec<u64>,
}

/// Rows of one line and of two, so that a line's number is not that of its row.
fn file() -> File {
    let mut file = File {
        text: "id,city,amount\n".to_owned(),
        ends: Vec::new(),
        bad_lines: Vec::new(),
    };
    let mut line = 2;
    for id in 0..ROWS {
        if is_bad(id) {
            file.bad_lines.push(line);
        }
        let (city, lines) = match id % 100 {
            7 => ("\"Bad\nHomburg\"", 2),
            _ => ("Homburg", 1),
        };
        let amount = if is_bad(id) { "many" } else { "3" };
        file.text.push_str(&format!("{id},{city},{amount}\n"));
        file.ends.push(file.text.len() as u64);
        line += lines;
    }
    file
}

impl File {
    /// How many rows a checkpoint has passed.
    fn rows_before(&self, offset: u64) -> u64 {
        self.ends.partition_point(|end| *end <= offset) as u64
    }
}

/// A workspace with a pipeline into one of the databases, and its inbox.
struct Yard {
    folder: PathBuf,
    file: File,
}

impl Yard {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.canonicalize().unwrap(),
            file: file(),
        }
    }

    fn agent_data(&self) -> PathBuf {
        self.folder.join("data/agent")
    }

    async fn deploy(&self, stage: &Stage, sink: &str) {
        let text = format!(
            "pipeline: {{namespace: test, name: stock, version: 1.0.0}}\n\
             watch: {{folder: inbox/stock, pattern: '*.csv'}}\n\
             source: {{csv: {{header: true}}}}\n\
             map: '{{ id: (.id | tonumber), city, amount: (.amount | tonumber) }}'\n\
             sink: {{{sink}, table: stock, key: [id]}}\n"
        );
        std::fs::create_dir_all(self.folder.join("data/inbox/stock")).unwrap();
        let kind = DocumentKind::Pipeline;
        let created = stage.run(DocumentCreate { kind, text }).await.unwrap();
        let id = created.id;
        stage.run(DocumentDeploy { id }).await.unwrap();
    }

    fn drop_file(&self) {
        let path = self.folder.join("data/inbox/stock").join(FILE);
        std::fs::write(path, &self.file.text).unwrap();
    }

    /// How many rows of the file the checkpoint in this folder of an agent has passed.
    fn checkpointed(&self, agent_data: &Path) -> u64 {
        self.passed(&Database::open(agent_data.join("agent.db")).unwrap())
    }

    fn passed(&self, database: &Database) -> u64 {
        let sql = "select coalesce(max(offset), 0) from feeds";
        let offset: u32 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        self.file.rows_before(offset.into())
    }

    /// Holds up the agent at its next commit, and so at its next checkpoint, as long as the value lives.
    fn hold_checkpoint(&self) -> Database {
        let database = Database::open(self.agent_data().join("agent.db")).unwrap();
        database.busy_timeout(PATIENCE).unwrap();
        database.execute_batch("begin immediate").unwrap();
        database
    }

    /// SIGKILL for the agent that runs now.
    fn kill_agent(&self) {
        let pid = i32::try_from(agent_note(&self.folder)["pid"].as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }

    /// Holds what has come of the file against what was promised. `changes` is what the audit has, `deaths` how
    /// far the checkpoint had come at each. Gives how many rows were written over.
    async fn assert_whole(
        &self,
        stage: &Stage,
        done: FeedFile,
        changes: &[[u32; 4]],
        deaths: &[u64],
    ) -> u64 {
        let bad = self.file.bad_lines.len() as u64;
        assert_eq!(
            (done.rows.get(), done.rows_dead.get(), done.bytes_done),
            (ROWS - bad, bad, done.bytes)
        );
        let expected = (0..ROWS).filter(|id| !is_bad(*id));
        let is_whole = changes.iter().map(|[id, ..]| u64::from(*id)).eq(expected);
        assert!(is_whole, "rows are missing, or there are others");

        let letters = DeadLettersList {
            source: None,
            text: None,
            cursor: None,
            limit: 50,
        };
        let letters = stage.run(letters).await.unwrap().items;
        let lines = letters.iter().map(|letter| letter.line.unwrap().get());
        let mut lines: Vec<u64> = lines.collect();
        lines.sort_unstable();
        assert_eq!(lines, self.file.bad_lines);
        once(changes, deaths, BATCH_ROWS_MAX).unwrap()
    }
}

/// Each word on the file is waited for anew, so that the whole may take its time.
async fn done(stage: &Stage) -> FeedFile {
    loop {
        let word = stage.event(|event| match event {
            Event::FeedProgress(progress) if progress.file.file == FILE => Some(progress.file),
            _ => None,
        });
        let file = word.await;
        match file.state {
            FeedState::Done => return file,
            FeedState::Failed => panic!("{:?}", file.error),
            FeedState::Settling | FeedState::Queued | FeedState::Reading => {}
        }
    }
}

/// Numbers that follow from a seed (SplitMix64), each below `below`.
fn numbers(seed: u64, below: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    })
}

mod into_sqlite {
    use super::*;

    const SINK: &str = "connector: sqlite, database: stock.db";
    const SEEDS: [u64; 2] = [2, 7];
    /// Writes into the log of the table that the agent may make in one life before it is killed: within the first
    /// two batches.
    const WRITES_MAX: u64 = 90;

    fn database(yard: &Yard) -> Database {
        Database::open(yard.agent_data().join("databases/stock.db")).unwrap()
    }

    fn make_table(yard: &Yard) {
        let audit = sqlite_audit("stock", &["city", "amount"]);
        let table = "create table stock (id integer primary key, city text, amount integer);";
        let made = database(yard).execute_batch(&format!("{table}\n{audit}"));
        made.unwrap();
    }

    fn changes(yard: &Yard) -> Vec<[u32; 4]> {
        let database = database(yard);
        let mut statement = database.prepare(CHANGES).unwrap();
        let rows = statement.query_map([], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        });
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// Where the agent dies, life by life, as `strace` takes it: in the midst of a write of rows, and at a sync of
    /// rows, when they are committed and no checkpoint knows of them.
    fn plan(seed: u64) -> Vec<String> {
        let mut writes = numbers(seed, WRITES_MAX);
        let mut write = || format!("pwrite64:when={}", writes.next().unwrap_or_default() + 1);
        let sync = |when: u64| format!("fsync,fdatasync:when={when}");
        // In a new log the first sync is that of its head.
        vec![write(), sync(2), write(), sync(1)]
    }

    /// A program that is the agent, dies by the plan, and keeps what each life left to the next.
    fn mortal_agent(yard: &Yard, plan: &[String]) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let script = format!(
            "#!/bin/sh\n\
             cd '{folder}' && life=$(ls lives | wc -l) && mkdir lives/$life || exit 1\n\
             cp data/agent/agent.db data/agent/agent.db-wal lives/$life/ 2>/dev/null\n\
             kill=$(sed -n \"$((life + 1))p\" plan)\n\
             [ -n \"$kill\" ] || exec '{agent}' \"$@\"\n\
             exec strace -f -qq -o /dev/null -e signal=none -e trace=pwrite64,fsync,fdatasync \\\n\
               -P '{folder}/data/agent/databases/stock.db-wal' \\\n\
               -e inject=\"${{kill%:*}}:signal=SIGKILL:${{kill#*:}}\" -- '{agent}' \"$@\"\n",
            folder = yard.folder.display(),
            agent = flame_testkit::agent_program().unwrap().display(),
        );
        std::fs::create_dir(yard.folder.join("lives")).unwrap();
        std::fs::write(yard.folder.join("plan"), plan.join("\n") + "\n").unwrap();
        let program = yard.folder.join("mortal-agent");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        program
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn kills_of_the_agent_lose_no_row_and_double_none() {
        if !may_trace() {
            return;
        }
        let seeds = SEEDS.map(|seed| async move {
            let plan = plan(seed);
            flame_testkit::tell(format_args!("seed {seed}: {plan:?}"));
            dies_by(&plan).await;
        });
        futures::future::join_all(seeds).await;
    }

    async fn dies_by(plan: &[String]) {
        let folder = folder();
        let yard = Yard::new(folder.path());
        let mortal = Options {
            agent_program: mortal_agent(&yard, plan),
            ..options(&yard.folder)
        };
        let stage = Stage::try_open(mortal).await.unwrap();
        yard.deploy(&stage, SINK).await;
        make_table(&yard);
        yard.drop_file();
        let done = done(&stage).await;

        let lives = yard.folder.join("lives");
        let begun = std::fs::read_dir(&lives).unwrap().count();
        assert_eq!(begun, plan.len() + 1, "it died as often as planned");
        // What a life found is what the death before has left.
        let left = (1..begun).map(|life| lives.join(life.to_string()));
        let deaths: Vec<u64> = left.map(|life| yard.checkpointed(&life)).collect();
        let over = yard
            .assert_whole(&stage, done, &changes(&yard), &deaths)
            .await;
        assert!(over > 0, "no death was between the two commits");
        stage.close().await;
    }

    /// The app dies while the agent is held up at a checkpoint, so that the file can't be in by then.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_next_app_ends_what_the_app_that_was_killed_began() {
        let folder = folder();
        let yard = Yard::new(folder.path());
        let stage = Stage::open(&yard.folder).await;
        yard.deploy(&stage, SINK).await;
        make_table(&yard);
        stage.close().await;
        yard.drop_file();
        let mut deaths = Vec::new();
        for begun in numbers(SEEDS[0], ROWS / 4).take(2) {
            let least = deaths.last().copied().unwrap_or_default() + begun;
            let app = AppProcess::start(&yard.folder);
            let held = until("rows that are safe", || {
                let held = yard.hold_checkpoint();
                (yard.passed(&held) > least).then_some(held)
            });
            let held = held.await;
            deaths.push(yard.passed(&held));
            app.kill();
        }
        assert!(deaths.iter().all(|safe| *safe < ROWS), "{deaths:?}");
        let stage = Stage::open(&yard.folder).await;
        let done = done(&stage).await;
        yard.assert_whole(&stage, done, &changes(&yard), &deaths)
            .await;
        stage.close().await;
    }
}

mod into_postgresql {
    use super::*;

    const SINK: &str = "connector: postgres, connection: orders-db";
    const SEED: u64 = 3;

    /// Where a life ends, told by a row that the server holds up.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Moment {
        /// A batch is half written.
        Writing,
        /// The same, and the server goes on with it after the next agent has begun to write it again.
        Orphaned,
        /// A batch is committed, and no checkpoint knows of it.
        Written,
    }

    const MOMENTS: [Moment; 4] = [
        Moment::Writing,
        Moment::Written,
        Moment::Orphaned,
        Moment::Written,
    ];

    /// A server whose table has an audit, and dams: the row before which one stands waits until it is gone.
    struct Site {
        server: Postgres,
    }

    impl Site {
        /// With a dam before each of these rows.
        fn new(dams: &[u64]) -> Self {
            let server = Postgres::start(Encryption::Off).unwrap();
            let audit = postgres_audit("stock");
            let made = server.query(&format!(
                "create table stock (id bigint primary key, city text, amount numeric);
                 {audit}
                 create table dams (id bigint primary key);
                 create sequence arrivals;
                 create function dam() returns trigger language plpgsql as $$ begin
                   if exists (select from dams where id = new.id) then
                     perform nextval('arrivals');
                     while exists (select from dams where id = new.id) loop
                       perform pg_sleep(0.005);
                     end loop;
                   end if;
                   return new;
                 end $$;
                 create trigger dam before insert on stock for each row execute function dam();"
            ));
            made.unwrap();
            for id in dams {
                server
                    .query(&format!("insert into dams values ({id})"))
                    .unwrap();
            }
            Self { server }
        }

        /// Waits until rows have come to a dam so many times.
        async fn arrived(&self, times: usize) {
            let times = times.to_string();
            self.says("select last_value from arrivals where is_called", &times)
                .await;
        }

        /// Waits for an answer.
        async fn says(&self, sql: &str, expected: &str) {
            until(sql, || {
                (self.server.query(sql).unwrap() == expected).then_some(())
            })
            .await;
        }

        fn break_dam(&self, id: u64) {
            let sql = format!("delete from dams where id = {id}");
            self.server.query(&sql).unwrap();
        }

        fn changes(&self) -> Vec<[u32; 4]> {
            let rows = self.server.query(CHANGES).unwrap();
            let row = |line: &str| {
                let numbers: Vec<u32> = line.split('|').map(|n| n.parse().unwrap()).collect();
                numbers.try_into().unwrap()
            };
            rows.lines().map(row).collect()
        }

        /// A pipeline into this server, and the secret of its connection in the vault.
        async fn deploy(&self, yard: &Yard, stage: &Stage) {
            unlock(stage).await;
            let settings = json!({
                "host": "127.0.0.1", "port": self.server.port(),
                "database": Postgres::DATABASE, "user": Postgres::USER,
            });
            let save = ConnectionSave {
                settings: settings.into(),
                ..postgres(Some(Postgres::PASSWORD))
            };
            stage.run(save).await.unwrap();
            yard.deploy(stage, SINK).await;
        }
    }

    /// Good rows that follow from the seed, in the order of the file, no two of them in one batch.
    fn dams(count: u64) -> Vec<u64> {
        let apart = ROWS / count;
        let within = numbers(SEED, apart - BATCH_ROWS_MAX - 1);
        let ids = (0..count).zip(within).map(|(at, n)| at * apart + n);
        ids.map(|id| id + u64::from(is_bad(id))).collect()
    }

    #[test]
    fn kills_of_the_agent_lose_no_row_and_double_none() {
        without_keychain("feed_crashes::into_postgresql::inside_with_an_agent_that_is_killed");
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "runs inside an environment without a keychain"]
    async fn inside_with_an_agent_that_is_killed() {
        let dams = dams(MOMENTS.len() as u64);
        flame_testkit::tell(format_args!("seed {SEED}: {dams:?}"));
        let site = Site::new(&dams);
        let folder = folder();
        let yard = Yard::new(folder.path());
        let stage = Stage::open(&yard.folder).await;
        site.deploy(&yard, &stage).await;
        yard.drop_file();
        let mut deaths = Vec::new();
        for (at, (moment, dam)) in MOMENTS.into_iter().zip(dams).enumerate() {
            site.arrived(at + 1).await;
            deaths.push(site.kill_at(&yard, moment, dam).await);
        }
        let done = done(&stage).await;
        let over = yard
            .assert_whole(&stage, done, &site.changes(), &deaths)
            .await;
        assert!(over > 0, "no death was between the two commits");
        stage.close().await;
    }

    impl Site {
        /// Kills the agent whose row is at the dam; gives how many rows its checkpoint had passed.
        async fn kill_at(&self, yard: &Yard, moment: Moment, dam: u64) -> u64 {
            let safe = yard.checkpointed(&yard.agent_data());
            if moment == Moment::Written {
                let held = yard.hold_checkpoint();
                self.break_dam(dam);
                let committed = format!("select count(*) from stock where id = {dam}");
                self.says(&committed, "1").await;
                assert_eq!(yard.passed(&held), safe);
                yard.kill_agent();
                return safe;
            }
            yard.kill_agent();
            if moment == Moment::Orphaned {
                self.meets_an_orphan().await;
            }
            self.break_dam(dam);
            safe
        }

        /// Waits until an agent waits for a row that a transaction without an agent has.
        async fn meets_an_orphan(&self) {
            let waiting = "select count(*) from pg_stat_activity \
                           where application_name = 'mastra' and wait_event_type = 'Lock'";
            self.says(waiting, "1").await;
        }
    }

    #[test]
    fn the_next_app_ends_what_the_app_that_was_killed_began() {
        without_keychain("feed_crashes::into_postgresql::inside_with_an_app_that_is_killed");
    }

    /// The server goes on with what the agent of the first app had begun when the one of the second has begun it
    /// again. That one has the secret of the connection only once a person has come.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "runs inside an environment without a keychain"]
    async fn inside_with_an_app_that_is_killed() {
        let dam = dams(1)[0];
        let site = Site::new(&[dam]);
        let folder = folder();
        let yard = Yard::new(folder.path());
        let stage = Stage::open(&yard.folder).await;
        site.deploy(&yard, &stage).await;
        stage.close().await;
        yard.drop_file();
        let app = AppProcess::start(&yard.folder);
        site.arrived(1).await;
        let deaths = [yard.checkpointed(&yard.agent_data())];
        app.kill();

        let stage = Stage::open(&yard.folder).await;
        let refused = stage.event(|event| match event {
            Event::FeedProgress(progress) if progress.file.state == FeedState::Failed => {
                progress.file.error
            }
            _ => None,
        });
        let refused = refused.await;
        assert!(refused.is(Code::ConnectionDenied), "{refused}");
        unlock(&stage).await;
        site.meets_an_orphan().await;
        // It may have been refused more than once before.
        stage.forget_events().await;
        site.break_dam(dam);
        let done = done(&stage).await;
        yard.assert_whole(&stage, done, &site.changes(), &deaths)
            .await;
        stage.close().await;
    }
}
