//! Source that does not compile: what is wrong and where.

use expect_test::{Expect, expect};

use super::{Expression, ExpressionError};

fn check(source: &str, expected: &Expect) {
    match Expression::compile(source, &["context"]) {
        Err(ExpressionError::Syntax { message, offset }) => {
            expected.assert_eq(&format!("{offset}: {message}"))
        }
        other => panic!("{source} gives {other:?}"),
    }
}

#[test]
fn what_cannot_be_read() {
    check("", &expect!["0: expected term at byte 0, found the end"]);
    check("   ", &expect!["3: expected term at byte 3, found the end"]);
    check(
        ".a +",
        &expect!["4: expected term at byte 4, found the end"],
    );
    check(".a | ]", &expect!["5: expected token at byte 5, found `]`"]);
    check(
        "(.a",
        &expect!["3: expected closing parenthesis at byte 3, found the end"],
    );
    check(
        "\"half",
        &expect!["5: expected closing quote at byte 5, found the end"],
    );
    check(
        "\"\\q\"",
        &expect![[r#"2: expected string escape sequence at byte 2, found `q"`"#]],
    );
    check(
        ".a = = 1",
        &expect!["5: expected term at byte 5, found `=`"],
    );
    check(
        "if . then 1",
        &expect!["11: expected else or end at byte 11, found the end"],
    );
    check("{a: }", &expect!["4: expected term at byte 4, found `}`"]);
    check(
        "reduce . as $x",
        &expect!["0: `reduce` takes `(start; update)` after its variable (byte 0)"],
    );
    check(". ü", &expect!["2: expected token at byte 2, found `ü`"]);
    check(
        "def f: 1;",
        &expect!["9: expected term at byte 9, found the end"],
    );
    check("& && ?", &expect!["0: expected token at byte 0, found `&`"]);
}

#[test]
fn what_nobody_defines() {
    check(
        ".a | nothing_like_it",
        &expect!["5: there is no function `nothing_like_it` without arguments (byte 5)"],
    );
    check(
        "map(.a; .b)",
        &expect!["0: there is no function `map` with 2 arguments (byte 0)"],
    );
    check(
        "[1, $nobody]",
        &expect!["4: the variable `$nobody` is not defined (byte 4)"],
    );
    check(
        "$Context",
        &expect!["0: the variable `$Context` is not defined (byte 0)"],
    );
    check(
        "break $out",
        &expect!["6: the label `$out` is not defined (byte 6)"],
    );
    check(
        "a::b",
        &expect!["0: the module `a` is not defined (byte 0)"],
    );
    check(
        "@base99",
        &expect!["0: there is no function `@base99` without arguments (byte 0)"],
    );
    check(
        "\"ü\" | @base99 \"\\(1)\"",
        &expect!["7: there is no function `@base99` without arguments (byte 7)"],
    );
    check(
        "_match(\"a\"; null)",
        &expect!["0: there is no function `_match` (byte 0)"],
    );
    check(
        "_main",
        &expect!["0: there is no function `_main` (byte 0)"],
    );
    check(
        "error_empty",
        &expect!["0: there is no function `error_empty` (byte 0)"],
    );
}

#[test]
fn what_reaches_outside() {
    check(
        "now",
        &expect![
            "0: `now` is not available: it depends on the clock, and a run must come out the same when it is played again"
        ],
    );
    check(
        ".a | env.HOME",
        &expect![
            "5: `env` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "$ENV.HOME",
        &expect![
            "0: `$ENV` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "[inputs]",
        &expect![
            "1: `inputs` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "input",
        &expect![
            "0: `input` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "debug",
        &expect![
            "0: `debug` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "debug(.a)",
        &expect![
            "0: `debug` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "stderr",
        &expect![
            "0: `stderr` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "halt",
        &expect![
            "0: `halt` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "halt_error",
        &expect![
            "0: `halt_error` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "localtime",
        &expect!["0: `localtime` is not available: it depends on the machine's time zone"],
    );
    check(
        "input_filename",
        &expect![
            "0: `input_filename` is not available: it reaches outside the expression, which sees its input and variables alone"
        ],
    );
    check(
        "builtins",
        &expect!["0: `builtins` is not available: it lists what the program that runs it has"],
    );
    check(
        "\"\\ud83d\\ude00\" | now",
        &expect![
            "17: `now` is not available: it depends on the clock, and a run must come out the same when it is played again"
        ],
    );
    check(
        "import \"a\" as a; 1",
        &expect!["7: `import` is not available: it reads files"],
    );
    check(
        "include \"a\"; 1",
        &expect!["8: `include` is not available: it reads files"],
    );
    check(
        ".[] as [$a] ?// $a | $a",
        &expect!["12: the operator `?//` is not available: write it with `if` or `try`"],
    );
    check(
        ".[] as [$a] ?//$a | $a",
        &expect!["12: the operator `?//` is not available: write it with `if` or `try`"],
    );
}

#[test]
fn what_is_too_long() {
    for source in [
        "1".repeat(100_000),
        "[1,".repeat(5_000),
        "-".repeat(50_000) + "1",
        ".|".repeat(20_000) + ".",
    ] {
        assert!(matches!(
            Expression::compile(&source, &[]),
            Err(ExpressionError::Syntax { .. })
        ));
    }
}

#[test]
fn deep_source_compiles_or_is_refused() {
    for depth in [10, 1_000, 4_900, 20_000, 60_000] {
        for (open, core, close) in [
            ("(", "1", ")"),
            ("[", "", "]"),
            ("{a:", "1", "}"),
            ("-", "1", ""),
            ("try ", "1", ""),
            ("if . then ", "1", " end"),
            ("def f: ", "1", "; f"),
            (". as $x|", "$x", ""),
            (".|", ".", ""),
            ("label $x|", "1", ""),
            ("\"\\(", "1", ")\""),
            (".[", "0", "]"),
            ("reduce ", "1", " as $x (1;1)"),
            (".a", "", ""),
            ("1+", "1", ""),
            (".//", "1", ""),
            ("def f(g): g; f(", "1", ")"),
        ] {
            let source = format!("{}{core}{}", open.repeat(depth), close.repeat(depth));
            if let Ok(expression) = Expression::compile(&source, &[]) {
                // The result is another question; that there is one is the point.
                let _ = expression.evaluate(&serde_json::Value::Null, &|_| None);
            }
        }
    }
}
