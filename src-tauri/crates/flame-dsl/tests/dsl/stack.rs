//! What happens where the system gives no memory for the stack of an evaluation.

use std::process::Command;

use flame_dsl::expression::{Expression, ExpressionError};

/// Address space in KiB: enough for the test's program, too little for a stack of 256 MiB.
const ADDRESS_SPACE_KIB: &str = "240000";

#[test]
#[cfg(target_os = "linux")]
fn without_address_space_an_expression_is_an_error() {
    let script = format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "stack::compiled_in_little_space",
            "--ignored",
            "--test-threads=1",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
#[ignore = "runs in a process of its own, with little address space"]
fn compiled_in_little_space() {
    let error = Expression::compile(".a", &[]).unwrap_err();
    let ExpressionError::Failed { message } = &error else {
        panic!("{error:?}")
    };
    assert!(message.contains("256 MiB of address space"), "{message}");
}
