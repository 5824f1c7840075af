//! Durations, timeouts and cron schedules.

use croner::parser::{CronParser, Seconds, Year};

use super::Lowering;
use crate::DurationSource;
use crate::duration::{self, DurationError};
use crate::expression;
use crate::problem::{Problem, Rule};
use crate::shape::did_you_mean;
use crate::source::{Node, pointer_step};

impl Lowering<'_> {
    pub(super) fn duration(&mut self, node: &Node, pointer: &str) -> Option<DurationSource> {
        if let Some(text) = node.text() {
            if let Some(source) = expression::strip(text) {
                return self
                    .compile(node, text, source, pointer)
                    .map(DurationSource::Expression);
            }
            if text.contains("${") {
                return self
                    .expression(node, pointer)
                    .map(DurationSource::Expression);
            }
            // The shape check has said what is wrong with any other text.
            return duration::parse_iso8601(text)
                .ok()
                .map(DurationSource::Fixed);
        }
        let mut parts = Vec::new();
        for entry in node.object()? {
            parts.push((
                entry.key.as_str(),
                u64::try_from(entry.value.integer()?).ok()?,
            ));
        }
        match duration::from_parts(parts) {
            Ok(duration) => Some(DurationSource::Fixed(duration)),
            Err(DurationError::TooLong) => self.strict(
                node,
                pointer,
                "longer than 100 years",
                "write a shorter duration",
            ),
            Err(_) => None,
        }
    }

    /// A timeout: inline, or the name of one in `use.timeouts`.
    pub(super) fn timeout(&mut self, node: &Node, pointer: &str) -> Option<DurationSource> {
        let Some(name) = node.text() else {
            return self.required(node, "after", pointer, Self::duration);
        };
        let (definition, pointer) = self.used(node, name, "timeouts", "timeout", pointer)?;
        self.required(&definition, "after", &pointer, Self::duration)
    }

    /// The definition of that name in one of the lists of `use`, with its pointer.
    pub(super) fn used(
        &mut self,
        node: &Node,
        name: &str,
        list: &str,
        what: &str,
        pointer: &str,
    ) -> Option<(Node, String)> {
        let definitions = self.uses.and_then(|uses| uses.get(list));
        if let Some(found) = definitions.and_then(|definitions| definitions.get(name)) {
            let place = pointer_step(&format!("/use/{list}"), name);
            return Some((found.clone(), place));
        }
        let known: Vec<&str> = definitions
            .and_then(Node::object)
            .map(|entries| entries.iter().map(|entry| entry.key.as_str()).collect())
            .unwrap_or_default();
        let hint = if list == "timeouts" && duration::parse_iso8601(name).is_ok() {
            format!("for a duration write 'timeout: {{after: {name}}}'")
        } else if let Some(guess) = did_you_mean(name, known.iter().copied()) {
            guess
        } else if known.is_empty() {
            format!("define it in use.{list}, or write it out here")
        } else {
            format!("use.{list} has {}", known.join(", "))
        };
        let message = format!("no {what} '{name}' in use.{list}");
        self.refuse(
            Problem::new(Rule::Reference, node.span, pointer, message)
                .value(name)
                .hint(hint),
        )
    }

    pub(super) fn cron(&mut self, node: &Node, pointer: &str) -> Option<crate::Schedule> {
        let text = node.text()?;
        match check_cron(text) {
            Ok(()) => Some(crate::Schedule::Cron(text.trim().into())),
            Err(message) => self.strict(
                node,
                pointer,
                &message,
                "write minute, hour, day, month and weekday, such as '30 7 * * MON-FRI', in UTC; \
                 'CRON_TZ=Europe/Berlin ' before them takes the time of a place",
            ),
        }
    }
}

/// Checks five cron fields, optionally led by `CRON_TZ=Area/City`.
fn check_cron(text: &str) -> Result<(), String> {
    let text = text.trim();
    let fields = match text.strip_prefix("CRON_TZ=") {
        None => text,
        Some(rest) => {
            let (zone, fields) = rest.split_once(' ').unwrap_or((rest, ""));
            if jiff::tz::TimeZone::get(zone).is_err() {
                return Err(format!("no time zone '{zone}'"));
            }
            fields
        }
    };
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    // A leap year: what no day of its coming years is like, none ever is.
    let start = jiff::civil::date(2024, 1, 1).to_zoned(jiff::tz::TimeZone::UTC);
    match parser.parse(fields) {
        Ok(cron) => match start.map(|start| cron.find_next_occurrence(&start, true)) {
            Ok(Ok(_)) => Ok(()),
            _ => Err("no day is ever like this".to_owned()),
        },
        Err(error) => Err(format!("not a cron expression: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_has_five_fields_and_maybe_a_time_zone() {
        for good in [
            "0 7 * * *",
            "*/5 0-6 1,15 JAN MON-FRI",
            "CRON_TZ=Europe/Berlin 0 7 * * *",
            "0 0 29 2 *",
        ] {
            assert_eq!(check_cron(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "* * * *",
            "* * * * * *",
            "61 * * * *",
            "CRON_TZ=Nowhere/City 0 7 * * *",
            "CRON_TZ=UTC",
            "0 0 31 2 *",
            "0 0 31 4,6,9,11 *",
        ] {
            assert!(check_cron(bad).is_err(), "{bad}");
        }
    }
}
