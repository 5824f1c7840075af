//! The lines of the agent's log that are known here; the shell keeps 2,000, and so do we.
import { answered, commands, viewOf, type ErrorView, type LogLine } from "$ipc";

const LINES_MAX = 2000;

export class AgentLog {
  lines = $state.raw<LogLine[]>([]);
  error = $state.raw<ErrorView | null>(null);
  /** Whether an answer came, if only that there are none. */
  known = $state(false);
  follow = true;
  #busy = false;

  /** Reads what was said since the last known line. */
  async more(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const fresh = await answered(commands.runtimeLogs({ after: this.lines.at(-1)?.seq ?? null }));
      if (fresh.length > 0) this.lines = [...this.lines, ...fresh].slice(-LINES_MAX);
      this.error = null;
      this.known = true;
    } catch (thrown) {
      this.error = viewOf(thrown);
    } finally {
      this.#busy = false;
    }
  }
}
