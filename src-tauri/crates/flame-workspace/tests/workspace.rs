//! The workspace as its callers see it, on a real file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use flame_errors::Code;
use flame_types::{ProgramDigest, Timestamp};
use flame_workspace::{
    BODY_BYTES_MAX, Document, DocumentId, DocumentKind, Error, NewDocument, PROGRAMS_MAX,
    REVISIONS_KEPT, Workspace, restore,
};
use uuid::Uuid;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn open(folder: &Path) -> Workspace {
    Workspace::open(folder, at(0)).unwrap()
}

fn create(workspace: &Workspace, id: u128, kind: DocumentKind, name: &str, body: &str) -> Document {
    let id = DocumentId::new(Uuid::from_u128(id));
    workspace
        .create(
            &NewDocument {
                id,
                kind,
                name,
                body,
                sample: false,
            },
            at(1),
        )
        .unwrap()
}

#[test]
fn a_save_from_an_old_revision_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let first = create(&workspace, 1, DocumentKind::Workflow, "shop/orders", "one");
    let second = workspace
        .save(first.id, 1, "shop/orders", "two", at(2))
        .unwrap();
    assert_eq!(second.revision, 2);

    let refused = workspace
        .save(first.id, 1, "shop/orders", "lost", at(3))
        .unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Conflict {
                expected: 1,
                actual: 2
            }
        ),
        "{refused}"
    );
    assert_eq!(refused.code(), Code::DocumentConflict);
    assert_eq!(workspace.get(first.id).unwrap(), second);
}

#[test]
fn what_was_saved_is_there_after_the_app_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let saved = {
        let workspace = open(folder.path());
        assert!(workspace.is_first_start());
        workspace.set_fact("settings", "{}").unwrap();
        create(
            &workspace,
            1,
            DocumentKind::Pipeline,
            "shop/customers",
            "body",
        )
    };
    let workspace = open(folder.path());
    assert!(!workspace.is_first_start());
    assert_eq!(workspace.get(saved.id).unwrap(), saved);
    assert_eq!(
        workspace
            .find(DocumentKind::Pipeline, "shop/customers")
            .unwrap(),
        Some(saved)
    );
    assert_eq!(workspace.fact("settings").unwrap().as_deref(), Some("{}"));
    assert_eq!(workspace.fact("other").unwrap(), None);
}

#[test]
fn a_delete_is_undone_once_and_only_by_its_own_token() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let document = create(&workspace, 1, DocumentKind::Workflow, "shop/orders", "one");
    let token = workspace.delete(document.id, at(2)).unwrap();
    assert!(matches!(
        workspace.get(document.id),
        Err(Error::NotFound(_))
    ));
    assert!(workspace.list(DocumentKind::Workflow).unwrap().is_empty());
    assert!(matches!(
        workspace.save(document.id, 2, "shop/orders", "two", at(3)),
        Err(Error::NotFound(_))
    ));

    let back = workspace.restore(token, at(4)).unwrap();
    assert_eq!((back.body.as_str(), back.revision), ("one", 3));
    assert!(matches!(
        workspace.restore(token, at(5)),
        Err(Error::Conflict { .. })
    ));
}

#[test]
fn a_connection_name_is_free_again_after_a_delete_and_taken_after_that() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let first = create(&workspace, 1, DocumentKind::Connection, "orders-db", "{}");
    let twin = NewDocument {
        id: DocumentId::new(Uuid::from_u128(2)),
        kind: DocumentKind::Connection,
        name: "orders-db",
        body: "{}",
        sample: false,
    };
    assert!(
        matches!(workspace.create(&twin, at(2)), Err(Error::NameTaken(name)) if name == "orders-db")
    );
    let token = workspace.delete(first.id, at(3)).unwrap();
    workspace.create(&twin, at(4)).unwrap();
    assert!(matches!(
        workspace.restore(token, at(5)),
        Err(Error::NameTaken(_))
    ));
}

#[test]
fn drafts_may_share_a_name_so_that_no_text_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    create(&workspace, 1, DocumentKind::Workflow, "", "broken: [");
    create(&workspace, 2, DocumentKind::Workflow, "", "broken: {");
    assert_eq!(workspace.list(DocumentKind::Workflow).unwrap().len(), 2);
}

#[test]
fn history_keeps_the_newest_saves_and_gives_their_text() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let id = create(&workspace, 1, DocumentKind::Workflow, "n", "v1").id;
    let saves = REVISIONS_KEPT + 5;
    for revision in 1..saves {
        let body = format!("v{}", revision + 1);
        workspace.save(id, revision, "n", &body, at(2)).unwrap();
    }
    let history = workspace.history(id).unwrap();
    assert_eq!(history.len() as u64, REVISIONS_KEPT);
    assert_eq!(history[0].revision, saves);
    assert_eq!(
        workspace.revision_body(id, saves - 1).unwrap(),
        format!("v{}", saves - 1)
    );
    assert!(matches!(
        workspace.revision_body(id, 1),
        Err(Error::NotFound(_))
    ));
}

