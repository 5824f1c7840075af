//! One run while it is looked at: its detail follows the stream, one task is selected.
import { commands, listen, Resource, type RunDetail, type TaskView } from "$ipc";
import { whenBack } from "$features/runtime/runtime.svelte";
import { sawRun } from "./seen";
import { hasEnded } from "./status";

const FOLLOW_MS = 250;

export type RunAct = "retry" | "suspend" | "resume" | "cancel" | "undo" | "compensation";

export class RunView {
  detail: Resource<RunDetail>;
  /** Key of the selected task; none shows the run itself. */
  task = $state<string | null>(null);
  /** Number of the selected attempt of that task. */
  attempt = $state<number | null>(null);
  toScale = $state(true);
  zoom = $state(1);
  busy = $state<RunAct | null>(null);
  #chosen = false;

  constructor(readonly id: string) {
    this.detail = new Resource(() => this.#read());
  }

  /** Reads and follows until the returned function is called. */
  start(): () => void {
    void this.detail.reload().then(() => {
      if (this.detail.data) sawRun();
    });
    void commands.runFollow({ id: this.id }).catch(() => undefined);
    const ends = [
      listen("runEntries", ({ run }) => {
        if (run === this.id) this.detail.reloadSoon(FOLLOW_MS);
      }),
      listen("runsChanged", ({ runs, more }) => {
        if (more || runs.some((run) => run.id === this.id)) this.detail.reloadSoon(FOLLOW_MS);
      }),
      whenBack(() => void this.detail.reload()),
    ];
    return () => {
      ends.forEach((end) => end());
      void commands.runUnfollow({ id: this.id }).catch(() => undefined);
    };
  }

  get selected(): TaskView | undefined {
    return this.detail.data?.tasks.find((task) => task.key === this.task);
  }

  /** The task at which the run faulted. */
  get faulted(): TaskView | undefined {
    return faultedOf(this.detail.data);
  }

  get ended(): boolean {
    return this.detail.data ? hasEnded(this.detail.data.summary.status) : false;
  }

  select(key: string | null, attempt: number | null = null): void {
    this.task = key;
    this.attempt = attempt;
    this.#chosen = true;
  }

  move(by: number): void {
    const tasks = this.detail.data?.tasks ?? [];
    if (tasks.length === 0) return;
    const at = tasks.findIndex((task) => task.key === this.task);
    const next = tasks[Math.min(tasks.length - 1, Math.max(0, at + by))];
    if (next) this.select(next.key);
  }

  moveAttempt(by: number): void {
    const attempts = this.selected?.attempts ?? [];
    if (attempts.length < 2) return;
    const at = this.attempt === null ? (by > 0 ? 0 : attempts.length + 1) : this.attempt;
    this.attempt = Math.min(attempts.length, Math.max(1, at + by));
  }

  async #read(): Promise<RunDetail> {
    const detail = await commands.runGet({ id: this.id });
    if (!this.#chosen) this.#openAtFault(detail);
    return detail;
  }

  /** Before the first answer is shown, so that nothing jumps. */
  #openAtFault(detail: RunDetail): void {
    this.#chosen = true;
    this.task = faultedOf(detail)?.key ?? null;
  }
}

function faultedOf(detail: RunDetail | undefined): TaskView | undefined {
  return [...(detail?.tasks ?? [])].reverse().find((task) => task.status === "faulted" && !task.compensation);
}
