//! The processes that a task has started: none of them outlives the task, nor the agent.
//!
//! A killed agent runs no destructor. A shell beside it is told of each process group as it begins and ends, and ends
//! those that are left once the agent is gone, so that a task that begins again after a crash is alone. Deliberately
//! absent: process groups where there are none; a process ends there when its handle is dropped.

/// Killed when this is dropped.
pub(super) struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    #[cfg(unix)]
    pub(super) fn of(child: &tokio::process::Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        let leader = pid.and_then(rustix::process::Pid::from_raw);
        if let Some(leader) = leader {
            watch::begun(leader);
        }
        Self { leader }
    }

    #[cfg(not(unix))]
    pub(super) fn of(_child: &tokio::process::Child) -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // An error means that all of them have ended.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
            watch::ended(leader);
        }
    }
}

#[cfg(unix)]
mod watch {
    use std::collections::BTreeSet;
    use std::io::Write as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use rustix::process::Pid;

    /// Reads `+ GROUP` and `- GROUP`, and ends the groups that are left when there is no more to read.
    const SCRIPT: &str = r#"
        groups=" "
        while read -r sign group; do
            case $sign in
                +) groups="$groups$group " ;;
                *) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
            esac
        done
        for group in $groups; do kill -s KILL -- "-$group"; done
    "#;

    /// One for the process, since its death is what is watched for.
    static WATCH: Mutex<Watch> = Mutex::new(Watch {
        shell: None,
        groups: BTreeSet::new(),
    });

    struct Watch {
        /// Begun with the first group, and anew where it has ended.
        shell: Option<Child>,
        groups: BTreeSet<i32>,
    }

    pub(super) fn begun(group: Pid) {
        let mut watch = lock();
        watch.groups.insert(group.as_raw_nonzero().get());
        let told = match watch.tell('+', group) {
            Ok(()) => Ok(()),
            Err(_) => watch.begin(),
        };
        if let Err(error) = told {
            tracing::warn!(%error, "Processes of tasks would go on if the agent was killed");
        }
    }

    pub(super) fn ended(group: Pid) {
        let mut watch = lock();
        watch.groups.remove(&group.as_raw_nonzero().get());
        // One that does not hear it has ended; the next is told of what is left.
        let _ = watch.tell('-', group);
    }

    fn lock() -> MutexGuard<'static, Watch> {
        WATCH.lock().unwrap_or_else(PoisonError::into_inner)
    }

    impl Watch {
        fn tell(&mut self, sign: char, group: Pid) -> std::io::Result<()> {
            let stdin = self.shell.as_mut().and_then(|shell| shell.stdin.as_mut());
            let stdin = stdin.ok_or(std::io::ErrorKind::BrokenPipe)?;
            writeln!(stdin, "{sign} {}", group.as_raw_nonzero())
        }

        /// Starts the shell and tells it of all groups.
        fn begin(&mut self) -> std::io::Result<()> {
            if let Some(mut old) = self.shell.take() {
                old.stdin = None;
                old.wait()?;
            }
            let mut shell = Command::new("sh")
                .args(["-c", SCRIPT, "flame-agent-watch"])
                .current_dir("/")
                // What ends the agent's group, such as Ctrl+C, would end it too early.
                .process_group(0)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            let groups: String = self
                .groups
                .iter()
                .map(|group| format!("+ {group}\n"))
                .collect();
            let stdin = shell.stdin.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
            stdin.write_all(groups.as_bytes())?;
            self.shell = Some(shell);
            Ok(())
        }
    }
}
