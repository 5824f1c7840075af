//! Whether a workflow's scripts and shell commands may run on this computer; a setting of this device alone.
import { done, failed } from "$components/toasts.svelte";
import { commands, Resource, viewOf, type HostExecution, type HostProgramKind } from "$ipc";

/** What the kinds of programs are called. */
export const PROGRAM_WORDS: Record<HostProgramKind, string> = {
  shell: "Shell command",
  python: "Python script",
  pythonSource: "Python script from an address",
  mcpServer: "MCP server",
};

/** What a document's saved text would run here. */
export class HostPermission {
  found: Resource<HostExecution>;
  busy = $state(false);

  constructor(readonly documentId: string) {
    this.found = new Resource(() => commands.hostExecutionGet({ documentId }));
  }

  /** Allows what was shown; gives whether it may run now. */
  async allow(shown: HostExecution): Promise<boolean> {
    const programs = shown.programs.map((program) => program.digest);
    return this.#change("It was not allowed", async () => {
      this.found.put(await commands.hostExecutionAllow({ documentId: this.documentId, programs }));
      done(`The commands of ${shown.workflow} may run on this computer`);
    });
  }

  /** Takes it back at once. */
  async forbid(workflow: string): Promise<boolean> {
    return this.#change("It was not taken back", async () => {
      await commands.hostExecutionForbid({ workflow });
      done(`The commands of ${workflow} may not run on this computer any more`);
    });
  }

  async #change(what: string, work: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    try {
      await work();
      return true;
    } catch (thrown) {
      const view = viewOf(thrown);
      failed(`${what}: ${[view.detail, view.kept, view.hint].filter(Boolean).join(". ")}`);
      return false;
    } finally {
      this.busy = false;
      await this.found.reload();
    }
  }
}
