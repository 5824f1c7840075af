//! `evaluate.mode`: in loose mode the texts of data are tried as expressions, and are text where they fail.

use flame_dsl::expression::ExpressionError;
use flame_dsl::{Format, Task, TaskKind, Template, parse};
use serde_json::{Value, json};

/// The tasks of a document in this mode.
fn tasks(mode: &str, tasks: &Value) -> Vec<Task> {
    let document = json!({
        "document": {"dsl": "1.0.3", "namespace": "n", "name": "w", "version": "1.0.0"},
        "evaluate": {"language": "jq", "mode": mode},
        "do": tasks,
    });
    let workflow = parse(&document.to_string(), Format::Json).unwrap();
    workflow.tasks.0
}

/// What `set` makes of the value in this mode.
fn set(mode: &str, value: &Value) -> Result<Value, ExpressionError> {
    let input = json!({"a": 1, "name": "Ada", "text": "${ .a }", "bare": ".a"});
    let tasks = tasks(mode, &json!([{"t": {"set": {"x": value}}}]));
    let template = match &tasks[0].kind {
        TaskKind::Set(template) => Some(template),
        _ => None,
    };
    let mut output = template
        .unwrap()
        .evaluate(&input, &|name| (name == "input").then_some(&input))?;
    Ok(output["x"].take())
}

#[test]
fn a_text_gives_what_it_evaluates_to_or_itself() {
    for (text, loose) in [
        (".a", json!(1)),
        ("${ .a }", json!(1)),
        ("$input.name", json!("Ada")),
        ("{b: .a}", json!({"b": 1})),
        ("true", json!(true)),
        ("Hi ${ .name }, ${ .a + 1 }", json!("Hi Ada, 2")),
        // No expressions.
        ("Hi there", json!("Hi there")),
        ("orders.db", json!("orders.db")),
        ("", json!("")),
        ("$nobody", json!("$nobody")),
        ("${ .a + }", json!("${ .a + }")),
        ("Hi ${ .a + }", json!("Hi ${ .a + }")),
        ("Hi ${ .name", json!("Hi ${ .name")),
        // Expressions that fail.
        (".name.x", json!(".name.x")),
        ("${ .name.x }", json!("${ .name.x }")),
        (
            "${ .a } and ${ .name.x }",
            json!("${ .a } and ${ .name.x }"),
        ),
        ("error", json!("error")),
        // What data holds is data.
        (".text", json!("${ .a }")),
        ("${ .bare }", json!(".a")),
    ] {
        assert_eq!(set("loose", &json!(text)), Ok(loose.clone()), "{text}");
        let nested = json!([{"k": text}, 2]);
        assert_eq!(
            set("loose", &nested),
            Ok(json!([{"k": loose}, 2])),
            "{text}"
        );
    }
}

#[test]
fn strictly_an_expression_stands_in_its_signs() {
    for (text, strict) in [
        (".a", Ok(json!(".a"))),
        ("true", Ok(json!("true"))),
        ("${ .a }", Ok(json!(1))),
        ("Hi ${ .name }", Ok(json!("Hi Ada"))),
        ("${ .name.x }", Err(())),
    ] {
        assert_eq!(set("strict", &json!(text)).map_err(drop), strict, "{text}");
    }
}

#[test]
fn what_costs_too_much_is_an_error_in_either_mode() {
    for mode in ["strict", "loose"] {
        let result = set(mode, &json!("${ [limit(1e12; repeat(1))] }"));
        assert!(
            matches!(result, Err(ExpressionError::Budget { .. })),
            "{mode}: {result:?}"
        );
    }
}

#[test]
fn a_text_that_failed_leaves_no_trace_in_what_the_others_may_use() {
    // Each takes more than half of what a result may have, and then fails.
    let text = r#"${ "x" * 20000000 } ${ error }"#;
    let many = json!([text, text]);
    assert_eq!(set("loose", &many), Ok(many));
}

#[test]
fn names_and_programs_are_never_expressions() {
    let tasks = tasks(
        "loose",
        &json!([
            {"e": {"emit": {"event": {"with": {"type": "type", "source": "type", "data": "type"}}}}},
            {"r": {"run": {"shell": {"command": "ls", "arguments": ["type"], "stdin": "type",
                "environment": {"A": "type"}}}}},
            {"h": {"call": "http", "with": {"method": "type", "endpoint": "http://e.com/{type}",
                "body": "type", "headers": {"A": "type"}, "query": {"a": "type"}}}},
            {"f": {"raise": {"error": {"type": "type", "status": 400, "title": "type"}}}},
        ]),
    );
    // As Debug shows a model: what may be an expression says so.
    let loose = |task: &Task| format!("{:?}", task.kind).matches("Loose(").count();
    let counts: Vec<usize> = tasks.iter().map(loose).collect();
    assert_eq!(counts, [1, 0, 3, 0]);
    let TaskKind::Emit(Template::Object(members)) = &tasks[0].kind else {
        panic!("no event");
    };
    assert!(matches!(&members[2], (name, Template::Loose(_)) if name == "data"));
}