#[test]
fn an_oversized_document_is_refused_before_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let document = create(&workspace, 1, DocumentKind::Workflow, "n", "small");
    let refused = workspace
        .save(document.id, 1, "n", &"x".repeat(BODY_BYTES_MAX + 1), at(2))
        .unwrap_err();
    assert_eq!(refused.code(), Code::DefinitionTooLarge);
    assert_eq!(workspace.get(document.id).unwrap().body, "small");
}

#[test]
fn a_second_app_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let held = open(folder.path());
    assert_eq!(
        Workspace::open(folder.path(), at(0)).unwrap_err().code(),
        Code::StorageLocked
    );
    held.close().unwrap();
    open(folder.path());
}

#[test]
fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let path = folder.path().join("workspace.db");
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("PRAGMA user_version = 999").unwrap();
    drop(raw);
    let refused = Workspace::open(folder.path(), at(0)).unwrap_err();
    assert!(
        matches!(refused, Error::Newer { found: 999, .. }),
        "{refused}"
    );
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let raw = rusqlite::Connection::open(folder.path().join("workspace.db")).unwrap();
    raw.execute_batch("CREATE TABLE documents (id)").unwrap();
    drop(raw);
    assert_eq!(
        Workspace::open(folder.path(), at(0)).unwrap_err().code(),
        Code::StorageCorrupt
    );
}

#[test]
fn a_damaged_file_is_kept_and_the_newest_backup_is_named() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    // The first backup comes with the first start that finds a workspace.
    drop(open(folder.path()));
    let path = folder.path().join("workspace.db");
    std::fs::write(&path, b"this is no database, but it was somebody's data").unwrap();
    let Err(Error::Corrupt {
        backup: Some(backup),
        ..
    }) = Workspace::open(folder.path(), at(0))
    else {
        panic!("the damage is not told");
    };
    assert!(backup.is_file());
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .starts_with("this is no database")
    );
}

#[test]
fn the_newest_whole_backup_takes_the_place_of_a_damaged_file() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    create(&workspace, 1, DocumentKind::Workflow, "a/kept", "body");
    drop(workspace);
    drop(Workspace::open(folder.path(), at(0)).unwrap());
    drop(Workspace::open(folder.path(), at(2 * 86_400)).unwrap());
    let mut backups: Vec<_> = std::fs::read_dir(folder.path().join("backups"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    backups.sort();
    assert_eq!(backups.len(), 2);
    std::fs::write(&backups[1], "a backup that is damaged as well").unwrap();
    let damage = b"no database, but somebody's data";
    std::fs::write(folder.path().join("workspace.db"), damage).unwrap();
    std::fs::write(folder.path().join("workspace.db-wal"), "its log").unwrap();

    let restored = restore(folder.path(), at(3 * 86_400)).unwrap();
    assert_eq!(restored.backup.as_ref(), Some(&backups[0]));
    let kept = |name: &str| std::fs::read(restored.damaged.join(name)).unwrap();
    assert_eq!(kept("workspace.db"), damage);
    assert_eq!(kept("workspace.db-wal"), b"its log");
    let workspace = Workspace::open(folder.path(), at(3 * 86_400)).unwrap();
    let names: Vec<_> = workspace.list(DocumentKind::Workflow).unwrap();
    assert_eq!(names[0].name, "a/kept");
    let refused = restore(folder.path(), at(3 * 86_400)).unwrap_err();
    assert_eq!(
        refused.code(),
        Code::StorageLocked,
        "one that is open stays"
    );
}

#[test]
fn without_a_whole_backup_an_empty_workspace_is_begun_and_all_is_kept() {
    for with_backup in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("workspace.db"), "damage").unwrap();
        if with_backup {
            let backups = folder.path().join("backups");
            std::fs::create_dir(&backups).unwrap();
            std::fs::write(backups.join("workspace-1-daily.db"), "damage too").unwrap();
        }
        let restored = restore(folder.path(), at(0)).unwrap();
        assert_eq!(restored.backup, None);
        let kept = restored.damaged.join("backups/workspace-1-daily.db");
        assert_eq!(kept.is_file(), with_backup);
        assert!(restored.damaged.join("workspace.db").is_file());
        assert!(open(folder.path()).is_first_start());
    }
}

#[test]
fn a_file_that_is_gone_or_empty_is_not_begun_anew() {
    for gone in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()));
        drop(open(folder.path()));
        let path = folder.path().join("workspace.db");
        std::fs::remove_file(&path).unwrap();
        if !gone {
            std::fs::write(&path, "").unwrap();
        }
        let refused = Workspace::open(folder.path(), at(0)).unwrap_err();
        let Error::Corrupt {
            backup: Some(backup),
            ..
        } = &refused
        else {
            panic!("{refused}")
        };
        std::fs::copy(backup, &path).unwrap();
        open(folder.path());
    }
}

