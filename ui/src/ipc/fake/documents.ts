//! Documents of the fake: saved, validated by a few plain rules, deployed, deleted and brought back.
import type { DocumentTemplate, Problem } from "../bindings";
import { emitter } from "./emitter";
import type { Handlers } from "./handlers";
import { BLANK_WORKFLOW, FOLDER, MORNING, ORDER_INPUT, ORDERS } from "./texts";
import { failure, headOf, type StoredDocument, type World } from "./world";

type Part = Pick<
  Handlers,
  | "documentsList" | "documentGet" | "documentSave" | "documentCreate" | "documentDuplicate" | "documentDelete" | "documentRestore"
  | "documentHistory" | "documentRevision" | "templatesList" | "validate" | "editorSchema" | "documentDeploy" | "documentSampleInput"
  | "feedsList" | "feedsRescan" | "feedOpenFolder"
>;

const TEMPLATES: DocumentTemplate[] = [
  { id: "blank", kind: "workflow", title: "Blank workflow", description: "One task that greets.", text: BLANK_WORKFLOW },
  { id: "webhook", kind: "workflow", title: "Webhook to database", description: "Receive JSON, check it, write it to a table.", text: ORDERS },
  { id: "schedule", kind: "workflow", title: "Call an API every morning", description: "A cron schedule that fetches and writes a file.", text: MORNING },
  { id: "folder", kind: "pipeline", title: "Folder to table", description: "CSV files in a folder become rows.", text: FOLDER },
];

function problemsOf(text: string): Problem[] {
  const found: Problem[] = [];
  text.split("\n").forEach((line, index) => {
    const unknown = /^\s*- \w+:\s*\{?\s*(frobnicate)/.exec(line) ?? /^\s*(frobnicate):/.exec(line);
    if (unknown) {
      const column = line.indexOf("frobnicate") + 1;
      found.push({ severity: "error", code: "MD-101", message: "frobnicate is not a kind of task", value: "frobnicate", hint: "Use call, set, switch, for, try, raise, wait, fork, emit or do.", line: index + 1, column, endLine: index + 1, endColumn: column + 10 });
    }
    if (line.includes("\t")) {
      found.push({ severity: "error", code: "MD-101", message: "A tab can't indent YAML", value: null, hint: "Use spaces.", line: index + 1, column: 1, endLine: index + 1, endColumn: 2 });
    }
  });
  return found;
}

export function documentHandlers(world: World): Part {
  const changed = (id: string) => emitter.emit("documentsChanged", { ids: [id] });
  return {
    documentsList: () => [...world.documents.values()].map((stored) => stored.summary),
    documentGet: ({ id }) => world.document(id),
    documentSave: ({ id, text, baseRevision }) => {
      const stored = world.document(id);
      if (stored.summary.revision !== baseRevision) throw failure("MD-508", "The document was changed since it was opened", "Another window saved it.", { kept: "Your text is still here." });
      const renewed = refresh(stored, text);
      changed(id);
      return renewed.summary;
    },
    documentCreate: ({ text }) => {
      const id = world.id("doc");
      const stored = world.addDocument(id, text, { updatedAt: new Date().toISOString() });
      changed(id);
      return stored.summary;
    },
    documentDuplicate: ({ id }) => {
      const source = world.document(id);
      const copy = world.id("doc");
      const text = source.text.replace(/^ {2}name: (.+)$/m, "  name: $1-copy").replace(/^ {2}title: (.+)$/m, "  title: $1 copy");
      const stored = world.addDocument(copy, text, { trigger: source.summary.trigger });
      changed(copy);
      return stored.summary;
    },
    documentDelete: ({ id }) => {
      world.trash.set(id, world.document(id));
      world.documents.delete(id);
      changed(id);
      return { undoToken: id };
    },
    documentRestore: ({ undoToken }) => {
      const stored = world.trash.get(undoToken) as StoredDocument;
      world.documents.set(undoToken, stored);
      changed(undoToken);
      return stored.summary;
    },
    documentHistory: ({ id }) => [{ revision: world.document(id).summary.revision, savedAt: world.document(id).summary.updatedAt, textBytes: world.document(id).text.length }],
    documentRevision: ({ id }) => world.document(id).text,
    templatesList: () => TEMPLATES,
    validate: ({ text }) => problemsOf(text),
    editorSchema: () => SCHEMA,
    documentDeploy: ({ id }) => {
      const { summary, text } = world.document(id);
      if (problemsOf(text).length > 0) throw failure("MD-101", "The definition has problems", `${summary.title} has ${problemsOf(text).length} problems.`);
      Object.assign(summary, { deployedVersion: summary.version, changed: false });
      changed(id);
      return { version: summary.version, runsOnOlder: world.runs.filter((run) => run.name === summary.name && run.endedAt === null).length };
    },
    documentSampleInput: ({ id }) => {
      const last = world.inputs.get(id);
      if (last) return { text: last, origin: "lastRun" };
      return id === "doc-orders" ? { text: ORDER_INPUT, origin: "sample" } : { text: "{}", origin: "empty" };
    },
    feedsList: () => world.feeds,
    feedsRescan: () => null,
    feedOpenFolder: ({ documentId }) => {
      const { title } = world.document(documentId).summary;
      const feed = world.feeds.find((known) => known.documentId === documentId);
      if (!feed) throw failure("MD-201", "There is nothing at this address", `no folder is watched for ${title}`, { hint: "Name a folder in watch.folder and deploy the pipeline." });
      world.opened.push(feed.folder);
      return null;
    },
  };
}

function refresh(stored: StoredDocument, text: string): StoredDocument {
  const named = (key: string) => headOf(text, key);
  stored.text = text;
  Object.assign(stored.summary, {
    revision: stored.summary.revision + 1,
    updatedAt: new Date().toISOString(),
    changed: true,
    problems: problemsOf(text).length,
    name: named("name"),
    version: named("version"),
    title: named("title") || named("name"),
  });
  return stored;
}

const SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  properties: {
    document: {
      type: "object",
      description: "Names the workflow and its version.",
      properties: {
        dsl: { type: "string", description: "The version of the DSL.", enum: ["1.0.3"] },
        namespace: { type: "string", description: "The group it belongs to." },
        name: { type: "string" },
        version: { type: "string", description: "A semantic version." },
        title: { type: "string" },
        summary: { type: "string" },
      },
    },
    input: { type: "object", description: "What a run takes." },
    do: { type: "array", description: "The tasks, in order.", items: { type: "object", additionalProperties: { $ref: "#/$defs/task" } } },
    schedule: { type: "object", properties: { cron: { type: "string", description: "Five fields." } } },
  },
  $defs: {
    task: {
      type: "object",
      properties: {
        call: { type: "string", description: "Calls a function, or http.", enum: ["http"] },
        set: { type: "object", description: "Sets the output." },
        switch: { type: "array", description: "Goes where the first case that holds says." },
        try: { type: "array", description: "Tries tasks and catches their errors." },
        wait: { type: "object", description: "Waits for a time." },
        raise: { type: "object" },
        emit: { type: "object" },
        fork: { type: "object" },
        for: { type: "object" },
        with: { type: "object" },
        then: { type: "string", enum: ["continue", "exit", "end"] },
      },
    },
  },
};
