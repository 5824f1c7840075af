//! Dead letters and emitted events.

super::adapters! {
    dead_letters_list: DeadLettersList,
    dead_letter_edit: DeadLetterEdit,
    dead_letters_send: DeadLettersSend,
    dead_letters_discard: DeadLettersDiscard,
    events_list: EventsList,
}
