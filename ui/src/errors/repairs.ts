//! From a code to the one thing that repairs it. A code stands here because something can be done about it.
import { restartAgent } from "$features/runtime/runtime.svelte";
import { address, go } from "../routes/router.svelte";

export interface Repair {
  label: string;
  run: () => void;
}

const REPAIRS: Record<string, Repair> = {
  "MD-202": { label: "Restart the agent", run: () => void restartAgent() },
  "MD-301": { label: "Open Doctor", run: () => go(address("doctor")) },
  "MD-302": { label: "Open Doctor", run: () => go(address("doctor")) },
  "MD-401": { label: "New connection", run: () => go(address("connections", "new")) },
  "MD-402": { label: "Open connections", run: () => go(address("connections")) },
  "MD-403": { label: "Open connections", run: () => go(address("connections")) },
  "MD-501": { label: "Open Doctor", run: () => go(address("doctor")) },
  "MD-502": { label: "Restart the agent", run: () => void restartAgent() },
  "MD-503": { label: "Restart the agent", run: () => void restartAgent() },
};

/** `documentId` is the workflow that it happened to, where there is one. */
export function repairOf(code: string, documentId?: string): Repair | null {
  if (code.startsWith("MD-6")) return { label: "Open Doctor", run: () => go(address("doctor")) };
  if (code === "MD-407" && documentId) return { label: "Allow on this computer", run: () => go(`${address("workflows", documentId)}?host=1`) };
  return REPAIRS[code] ?? null;
}
