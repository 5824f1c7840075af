//! Runs.

super::adapters! {
    run_start: RunStart,
    runs_list: RunsList,
    run_get: RunGet,
    run_journal: RunJournal,
    run_task_input: RunTaskInput,
    run_follow: RunFollow,
    run_unfollow: RunUnfollow,
    run_cancel: RunCancel,
    run_suspend: RunSuspend,
    run_resume: RunResume,
    run_compensation: RunCompensation,
    run_retry: RunRetry,
    run_replay: RunReplay,
    run_test: RunTest,
}
