//! The offline help on the language: a page for each kind of task and one for what tasks share, each with
//! an example that runs.
//!
//! A page is Markdown: what the task does, a workflow, its input and its output, what is good to know.

/// One page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelpPage {
    /// The keyword of the task, such as `for`; or `use`.
    pub keyword: &'static str,
    pub markdown: &'static str,
}

/// The example of a page: a workflow, what goes in and what comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelpExample {
    /// YAML.
    pub document: &'static str,
    /// JSON.
    pub input: &'static str,
    /// JSON.
    pub output: &'static str,
}

macro_rules! pages {
    ($($keyword:literal),* $(,)?) => {
        &[$(HelpPage {
            keyword: $keyword,
            markdown: include_str!(concat!($keyword, ".md")),
        }),*]
    };
}

/// A page for each kind of task, the simple ones first, then `use`.
pub const fn help_pages() -> &'static [HelpPage] {
    pages![
        "set", "do", "switch", "for", "try", "raise", "wait", "call", "fork", "emit", "listen",
        "run", "use",
    ]
}

impl HelpPage {
    /// The first line, such as `for: tasks once for each item`.
    pub fn title(&self) -> &'static str {
        let line = self.markdown.lines().next().unwrap_or_default();
        line.trim_start_matches("# ")
    }

    /// `None` where the page lacks one of the three.
    pub fn example(&self) -> Option<HelpExample> {
        let mut json = fenced(self.markdown, "```json\n");
        Some(HelpExample {
            document: fenced(self.markdown, "```yaml\n").next()?,
            input: json.next()?,
            output: json.next()?,
        })
    }
}

/// The insides of the blocks that begin with `fence`.
fn fenced(markdown: &'static str, fence: &'static str) -> impl Iterator<Item = &'static str> {
    let blocks = markdown.split(fence).skip(1);
    blocks.filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::KINDS;

    #[test]
    fn every_kind_of_task_has_a_page_with_an_example() {
        for kind in KINDS {
            let page = help_pages()
                .iter()
                .find(|page| page.keyword == kind.keyword);
            let page = page.unwrap_or_else(|| panic!("no page for {}", kind.keyword));
            assert!(page.title().starts_with(&format!("{}: ", kind.keyword)));
            let example = page.example().expect("a workflow, an input and an output");
            let workflow = crate::parse(example.document, crate::Format::Yaml);
            assert_eq!(workflow.err(), None, "{}", kind.keyword);
        }
    }
}
