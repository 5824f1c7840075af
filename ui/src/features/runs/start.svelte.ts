//! Starting runs: with the last input at once, or with an input that the person edits first.
import { done, failed } from "$components/toasts.svelte";
import { shortId } from "$components/format";
import { commands, viewOf, type DocumentSummary, type RunSummary } from "$ipc";
import { address, go } from "../../routes/router.svelte";

/** Which documents are being started now, so that ten clicks are one run. */
export const starting = $state<Record<string, boolean>>({});

/** The document whose input dialog is open. */
export const inputDialog = $state<{ document: DocumentSummary | null }>({ document: null });

export function openRun(run: Pick<RunSummary, "id">): void {
  go(address("runs", run.id));
}

/** Starts a run with what was used last, else the sample's input; says so and offers to open it. */
export async function runWithLastInput(document: DocumentSummary): Promise<RunSummary | null> {
  if (starting[document.id]) return null;
  starting[document.id] = true;
  try {
    const input = await commands.documentSampleInput({ id: document.id });
    const run = await commands.runStart({ documentId: document.id, input: input.text });
    done(`${document.title} runs: ${run.subject ?? shortId(run.id)}`, { label: "Open", run: () => openRun(run) });
    return run;
  } catch (thrown) {
    const view = viewOf(thrown);
    failed(`${document.title} was not started: ${view.detail}${view.hint ? ` ${view.hint}` : ""}`);
    return null;
  } finally {
    starting[document.id] = false;
  }
}
