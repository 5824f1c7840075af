//! The journal of one run, read page by page.
import { answered, commands, viewOf, type ErrorView, type JournalEntry } from "$ipc";

const PAGE = 200;

export class JournalList {
  items = $state.raw<JournalEntry[] | undefined>(undefined);
  /** Entries at the beginning that the agent does not keep any more. */
  compacted = $state(0);
  error = $state.raw<ErrorView | null>(null);
  #busy = false;
  #again = false;

  constructor(readonly id: string) {}

  /** Reads what comes after the last entry that is known. */
  async more(): Promise<void> {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    try {
      const after = this.items?.at(-1)?.seq ?? null;
      const page = await answered(commands.runJournal({ id: this.id, after, limit: PAGE }));
      if (this.items === undefined) this.compacted = page.compacted;
      if (page.items.length > 0 || this.items === undefined) this.items = [...(this.items ?? []), ...page.items];
      this.error = null;
    } catch (thrown) {
      this.error = viewOf(thrown);
    } finally {
      this.#busy = false;
    }
    if (this.#again) {
      this.#again = false;
      await this.more();
    }
  }
}
