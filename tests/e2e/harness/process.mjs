// Child processes that a test starts and ends by their own id, never by name.
import { spawn } from "node:child_process";
import { once } from "node:events";

/** A child whose end can be awaited; `stop` asks, then insists. */
export class Child {
  constructor(program, args, options = {}) {
    this.name = program;
    this.process = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    this.ended = once(this.process, "exit").catch((error) => {
      this.failure = error;
    });
    this.output = "";
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on("data", (chunk) => {
        this.output = (this.output + chunk).slice(-20_000);
      });
    }
  }

  /** Resolves with the first match of `pattern` in what the child prints. */
  async says(pattern, timeoutMs = 20_000) {
    const found = () => this.output.match(pattern);
    const match = found();
    if (match) return match;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        cleanUp();
        reject(new Error(`${this.name} did not say ${pattern} in ${timeoutMs} ms; it said:\n${this.output}`));
      }, timeoutMs);
      const look = () => {
        const late = found();
        if (late) {
          cleanUp();
          resolve(late);
        }
      };
      const gone = () => {
        cleanUp();
        reject(new Error(`${this.name} ended before it said ${pattern}; it said:\n${this.output}`));
      };
      const streams = [this.process.stdout, this.process.stderr];
      const cleanUp = () => {
        clearTimeout(timer);
        for (const stream of streams) stream?.off("data", look);
        this.process.off("exit", gone);
      };
      for (const stream of streams) stream?.on("data", look);
      this.process.once("exit", gone);
    });
  }

  async stop() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill("SIGTERM");
    const insist = setTimeout(() => this.process.kill("SIGKILL"), 10_000);
    await this.ended;
    clearTimeout(insist);
  }
}
