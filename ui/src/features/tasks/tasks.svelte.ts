//! The tasks that wait for a person, shared by the inbox, Home, the sidebar and the pages of runs.
import { commands, Resource, type PersonTask } from "$ipc";
import { address } from "../../routes/router.svelte";
import { AnswerForm } from "./answer-form.svelte";

export const tasks = new Resource<PersonTask[]>(() => commands.tasksList());

/** Names a task among all that wait. */
export const keyOf = (task: Pick<PersonTask, "run" | "task">) => `${task.run} ${task.task}`;

/** The address of a task's form. */
export const addressOf = (task: PersonTask) => `${address("tasks")}?${new URLSearchParams({ run: task.run, task: task.task }).toString()}`;

const forms = new Map<string, AnswerForm>();

/** The form of a task; what was typed stays while one looks at another. */
export function formOf(task: PersonTask): AnswerForm {
  const key = keyOf(task);
  const known = forms.get(key);
  if (known) return known;
  const form = new AnswerForm(task);
  forms.set(key, form);
  return form;
}

/** The task was answered: it is gone from the list before the agent is asked again. */
export function answered(task: PersonTask): void {
  const left = (tasks.data ?? []).filter((known) => keyOf(known) !== keyOf(task));
  tasks.put(left);
  const keys = new Set(left.map(keyOf));
  for (const key of forms.keys()) if (!keys.has(key)) forms.delete(key);
  tasks.reloadSoon();
}
