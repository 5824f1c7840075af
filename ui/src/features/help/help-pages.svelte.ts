//! The pages of the offline help, and a workflow made from the example of one.
import { failed } from "$components/toasts.svelte";
import { documents } from "$features/workflows/documents.svelte";
import { freeName, nameOf, renamed } from "$features/workflows/naming";
import { commands, Resource, viewOf, type HelpText } from "$ipc";
import { address, go } from "../../routes/router.svelte";

export const helpPages = new Resource<HelpText[]>(() => commands.helpPages());

/** The pages that hold every word of the text, those that hold it in their name first. */
export function matching(pages: HelpText[], text: string): HelpText[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (where: string) => words.every((word) => where.toLowerCase().includes(word));
  const named = pages.filter((page) => holds(`${page.id} ${page.title}`));
  return [...named, ...pages.filter((page) => !named.includes(page) && holds(`${page.id} ${page.markdown}`))];
}

/** Makes a new document from the example of a page and opens it in the editor. */
export async function openExample(page: HelpText): Promise<void> {
  if (page.example === null) return;
  const title = `Example of ${page.id}`;
  try {
    if (!documents.data) await documents.reload();
    const taken = new Set((documents.data ?? []).map((document) => document.name));
    const text = renamed(page.example, freeName(nameOf(title), taken), title);
    const made = await commands.documentCreate({ kind: "workflow", text });
    await documents.reload();
    go(address("workflows", made.id));
  } catch (thrown) {
    const view = viewOf(thrown);
    failed(`The example was not opened: ${view.detail}${view.hint ? ` ${view.hint}` : ""}`);
  }
}
