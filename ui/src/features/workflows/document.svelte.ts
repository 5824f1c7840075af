//! One document while it is edited: saved by itself a moment after the last key, validated as one types.
import type { EditorProblem } from "$components/editor";
import { commands, Resource, viewOf, type DocumentText, type ErrorView, type Problem } from "$ipc";
import type { Schema } from "./schema";

const SAVE_MS = 1200;
const VALIDATE_MS = 250;

export class DocumentEdit {
  loaded: Resource<DocumentText>;
  text = $state("");
  problems = $state.raw<Problem[]>([]);
  /** The text that the shell has. */
  saved = $state<string | null>(null);
  savedAt = $state<number | null>(null);
  saving = $state(false);
  error = $state.raw<ErrorView | null>(null);
  schema = $state.raw<Schema | undefined>(undefined);
  #revision = 0;
  #underWay: Promise<boolean> | null = null;
  #saveTimer: ReturnType<typeof setTimeout> | undefined;
  #checkTimer: ReturnType<typeof setTimeout> | undefined;
  #check = 0;

  constructor(readonly id: string) {
    this.loaded = new Resource(() => commands.documentGet({ id }));
  }

  /** Reads the document; the returned function saves what is left to save. */
  start(): () => void {
    void this.load();
    return () => {
      clearTimeout(this.#checkTimer);
      if (this.dirty && !this.conflict) void this.save();
    };
  }

  get dirty(): boolean {
    return this.saved !== null && this.text !== this.saved;
  }

  get errors(): Problem[] {
    return this.problems.filter((problem) => problem.severity === "error");
  }

  /** Somebody else saved it since it was opened here. */
  get conflict(): boolean {
    return this.error?.code === "MD-508";
  }

  get marks(): EditorProblem[] {
    return this.problems.map((problem) => ({ ...problem, message: problem.message }));
  }

  async load(): Promise<void> {
    await this.loaded.reload();
    const data = this.loaded.data;
    if (!data) return;
    this.error = null;
    this.#took(data.text, data.summary.revision);
    this.text = data.text;
    void this.#validate();
    void commands
      .editorSchema({ kind: data.summary.kind })
      .then((schema) => (this.schema = schema as Schema))
      .catch(() => undefined);
  }

  /** Takes what was typed. */
  typed(text: string): void {
    if (text === this.text) return;
    this.text = text;
    clearTimeout(this.#checkTimer);
    this.#checkTimer = setTimeout(() => void this.#validate(), VALIDATE_MS);
    clearTimeout(this.#saveTimer);
    if (!this.conflict) this.#saveTimer = setTimeout(() => void this.save(), SAVE_MS);
  }

  /** Saves now, after what is being saved already; gives whether the shell has the text. */
  async save(): Promise<boolean> {
    clearTimeout(this.#saveTimer);
    while (this.#underWay) await this.#underWay;
    if (this.saved === null) return false;
    if (!this.dirty) return true;
    this.#underWay = this.#save();
    return this.#underWay;
  }

  async #save(): Promise<boolean> {
    this.saving = true;
    const text = this.text;
    try {
      const summary = await commands.documentSave({ id: this.id, text, baseRevision: this.#revision });
      this.#took(text, summary.revision);
      if (this.loaded.data) this.loaded.put({ summary, text });
      this.error = null;
    } catch (thrown) {
      this.error = viewOf(thrown);
      return false;
    } finally {
      this.saving = false;
      this.#underWay = null;
    }
    if (this.dirty) this.#saveTimer = setTimeout(() => void this.save(), SAVE_MS);
    return !this.dirty;
  }

  /** Keeps the text here and puts it over the other one. */
  async overwrite(): Promise<void> {
    const now = await commands.documentGet({ id: this.id });
    this.#revision = now.summary.revision;
    this.error = null;
    await this.save();
  }

  #took(text: string, revision: number): void {
    this.saved = text;
    this.savedAt = Date.now();
    this.#revision = revision;
  }

  async #validate(): Promise<void> {
    const kind = this.loaded.data?.summary.kind;
    if (!kind) return;
    const asked = ++this.#check;
    try {
      const problems = await commands.validate({ kind, text: this.text });
      if (asked === this.#check) this.problems = problems;
    } catch (thrown) {
      if (asked === this.#check) this.error = viewOf(thrown);
    }
  }
}
