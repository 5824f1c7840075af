//! Which known word a person probably meant.

/// `did you mean 'x'?` for the nearest of the known words, if any is near enough.
pub fn did_you_mean<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<String> {
    // Longer than any of our words: measuring it would only cost time.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let near = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("did you mean '{candidate}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_offered_and_far_ones_are_not() {
        let known = ["when", "then", "exceptWhen"];
        assert_eq!(did_you_mean("whn", known).unwrap(), "did you mean 'when'?");
        assert_eq!(
            did_you_mean("exceptwhen", known).unwrap(),
            "did you mean 'exceptWhen'?"
        );
        assert_eq!(did_you_mean("condition", known), None);
        assert_eq!(did_you_mean(&"w".repeat(1000), known), None);
    }
}
