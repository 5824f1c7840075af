//! What Home shows: figures of a window of time, the newest runs, the faulted ones, and files that are read.
import { commands, listen, Resource, type Feed, type Overview, type OverviewWindow, type RunPage, type RunSummary } from "$ipc";
import { whenBack } from "$features/runtime/runtime.svelte";
import { merged } from "$features/runs/merge";
import { hadRuns, keepHadRuns } from "$features/runs/seen";

const RECENT = 10;
const FAULTED_MAX = 100;
const FIGURES_MS = 2000;

const WINDOW_MS: Record<OverviewWindow, number> = {
  "1h": 3_600_000,
  "24h": 86_400_000,
  "7d": 604_800_000,
  "30d": 2_592_000_000,
};

export class Home {
  window = $state<OverviewWindow>("1h");
  overview = new Resource<Overview>(() => commands.overview({ window: this.window }));
  recent = new Resource<RunPage>(async () => {
    const page = await commands.runsList({ limit: RECENT });
    keepHadRuns(page.items.length > 0);
    return page;
  });
  faulted = new Resource<RunPage>(() => this.#faultedNow());
  feeds = new Resource<Feed[]>(() => commands.feedsList());

  #hadRuns = hadRuns();

  /** No run was ever started. Until that is known, as it was when it was last known, so that nothing flashes. */
  get isFirst(): boolean {
    return this.recent.data ? this.recent.data.items.length === 0 : !this.#hadRuns;
  }

  /** Reads everything and follows the stream until the returned function is called. */
  start(): () => void {
    void this.reload();
    void this.feeds.reload();
    const ends = [
      listen("runsChanged", ({ runs }) => this.#moved(runs)),
      listen("feedProgress", () => this.feeds.reloadSoon(500)),
      // A deploy or a repaired folder changes what is watched.
      listen("documentsChanged", () => this.feeds.reloadSoon()),
      whenBack(() => void this.reload()),
    ];
    return () => ends.forEach((end) => end());
  }

  async reload(): Promise<void> {
    await Promise.all([this.overview.reload(), this.recent.reload(), this.faulted.reload()]);
  }

  show(window: OverviewWindow): void {
    this.window = window;
    void this.overview.reload();
    void this.faulted.reload();
  }

  #faultedNow(): Promise<RunPage> {
    const since = new Date(Date.now() - WINDOW_MS[this.window]).toISOString();
    return commands.runsList({ statuses: ["faulted"], since, limit: FAULTED_MAX });
  }

  /** New states go straight into the rows; figures that need a whole read follow more slowly. */
  #moved(runs: RunSummary[]): void {
    const page = this.recent.data;
    if (page) {
      const items = merged(page.items, runs).slice(0, RECENT);
      keepHadRuns(items.length > 0);
      this.recent.put({ ...page, items });
    }
    this.overview.reloadSoon(FIGURES_MS);
    if (runs.some((run) => run.status === "faulted" || run.status === "running")) this.faulted.reloadSoon(FIGURES_MS);
  }
}
