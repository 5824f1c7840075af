//! Outputs that are pinned for tests, by workflow; kept in the workspace.
import { taskTitle } from "$components/format";
import { done, failed } from "$components/toasts.svelte";
import { commands, Resource, viewOf, type Pin, type TaskView } from "$ipc";

const lists = new Map<string, Resource<Pin[]>>();

/** The pins of a workflow, `namespace/name`. */
export function pinsOf(workflow: string): Resource<Pin[]> {
  const known = lists.get(workflow);
  if (known) return known;
  const list = new Resource(() => commands.pinsList({ workflow }));
  lists.set(workflow, list);
  return list;
}

async function change(workflow: string, what: () => Promise<Pin[]>): Promise<boolean> {
  try {
    pinsOf(workflow).put(await what());
    return true;
  } catch (thrown) {
    const view = viewOf(thrown);
    failed(`${view.title}: ${view.detail}${view.hint ? ` ${view.hint}` : ""}`);
    return false;
  }
}

/** Tests of the workflow take this output instead of executing the task. */
export async function pin(workflow: string, run: string, task: TaskView): Promise<void> {
  if (await change(workflow, () => commands.pinAdd({ run, task: task.key }))) done(`The output of ${taskTitle(task.name)} is pinned for tests`);
}

export async function unpin(workflow: string, task: string): Promise<void> {
  await change(workflow, () => commands.pinRemove({ workflow, task }));
}
