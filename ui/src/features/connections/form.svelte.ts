//! One connection while it is filled in: values, problems, the check and its steps, the passphrase when it is needed.
import { done } from "$components/toasts.svelte";
import { commands, Failure, viewOf, type Connection, type ConnectionKind, type ConnectionReport, type ErrorView } from "$ipc";
import { connections } from "./connections.svelte";
import { fieldsOf, initial, settingsOf, wrongName, wrongWith, type FormField } from "./form";

export class ConnectionForm {
  kind = $state.raw<ConnectionKind | null>(null);
  fields = $state.raw<FormField[]>([]);
  name = $state("");
  values = $state<Record<string, string>>({});
  secret = $state("");
  report = $state.raw<ConnectionReport | null>(null);
  error = $state.raw<ErrorView | null>(null);
  busy = $state<"save" | "check" | null>(null);
  /** The vault asks for its passphrase before the secret can be kept. */
  needsPassphrase = $state(false);
  touched = $state(false);

  constructor(readonly saved: Connection | null) {}

  /** Fills the form for a kind. */
  begin(kind: ConnectionKind): void {
    this.kind = kind;
    this.fields = fieldsOf(kind.schema);
    this.values = initial(this.fields, this.saved?.settings);
    this.name = this.saved?.name ?? "";
    this.report = null;
    this.error = null;
    this.touched = false;
  }

  wrong = $derived.by(() => {
    const out: Record<string, string> = {};
    const name = wrongName(this.name);
    if (name) out["name"] = name;
    for (const field of this.fields) {
      const words = wrongWith(field, this.values[field.name] ?? "");
      if (words) out[field.name] = words;
    }
    return out;
  });

  get valid(): boolean {
    return Object.keys(this.wrong).length === 0;
  }

  /** Tries the settings as they are now, saved or not. */
  async check(): Promise<void> {
    this.touched = true;
    if (this.busy || !this.valid || !this.kind) return;
    this.busy = "check";
    this.report = null;
    this.error = null;
    try {
      this.report = await commands.connectionCheck(this.#input());
      if (this.saved) void connections.reload();
    } catch (thrown) {
      this.error = viewOf(thrown);
    } finally {
      this.busy = null;
    }
  }

  /** Saves; gives the saved connection, or nothing when something is in the way. */
  async save(): Promise<Connection | null> {
    this.touched = true;
    if (this.busy || !this.valid || !this.kind) return null;
    this.busy = "save";
    this.error = null;
    try {
      const saved = await commands.connectionSave({ ...this.#input(), baseRevision: this.saved?.revision ?? null });
      this.secret = "";
      await connections.reload();
      done(`${saved.name} saved`);
      return saved;
    } catch (thrown) {
      if (thrown instanceof Failure && thrown.view.code === "MD-504") this.needsPassphrase = true;
      else this.error = viewOf(thrown);
      return null;
    } finally {
      this.busy = null;
    }
  }

  #input() {
    return {
      id: this.saved?.id ?? null,
      name: this.name.trim(),
      kind: this.kind?.kind ?? "",
      settings: settingsOf(this.fields, this.values),
      secret: this.secret === "" ? null : this.secret,
    };
  }
}
