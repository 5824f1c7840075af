//! What can be done with a document from a list or from its page.
import { plural } from "$components/format";
import { done, failed } from "$components/toasts.svelte";
import { commands, viewOf, type DocumentSummary } from "$ipc";
import { address, go } from "../../routes/router.svelte";
import { documents } from "./documents.svelte";

const say = (what: string, thrown: unknown) => {
  const { detail, hint } = viewOf(thrown);
  failed(`${what}: ${hint ? `${detail.replace(/\.?$/, ".")} ${hint}` : detail}`);
};

/** Gives the saved text to the agent; says which runs stay on the older version. */
export async function deployDocument(document: DocumentSummary): Promise<boolean> {
  try {
    const { version, runsOnOlder } = await commands.documentDeploy({ id: document.id });
    done(`${version} deployed.${runsOnOlder > 0 ? ` ${plural(runsOnOlder, "run")} ${runsOnOlder === 1 ? "stays" : "stay"} on the version they started with.` : ""}`);
    await documents.reload();
    return true;
  } catch (thrown) {
    say(`${document.title} was not deployed`, thrown);
    return false;
  }
}

export async function duplicateDocument(document: DocumentSummary): Promise<void> {
  try {
    const copy = await commands.documentDuplicate({ id: document.id });
    await documents.reload();
    done(`${copy.title} made`, { label: "Open", run: () => go(address("workflows", copy.id)) });
  } catch (thrown) {
    say(`${document.title} was not duplicated`, thrown);
  }
}

/** Deletes at once and offers the way back. */
export async function removeDocument(document: DocumentSummary): Promise<boolean> {
  try {
    const { undoToken } = await commands.documentDelete({ id: document.id });
    await documents.reload();
    done(`${document.title} deleted`, { label: "Undo", run: () => restore(undoToken, document.title) });
    return true;
  } catch (thrown) {
    say(`${document.title} was not deleted`, thrown);
    return false;
  }
}

/** Shows the folder that the pipeline watches. */
export async function openInbox(document: Pick<DocumentSummary, "id" | "title">): Promise<void> {
  try {
    await commands.feedOpenFolder({ documentId: document.id });
  } catch (thrown) {
    say(`The folder of ${document.title} was not opened`, thrown);
  }
}

async function restore(undoToken: string, title: string): Promise<void> {
  try {
    await commands.documentRestore({ undoToken });
    await documents.reload();
    done(`${title} is back`);
  } catch (thrown) {
    say(`${title} was not brought back`, thrown);
  }
}
