//! The ledger of hosts that the agent called since it started.
import { commands, listen, Resource, type OutboundHost } from "$ipc";

const FOLLOW_MS = 2000;

export class Outbound {
  hosts = new Resource<OutboundHost[]>(() => commands.outboundList());
  text = $state("");

  /** Reads and follows until the returned function is called. */
  start(): () => void {
    void this.hosts.reload();
    return listen("runtimeStatus", () => this.hosts.reloadSoon(FOLLOW_MS));
  }

  /** Those with the words that were typed in the host or in a caller. */
  get found(): OutboundHost[] {
    const wanted = this.text.trim().toLowerCase();
    const all = this.hosts.data ?? [];
    return wanted === "" ? all : all.filter((host) => `${host.host} ${host.callers.join(" ")}`.toLowerCase().includes(wanted));
  }
}

/** Who called, as the agent names it: a workflow as `namespace/name/version`, else as it is. */
export function callerOf(caller: string): { namespace: string; name: string; version: string } | null {
  const [namespace, name, version, ...rest] = caller.split("/");
  return namespace && name && version && rest.length === 0 ? { namespace, name, version } : null;
}
