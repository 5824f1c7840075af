//! The inbox: tasks that wait for a person, and their answers.

use std::sync::Arc;

use flame_agent_client::api::{DefinitionProblem, PersonTaskView};
use flame_errors::Code;
use flame_ipc::{
    AnswerMisfit, Answered, ErrorView, PersonTask, PersonTaskKind, TaskAnswer, TasksList,
};

use crate::app::App;
use crate::documents::{self, Titles};
use crate::execute::Execute;
use crate::failure::{OrView, View, read_json};
use crate::runs;

/// How the agent calls the type of a yes or no.
const APPROVAL: &str = "io.mastra.approval.v1";

impl Execute for TasksList {
    async fn execute(self, app: Arc<App>) -> Result<Vec<PersonTask>, ErrorView> {
        let open = app.agent().await?.person_tasks().await.or_view()?;
        let titles = documents::titles(&app).await?;
        let tasks = open.items.into_iter();
        Ok(tasks.map(|task| view(task, &titles)).collect())
    }
}

impl Execute for TaskAnswer {
    async fn execute(self, app: Arc<App>) -> Result<Answered, ErrorView> {
        let run = runs::parse_id(&self.run)?;
        let data = read_json("the answer", &self.data)?;
        let answered = app.agent().await?.answer(run, &self.task, &data).await;
        let error = match answered {
            Ok(run) => {
                let titles = documents::titles(&app).await?;
                return Ok(Answered {
                    run: Some(runs::summary(&run, &titles)),
                    misfits: Vec::new(),
                });
            }
            Err(error) => error,
        };
        match error.problem() {
            Some(problem) if problem.code == Code::InputInvalid => Ok(Answered {
                run: None,
                misfits: problem.problems.iter().map(misfit).collect(),
            }),
            _ => Err(error.view()),
        }
    }
}

fn view(task: PersonTaskView, titles: &Titles) -> PersonTask {
    let name = format!("{}/{}", task.workflow.namespace, task.workflow.name);
    PersonTask {
        run: task.run.to_string(),
        task: task.task,
        kind: if task.kind == APPROVAL {
            PersonTaskKind::Approval
        } else {
            PersonTaskKind::Form
        },
        title: task.title,
        description: task.description,
        assignee: task.assignee,
        workflow: titles
            .get(&name)
            .cloned()
            .unwrap_or_else(|| task.workflow.name.to_string()),
        schema: task.schema.into(),
        since: task.since.into(),
    }
}

/// Without the place that the agent puts before its words: the window shows them at that place.
fn misfit(problem: &DefinitionProblem) -> AnswerMisfit {
    let words = match problem.message.split_once(": ") {
        Some((place, words)) if place.starts_with('/') || place == "the answer" => words,
        _ => &problem.message,
    };
    AnswerMisfit {
        pointer: problem.pointer.clone(),
        message: words.to_owned(),
    }
}
