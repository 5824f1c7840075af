//! The help of the fake: the pages of the product, read from where they are written.
import type { HelpText } from "../bindings";
import type { Handlers } from "./handlers";
import { failure } from "./world";

const TASKS = import.meta.glob<string>("../../../../src-tauri/crates/flame-dsl/src/help/*.md", { query: "?raw", import: "default", eager: true });
const CODES = import.meta.glob<string>("../../../../src-tauri/crates/flame-errors/src/help/*.md", { query: "?raw", import: "default", eager: true });

/** As the shell orders them: the simple tasks first. */
const KEYWORDS = ["set", "do", "switch", "for", "try", "raise", "wait", "call", "fork", "emit", "listen"];

function page(path: string, markdown: string, kind: HelpText["kind"]): HelpText {
  const id = /([^/]+)\.md$/.exec(path)?.[1] ?? path;
  const title = (markdown.split("\n", 1)[0] ?? "").replace(/^# [^:]+: /, "");
  return { id, kind, title, markdown, example: kind === "task" ? (/```yaml\n([\s\S]*?)```/.exec(markdown)?.[1] ?? null) : null };
}

const tasks = Object.entries(TASKS).map(([path, text]) => page(path, text, "task"));
const codes = Object.entries(CODES).map(([path, text]) => page(path, text, "error"));
/** A keyword that the list does not name comes last. */
const place = (id: string) => (KEYWORDS.includes(id) ? KEYWORDS.indexOf(id) : KEYWORDS.length);
const PAGES = [...tasks.sort((a, b) => place(a.id) - place(b.id)), ...codes.sort((a, b) => a.id.localeCompare(b.id))];

export function helpHandlers(): Pick<Handlers, "helpPages" | "helpPage"> {
  return {
    helpPages: () => PAGES,
    helpPage: ({ id }) => {
      const found = PAGES.find((known) => known.id === id);
      if (!found) throw failure("MD-201", "There is nothing at this address", `no help page ${id}`);
      return found;
    },
  };
}
