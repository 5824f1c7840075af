//! The filter of the runs as part of the address, so that it can be linked and comes back.
import type { RunStatus } from "$ipc";
import { NO_FILTER, type RunFilter, type Since } from "./runs.svelte";
import { STATUSES } from "./status";

const SINCE: Since[] = ["any", "1h", "24h", "7d"];

export function filterOf(query: URLSearchParams): RunFilter {
  const since = query.get("since") as Since | null;
  const statuses = (query.get("status") ?? "").split(",").filter((name): name is RunStatus => STATUSES.includes(name as RunStatus));
  return {
    statuses,
    workflow: query.get("workflow"),
    text: query.get("text") ?? "",
    since: since && SINCE.includes(since) ? since : NO_FILTER.since,
  };
}

export function queryOf(filter: RunFilter): Record<string, string | null> {
  return {
    status: filter.statuses.length > 0 ? filter.statuses.join(",") : null,
    workflow: filter.workflow,
    text: filter.text === "" ? null : filter.text,
    since: filter.since === "any" ? null : filter.since,
  };
}