#[test]
fn a_first_start_that_was_cut_off_is_a_first_start_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("workspace.db"), "").unwrap();
    for _ in 0..2 {
        assert!(open(folder.path()).is_first_start());
    }
    let workspace = open(folder.path());
    let made = create(&workspace, 1, DocumentKind::Workflow, "a/b", "body");
    workspace.delete(made.id, at(1)).unwrap();
    drop(workspace);
    assert!(!open(folder.path()).is_first_start(), "a person deleted it");
}

#[test]
fn a_backup_of_the_future_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    drop(Workspace::open(folder.path(), at(900 * 86_400)).unwrap());
    let count = || std::fs::read_dir(folder.path().join("backups")).map_or(0, Iterator::count);
    for day in 1..=9 {
        for _ in 0..2 {
            drop(Workspace::open(folder.path(), at(day * 86_400)).unwrap());
        }
        assert_eq!(
            count(),
            usize::try_from(day + 1).unwrap().min(7),
            "day {day}"
        );
    }
}

#[test]
fn a_backup_is_made_once_a_day_and_the_oldest_go() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let count = || std::fs::read_dir(folder.path().join("backups")).map_or(0, Iterator::count);
    for day in 1..=9 {
        for hour in [1, 2] {
            let now = at(day * 86_400 + hour * 3_600);
            drop(Workspace::open(folder.path(), now).unwrap());
        }
        assert_eq!(count(), usize::try_from(day.min(7)).unwrap(), "day {day}");
    }
}

#[cfg(unix)]
#[test]
fn a_new_folder_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("mastra");
    drop(open(&data));
    assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

fn digest(number: usize) -> ProgramDigest {
    format!("{number:064x}").parse().unwrap()
}

#[test]
fn what_may_run_is_kept_by_name_and_taken_back_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let (namespace, name) = ("shop".parse().unwrap(), "orders".parse().unwrap());
    let other = "returns".parse().unwrap();
    workspace
        .allow_host(&namespace, &name, &[digest(1), digest(2)], at(1))
        .unwrap();
    workspace
        .allow_host(&namespace, &name, &[digest(3), digest(1)], at(2))
        .unwrap();
    workspace
        .allow_host(&namespace, &other, &[digest(1)], at(3))
        .unwrap();
    drop(workspace);

    let workspace = open(folder.path());
    let found = workspace.host_permissions().unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0].name, found[0].allowed), (&name, at(2)));
    assert_eq!(found[0].programs, [digest(1), digest(3), digest(2)]);
    assert!(workspace.forbid_host(&namespace, &name).unwrap());
    assert!(!workspace.forbid_host(&namespace, &name).unwrap());
    let left = workspace.host_permissions().unwrap();
    assert_eq!((left.len(), &left[0].name), (1, &other));
}

#[test]
fn of_too_many_programs_those_allowed_last_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = open(folder.path());
    let (namespace, name) = ("shop".parse().unwrap(), "orders".parse().unwrap());
    let all: Vec<ProgramDigest> = (0..PROGRAMS_MAX).map(digest).collect();
    workspace
        .allow_host(&namespace, &name, &all, at(1))
        .unwrap();
    workspace
        .allow_host(&namespace, &name, &[digest(PROGRAMS_MAX)], at(2))
        .unwrap();
    let programs = &workspace.host_permissions().unwrap()[0].programs;
    assert_eq!(programs.len(), PROGRAMS_MAX);
    assert_eq!(programs[0], digest(PROGRAMS_MAX));
}

/// A workspace of before has its documents, and nothing may run.
#[test]
fn a_file_of_the_first_version_is_backed_up_and_brought_forward() {
    let folder = tempfile::tempdir().unwrap();
    let saved = {
        let workspace = open(folder.path());
        let (namespace, name) = ("shop".parse().unwrap(), "orders".parse().unwrap());
        workspace
            .allow_host(&namespace, &name, &[digest(1)], at(1))
            .unwrap();
        create(&workspace, 1, DocumentKind::Workflow, "shop/orders", "one")
    };
    let raw = rusqlite::Connection::open(folder.path().join("workspace.db")).unwrap();
    raw.execute_batch("DROP TABLE host_permissions; PRAGMA user_version = 1")
        .unwrap();
    drop(raw);
    let workspace = open(folder.path());
    assert_eq!(workspace.get(saved.id).unwrap(), saved);
    assert_eq!(workspace.host_permissions().unwrap(), []);
    let backups = std::fs::read_dir(folder.path().join("backups")).unwrap();
    let names: Vec<String> = backups
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names.iter().any(|name| name.contains("before-2")),
        "{names:?}"
    );
}
