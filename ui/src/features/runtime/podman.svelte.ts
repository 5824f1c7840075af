//! Whether the agent could run in Podman on this machine.
import { commands, Resource, type PodmanState, type PodmanStatus } from "$ipc";

export const podman = new Resource<PodmanStatus>(() => commands.podmanStatus());

const WORDS: Record<PodmanState, string> = {
  ready: "Ready",
  missing: "Not installed. Everything works without it.",
  notRunning: "Installed, but its service does not answer.",
  unsupported: "This version does not work with Mastra.",
  noPermission: "Its socket can't be opened.",
  broken: "It does not work as it should.",
};

export function podmanWords(status: PodmanStatus | undefined): string {
  if (!status) return "Looking for it";
  if (status.state !== "ready") return WORDS[status.state];
  const how = status.rootless === null ? "" : status.rootless ? ", rootless" : ", as root";
  return `${status.version ?? "Ready"}${how}.`;
}
