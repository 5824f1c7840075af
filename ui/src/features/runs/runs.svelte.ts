//! The list of runs: filters, pages that load as one scrolls, and rows that follow the stream.
import { answered, commands, listen, viewOf, type ErrorView, type RunStatus, type RunSummary } from "$ipc";
import { whenBack } from "$features/runtime/runtime.svelte";
import { merged } from "./merge";

export type Since = "any" | "1h" | "24h" | "7d";

export interface RunFilter {
  statuses: RunStatus[];
  workflow: string | null;
  text: string;
  since: Since;
}

const PAGE = 100;
const SINCE_MS: Record<Exclude<Since, "any">, number> = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000 };
/** Rows kept in memory; older ones are read again by narrowing the filter. */
const ROWS_MAX = 100_000;

export const NO_FILTER: RunFilter = { statuses: [], workflow: null, text: "", since: "any" };

export class RunList {
  items = $state.raw<RunSummary[] | undefined>(undefined);
  total = $state<number | null>(null);
  error = $state.raw<ErrorView | null>(null);
  /** New runs that are not shown because the reader is scrolled down. */
  fresh = $state.raw<RunSummary[]>([]);
  loading = $state(false);
  atTop = true;

  filter = $state.raw<RunFilter>(NO_FILTER);
  #next: string | null = null;
  #epoch = 0;

  /** Follows the stream until the returned function is called. */
  start(): () => void {
    const ends = [
      listen("runsChanged", ({ runs, more }) => {
        if (more && this.atTop) void this.reload();
        else this.#moved(runs);
      }),
      whenBack(() => void this.reload()),
    ];
    return () => ends.forEach((end) => end());
  }

  show(filter: RunFilter): Promise<void> {
    this.filter = filter;
    return this.reload();
  }

  async reload(): Promise<void> {
    const epoch = ++this.#epoch;
    this.fresh = [];
    await this.#read(null, epoch);
  }

  /** Reads the next page, when there is one and none is under way. */
  async more(): Promise<void> {
    if (this.loading || this.#next === null || (this.items?.length ?? 0) >= ROWS_MAX) return;
    await this.#read(this.#next, this.#epoch);
  }

  showFresh(): void {
    this.items = merged(this.items ?? [], this.fresh);
    this.total = this.total === null ? null : this.total + this.fresh.length;
    this.fresh = [];
  }

  async #read(cursor: string | null, epoch: number): Promise<void> {
    const { statuses, workflow, text, since } = this.filter;
    this.loading = true;
    try {
      const page = await answered(commands.runsList({
        statuses,
        workflow,
        text: text.trim() === "" ? null : text.trim(),
        since: since === "any" ? null : new Date(Date.now() - SINCE_MS[since]).toISOString(),
        cursor,
        limit: PAGE,
      }));
      if (epoch !== this.#epoch) return;
      this.items = cursor === null ? page.items : [...(this.items ?? []), ...page.items];
      this.#next = page.next;
      this.total = page.total;
      this.error = null;
      // A search of inputs and outputs may give a short page and go on behind it.
      if (page.next !== null && page.items.length < PAGE) await this.#read(page.next, epoch);
    } catch (thrown) {
      if (epoch === this.#epoch) this.error = viewOf(thrown);
    } finally {
      if (epoch === this.#epoch) this.loading = false;
    }
  }

  #moved(runs: RunSummary[]): void {
    const known = new Set(this.items?.map((run) => run.id));
    const moved = runs.filter((run) => known.has(run.id));
    if (moved.length > 0) this.items = merged(this.items ?? [], moved);
    const news = runs.filter((run) => !known.has(run.id) && this.#fits(run));
    if (news.length === 0) return;
    this.fresh = merged(this.fresh, news);
    if (this.atTop) this.showFresh();
  }

  /** Whether a new run belongs to what is shown; the text is left to the agent, which knows the input. */
  #fits(run: RunSummary): boolean {
    const { statuses, workflow, text, since } = this.filter;
    if (text.trim() !== "") return false;
    if (statuses.length > 0 && !statuses.includes(run.status)) return false;
    if (since !== "any" && Date.parse(run.createdAt) < Date.now() - SINCE_MS[since]) return false;
    return workflow === null || workflow === `${run.namespace}/${run.name}`;
  }
}
