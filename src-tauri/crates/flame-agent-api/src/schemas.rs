//! Schema stand-ins for types of `flame-types` and `flame-errors`, which know nothing of OpenAPI.
//!
//! Never constructed: each is named by a `value_type` attribute only. A test holds the words against the
//! real enums.

use serde::Serialize;
use utoipa::ToSchema;

/// Status of a run or task, in the specification's words.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "a schema, never a value")]
pub(crate) enum RunStatus {
    Pending,
    Running,
    Waiting,
    Suspended,
    Cancelled,
    Faulted,
    Completed,
}

/// What an acknowledgement promises: `full` survives a power cut, `normal` a crash of the process.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "a schema, never a value")]
pub(crate) enum Durability {
    Full,
    Normal,
}

/// A stable error code; its number never changes its meaning.
#[derive(Serialize, ToSchema)]
#[schema(pattern = "^MD-[0-9]{3}$", example = "MD-201")]
pub(crate) struct Code(String);

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    fn words<T: PartialSchema>() -> Vec<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        schema["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn words_are_those_of_the_shared_types() {
        let statuses: Vec<&str> = flame_types::RunStatus::ALL
            .iter()
            .map(|status| status.as_str())
            .collect();
        assert_eq!(words::<super::RunStatus>(), statuses);
        let modes = [
            flame_types::Durability::Full,
            flame_types::Durability::Normal,
        ];
        assert_eq!(
            words::<super::Durability>(),
            modes.map(|mode| mode.as_str())
        );
    }
}
