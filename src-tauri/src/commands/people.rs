//! Tasks that wait for a person.

super::adapters! {
    tasks_list: TasksList,
    task_answer: TaskAnswer,
}
