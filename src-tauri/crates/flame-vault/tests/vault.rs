//! The vault on a machine with a keychain and on one without.
//!
//! What the session offers is read from the environment once a process, so each case runs this test's
//! own binary again in an environment of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};

use flame_errors::Code;
use flame_vault::{Cost, Place, State, Vault};
use secrecy::{ExposeSecret, SecretString};

const KEYRING: &[&str] = &["dbus-run-session", "gnome-keyring-daemon"];

const CHEAP: Cost = Cost {
    memory_kib: 64,
    iterations: 1,
    lanes: 1,
};

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

/// What hangs fails; none of this takes long.
const HUNG_AFTER_S: &str = "120";

/// Runs one of the `inside_` cases of this file under a command line that sets its stage.
fn run_inside(case: &str, stage: &[&str], home: &Path) {
    let mut arguments = vec!["--kill-after=5", HUNG_AFTER_S];
    arguments.extend(stage);
    let test = std::env::current_exe().unwrap();
    let test = test.to_str().unwrap();
    arguments.extend([test, "--exact", case, "--ignored", "--nocapture"]);
    let output = Command::new("timeout")
        .args(&arguments)
        .env("HOME", home)
        .env("XDG_DATA_HOME", home.join("data"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("XDG_RUNTIME_DIR", home)
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{}\n{text}\n{errors}",
        output.status
    );
}

/// Whether a session with these programs can be had here; says what is missing where it can't.
fn has(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_missing =
        |program: &&str| !std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing = programs.iter().copied().find(is_missing);
    if let Some(program) = missing {
        flame_testkit::skipped(format_args!("{program} is not installed"));
    }
    missing.is_none()
}

#[test]
fn without_a_session_bus_the_file_is_used() {
    let home = tempfile::tempdir().unwrap();
    run_inside("inside_without_a_keychain", &["env"], home.path());
}

#[test]
fn with_a_keychain_nothing_is_written_to_a_file() {
    if !has(KEYRING) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let unlock = "printf %s test-password \
        | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null && \"$@\"";
    let stage = ["dbus-run-session", "--", "sh", "-c", unlock, "sh"];
    run_inside("inside_with_a_keychain", &stage, home.path());
}

#[test]
fn a_keychain_that_was_never_unlocked_is_not_used() {
    if !has(KEYRING) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let start = "gnome-keyring-daemon --start --components=secrets >/dev/null 2>&1; \"$@\"";
    let stage = ["dbus-run-session", "--", "sh", "-c", start, "sh"];
    run_inside("inside_without_a_keychain", &stage, home.path());
}

#[test]
fn a_keychain_that_never_answers_is_not_used() {
    if !has(&["dbus-run-session"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let stage = ["dbus-run-session", "--"];
    run_inside("inside_with_a_silent_keychain", &stage, home.path());
}

#[test]
#[ignore = "runs inside a stage that the other tests set"]
fn inside_without_a_keychain() {
    the_file_is_used();
}

#[test]
#[ignore = "runs inside a stage that the other tests set"]
fn inside_with_a_silent_keychain() {
    let silent = zbus::blocking::Connection::session().unwrap();
    // Nothing is served on the connection, so what is asked there stays without an answer.
    silent.request_name("org.freedesktop.secrets").unwrap();
    let reason = the_file_is_used();
    assert!(reason.contains("did not answer within 2s"), "{reason}");
}

/// Keeps a secret in the file, through all that a person meets there; gives the reason that is told.
fn the_file_is_used() -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.json");
    let vault = Vault::new("io.mastra.test", path.clone(), CHEAP);
    let status = vault.status();
    assert_eq!((status.place, status.state), (Place::File, State::New));
    let reason = status.detail.expect("the reason is told");
    assert!(!path.exists(), "asking makes no file");

    let refused = vault.put("db", &secret("canary")).unwrap_err();
    assert_eq!(refused.code(), Code::VaultLocked);
    assert_eq!(
        vault.unlock(&secret("short")).unwrap_err().code(),
        Code::ParameterInvalid
    );
    vault.unlock(&secret("correct horse")).unwrap();
    assert_eq!(vault.put("db", &secret("canary")).unwrap(), Place::File);

    let later = Vault::new("io.mastra.test", path, CHEAP);
    assert_eq!(later.status().state, State::Locked);
    assert_eq!(
        later.get(Place::File, "db").unwrap_err().code(),
        Code::VaultLocked
    );
    let wrong = later.unlock(&secret("wrong horse")).unwrap_err();
    assert_eq!(wrong.code(), Code::VaultPassphrase);
    later.unlock(&secret("correct horse")).unwrap();
    let kept = later.get(Place::File, "db").unwrap().unwrap();
    assert_eq!(kept.expose_secret(), "canary");
    let large = secret(&"x".repeat(70_000));
    assert_eq!(
        later.put("db", &large).unwrap_err().code(),
        Code::ParameterInvalid
    );
    reason
}

#[test]
#[ignore = "runs inside a stage that the other tests set"]
fn inside_with_a_keychain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.json");
    let vault = Vault::new("io.mastra.test", path.clone(), CHEAP);
    let status = vault.status();
    assert_eq!(
        (status.place, status.state),
        (Place::Keychain, State::Ready),
        "{status:?}"
    );
    assert_eq!(vault.put("db", &secret("canary")).unwrap(), Place::Keychain);
    let later = Vault::new("io.mastra.test", path.clone(), CHEAP);
    let kept = later.get(Place::Keychain, "db").unwrap().unwrap();
    assert_eq!(kept.expose_secret(), "canary");
    later.delete(Place::Keychain, "db").unwrap();
    assert!(later.get(Place::Keychain, "db").unwrap().is_none());
    assert!(!path.exists(), "the file is a fallback");
}
