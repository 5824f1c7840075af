//! The syntax of RFC 6570 URI templates, checked before a run meets it.
//!
//! Deliberately absent: expansion, which needs a run's data.

/// Where a template is wrong; `offset` is in bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UriTemplateError {
    pub message: &'static str,
    pub offset: usize,
}

/// The names that a template takes from the task's input, in order.
pub fn uri_template_names(template: &str) -> Result<Vec<&str>, UriTemplateError> {
    let mut names = Vec::new();
    let mut at = 0;
    while let Some(found) = template[at..].find(['{', '}']) {
        let open = at + found;
        if template[open..].starts_with('}') {
            return Err(fault("a '}' without its '{'", open));
        }
        let inside = &template[open + 1..];
        let Some(length) = inside.find('}') else {
            return Err(fault("a '{' without its '}'", open));
        };
        expression(&inside[..length], open + 1, &mut names)?;
        at = open + 1 + length + 1;
    }
    Ok(names)
}

const fn fault(message: &'static str, offset: usize) -> UriTemplateError {
    UriTemplateError { message, offset }
}

/// What stands between braces: an operator, then names with modifiers.
fn expression<'t>(
    text: &'t str,
    offset: usize,
    names: &mut Vec<&'t str>,
) -> Result<(), UriTemplateError> {
    let list = text
        .strip_prefix(['+', '#', '.', '/', ';', '?', '&'])
        .unwrap_or(text);
    let mut at = offset + text.len() - list.len();
    if list.is_empty() {
        return Err(fault("the braces hold no name", offset));
    }
    for variable in list.split(',') {
        names.push(name(variable, at)?);
        at += variable.len() + 1;
    }
    Ok(())
}

fn name(variable: &str, offset: usize) -> Result<&str, UriTemplateError> {
    let name = match variable.split_once(':') {
        Some((name, length)) => {
            let good = length.len() <= 4
                && length.starts_with(|c: char| ('1'..='9').contains(&c))
                && length.bytes().all(|b| b.is_ascii_digit());
            if !good {
                return Err(fault(
                    "a prefix length is a number from 1 to 9999",
                    offset + name.len(),
                ));
            }
            name
        }
        None => variable.strip_suffix('*').unwrap_or(variable),
    };
    let letter = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || c == '%' || c == '-';
    if name.is_empty() || !name.chars().all(letter) {
        return Err(fault(
            "between braces stands a name of the task's input, such as {id}",
            offset,
        ));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_operator() {
        let template = "https://e.com{/a,b}{?c*,d:3}{#e}{+f}/x{g_1.h}{&i}{;j}{.k}";
        let names = ["a", "b", "c", "d", "e", "f", "g_1.h", "i", "j", "k"];
        assert_eq!(uri_template_names(template).unwrap(), names);
        assert!(
            uri_template_names("https://e.com/plain")
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        for (template, offset) in [
            ("a{", 1),
            ("a}", 1),
            ("a{}", 2),
            ("a{b c}", 2),
            ("a{b,}", 4),
            ("a{b:0}", 3),
            ("ä{ .id }", 3),
            ("a{b{c}}", 2),
        ] {
            assert_eq!(
                uri_template_names(template).unwrap_err().offset,
                offset,
                "{template}"
            );
        }
    }
}
