//! The switch between native and Podman while it is under way, and how it ended.
import { done, failed } from "$components/toasts.svelte";
import { commands, listen, viewOf, type ErrorView, type RuntimeMode, type SwitchProgress } from "$ipc";
import { modeTitle, runtime } from "./runtime.svelte";

export class RuntimeSwitch {
  progress = $state.raw<SwitchProgress | null>(null);
  error = $state.raw<ErrorView | null>(null);
  startedAt = $state<number | null>(null);
  asked = $state(false);

  get underWay(): boolean {
    return this.asked || (this.progress !== null && !this.progress.done && this.progress.error === null);
  }

  start(): () => void {
    void commands
      .runtimeSwitchProgress()
      .then((progress) => (this.progress = progress))
      .catch(() => undefined);
    return listen("switchProgress", (progress) => this.#moved(progress));
  }

  async to(mode: RuntimeMode): Promise<void> {
    if (this.underWay || runtime.data?.mode === mode) return;
    this.error = null;
    this.progress = null;
    this.asked = true;
    this.startedAt = Date.now();
    try {
      await commands.runtimeSwitch({ mode });
      this.progress = (await commands.runtimeSwitchProgress()) ?? this.progress;
    } catch (thrown) {
      this.error = viewOf(thrown);
    } finally {
      this.asked = false;
    }
  }

  async cancel(): Promise<void> {
    try {
      await commands.runtimeSwitchCancel();
      this.progress = await commands.runtimeSwitchProgress();
      done("The switch was given up. Nothing changed.");
    } catch (thrown) {
      failed(`The switch goes on: ${viewOf(thrown).detail}`);
    }
  }

  #moved(progress: SwitchProgress): void {
    const before = this.progress;
    this.progress = progress;
    if (!progress.done || progress.error || before?.done) return;
    done(`The agent runs ${progress.to === "podman" ? "in Podman" : "natively"}`);
    void runtime.reload();
  }

  get title(): string {
    const to = this.progress ? modeTitle(this.progress.to) : "";
    if (this.progress?.error) return `The switch to ${to} stopped`;
    return this.progress?.done ? `Switched to ${to}` : `Switching to ${to}`;
  }
}
