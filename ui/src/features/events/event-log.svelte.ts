//! Emitted events in the order in which they came, read page by page; new ones follow when the end is known.
import { answered, commands, listen, viewOf, type EmittedEvent, type ErrorView } from "$ipc";

const PAGE = 200;
const FOLLOW_MS = 1000;
/** Events kept in memory; a type narrows what is read. */
const KEPT_MAX = 20_000;

export class EventList {
  items = $state.raw<EmittedEvent[] | undefined>(undefined);
  error = $state.raw<ErrorView | null>(null);
  kind = $state("");
  openSeq = $state<number | null>(null);
  #busy = false;
  #epoch = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  start(): () => void {
    void this.reload();
    const end = listen("runsChanged", () => {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        void this.more();
      }, FOLLOW_MS);
    });
    return () => {
      clearTimeout(this.#timer);
      end();
    };
  }

  get open(): EmittedEvent | undefined {
    return this.items?.find((event) => event.seq === this.openSeq);
  }

  get index(): number {
    return this.items?.findIndex((event) => event.seq === this.openSeq) ?? -1;
  }

  move(by: number): void {
    const all = this.items ?? [];
    const next = all[Math.min(all.length - 1, Math.max(0, this.index + by))];
    if (next) this.openSeq = next.seq;
  }

  async reload(): Promise<void> {
    this.#epoch += 1;
    this.#busy = false;
    this.items = undefined;
    await this.more();
    this.move(0);
  }

  /** Reads what comes after the last known event. */
  async more(): Promise<void> {
    if (this.#busy || (this.items?.length ?? 0) >= KEPT_MAX) return;
    this.#busy = true;
    const epoch = this.#epoch;
    try {
      const page = await answered(commands.eventsList({ kind: this.kind.trim() || null, after: this.items?.at(-1)?.seq ?? null, limit: PAGE }));
      if (epoch !== this.#epoch) return;
      if (this.items === undefined || page.items.length > 0) this.items = [...(this.items ?? []), ...page.items];
      this.error = null;
    } catch (thrown) {
      if (epoch === this.#epoch) this.error = viewOf(thrown);
    } finally {
      if (epoch === this.#epoch) this.#busy = false;
    }
  }
}
