//! The dead letters: a list with a selection, one of them open beside it, edited, sent again or discarded.
import { whenBack } from "$features/runtime/runtime.svelte";
import { plural } from "$components/format";
import { done, failed } from "$components/toasts.svelte";
import { answered, commands, listen, viewOf, type DeadLetter, type ErrorView } from "$ipc";

const PAGE = 200;
/** The most that one command takes. */
const BATCH = 1000;

export class DeadLetterList {
  items = $state.raw<DeadLetter[] | undefined>(undefined);
  total = $state(0);
  error = $state.raw<ErrorView | null>(null);
  source = $state<string | null>(null);
  text = $state("");
  chosen = $state.raw<ReadonlySet<string>>(new Set());
  openId = $state<string | null>(null);
  /** Counts letters while a batch is under way. */
  sending = $state<{ done: number; of: number } | null>(null);
  discarding = $state(false);
  #next: string | null = null;
  #epoch = 0;
  #busy = false;

  start(): () => void {
    void this.reload();
    const read = () => {
      if (!this.sending) void this.reload();
    };
    const ends = [listen("deadLettersChanged", read), whenBack(read)];
    return () => ends.forEach((end) => end());
  }

  get open(): DeadLetter | undefined {
    return this.items?.find((letter) => letter.id === this.openId);
  }

  get index(): number {
    return this.items?.findIndex((letter) => letter.id === this.openId) ?? -1;
  }

  async reload(): Promise<void> {
    await this.#read(null);
    const known = new Set(this.items?.map((letter) => letter.id));
    this.chosen = new Set([...this.chosen].filter((id) => known.has(id)));
    if (this.openId === null || !known.has(this.openId)) this.openId = this.items?.[0]?.id ?? null;
  }

  async more(): Promise<void> {
    if (this.#next !== null && !this.#busy) await this.#read(this.#next);
  }

  async #read(cursor: string | null): Promise<void> {
    const epoch = ++this.#epoch;
    this.#busy = true;
    try {
      const page = await answered(commands.deadLettersList({ source: this.source, text: this.text.trim() || null, cursor, limit: PAGE }));
      if (epoch !== this.#epoch) return;
      this.items = cursor === null ? page.items : [...(this.items ?? []), ...page.items];
      this.#next = page.next;
      this.total = page.total;
      this.error = null;
    } catch (thrown) {
      if (epoch === this.#epoch) this.error = viewOf(thrown);
    } finally {
      if (epoch === this.#epoch) this.#busy = false;
    }
  }

  move(by: number): void {
    const all = this.items ?? [];
    const next = all[Math.min(all.length - 1, Math.max(0, this.index + by))];
    if (next) this.openId = next.id;
  }

  toggle(id: string): void {
    const next = new Set(this.chosen);
    if (!next.delete(id)) next.add(id);
    this.chosen = next;
  }

  toggleAll(): void {
    const all = this.items ?? [];
    this.chosen = this.chosen.size === all.length ? new Set() : new Set(all.map((letter) => letter.id));
  }

  /** Selects every letter with the same error as the open one. */
  chooseAlike(): void {
    const open = this.open;
    if (open) this.chosen = new Set(this.items?.filter((letter) => letter.error === open.error).map((letter) => letter.id));
  }

  /** How many letters on this page share the error of the open one. */
  get alike(): number {
    const open = this.open;
    return open ? (this.items ?? []).filter((letter) => letter.error === open.error).length : 0;
  }

  /** The chosen ones, else the open one. */
  get targets(): string[] {
    if (this.chosen.size > 0) return [...this.chosen];
    return this.openId ? [this.openId] : [];
  }

  /** Sends letters again, batch by batch, and says how many went through. */
  async send(ids: string[]): Promise<void> {
    if (this.sending || ids.length === 0) return;
    this.sending = { done: 0, of: ids.length };
    let sent = 0;
    let cameBack = 0;
    try {
      for (let at = 0; at < ids.length; at += BATCH) {
        const result = await commands.deadLettersSend({ ids: ids.slice(at, at + BATCH) });
        sent += result.sent;
        cameBack += result.cameBack;
        this.sending = { done: Math.min(ids.length, at + BATCH), of: ids.length };
      }
      if (cameBack === 0) done(`${plural(sent, "record")} went through`);
      else failed(sent === 0 ? `${plural(cameBack, "record")} came back` : `${plural(sent, "record")} went through, ${cameBack} came back`);
    } catch (thrown) {
      failed(`${plural(ids.length, "record")} could not be sent: ${viewOf(thrown).detail}`);
    } finally {
      this.sending = null;
      await this.reload();
    }
  }

  async discard(ids: string[]): Promise<void> {
    if (this.discarding || ids.length === 0) return;
    this.discarding = true;
    try {
      let gone = 0;
      for (let at = 0; at < ids.length; at += BATCH) gone += await commands.deadLettersDiscard({ ids: ids.slice(at, at + BATCH) });
      done(`${plural(gone, "record")} discarded`);
    } catch (thrown) {
      failed(`${plural(ids.length, "record")} could not be discarded: ${viewOf(thrown).detail}`);
    } finally {
      this.discarding = false;
      await this.reload();
    }
  }

  /** Keeps an edit; gives whether it was kept. */
  async keep(letter: DeadLetter, record: string): Promise<boolean> {
    try {
      const kept = await commands.deadLetterEdit({ id: letter.id, record });
      this.items = this.items?.map((known) => (known.id === kept.id ? kept : known));
      return true;
    } catch (thrown) {
      const view = viewOf(thrown);
      failed(`The edit was not kept: ${view.detail}${view.hint ? ` ${view.hint}` : ""}`);
      return false;
    }
  }
}
