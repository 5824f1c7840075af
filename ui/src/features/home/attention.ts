//! What needs a person, worst first, each with its one action.
import ClipboardCheck from "@lucide/svelte/icons/clipboard-check";
import Inbox from "@lucide/svelte/icons/inbox";
import FileWarning from "@lucide/svelte/icons/file-warning";
import OctagonX from "@lucide/svelte/icons/octagon-x";
import Plug from "@lucide/svelte/icons/unplug";
import Stethoscope from "@lucide/svelte/icons/stethoscope";
import type { IconKind } from "$components/Icon.svelte";
import { plural, taskTitle, when } from "$components/format";
import type { Tone } from "$components/tone";
import type { Connection, DoctorCheck, DocumentSummary, ErrorView, Feed, PersonTask, RunSummary } from "$ipc";
import { faultWords } from "$features/runs/fault";
import { addressOf } from "$features/tasks/tasks.svelte";
import { address } from "../../routes/router.svelte";

export interface Need {
  id: string;
  tone: Tone;
  icon: IconKind;
  title: string;
  text: string;
  action: string;
  to: string;
}

export interface Sources {
  tasks: readonly PersonTask[];
  agent: ErrorView | null;
  faulted: readonly RunSummary[];
  deadLetters: number;
  connections: readonly Connection[];
  documents: readonly DocumentSummary[];
  feeds: readonly Feed[];
  checks: readonly DoctorCheck[];
}

const SHOWN_MAX = 5;

/** At most five; `more` says how many others there are. */
export function needs(sources: Sources): { shown: Need[]; more: number } {
  const all = [
    ...taskNeeds(sources.tasks),
    ...faultedNeeds(sources.faulted),
    ...letterNeeds(sources.deadLetters),
    ...connectionNeeds(sources.connections),
    ...feedNeeds(sources.feeds),
    ...documentNeeds(sources.documents),
    ...doctorNeeds(sources.checks),
  ];
  return { shown: all.slice(0, SHOWN_MAX), more: Math.max(0, all.length - SHOWN_MAX) };
}

/** Runs stand still until somebody answers, so these come first. */
function taskNeeds(tasks: readonly PersonTask[]): Need[] {
  const [first] = tasks;
  if (!first) return [];
  const one = tasks.length === 1;
  const names = tasks.map((task) => task.title).join(", ");
  return [
    {
      id: "tasks",
      tone: "waiting",
      icon: ClipboardCheck,
      title: one ? first.title : `${plural(tasks.length, "task")} wait for an answer`,
      text: one ? `${first.workflow} waits for an answer since ${when(first.since)}.` : names,
      action: "Answer",
      to: addressOf(first),
    },
  ];
}

/** Faulted runs of one workflow at one task are one thing to look at. */
function faultedNeeds(runs: readonly RunSummary[]): Need[] {
  const groups = new Map<string, RunSummary[]>();
  for (const run of runs) {
    const key = `${run.namespace}/${run.name} ${run.currentTask ?? ""}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups].map(([key, group]) => faultedNeed(key, group));
}

function faultedNeed(key: string, group: RunSummary[]): Need {
  const newest = group[0] as RunSummary;
  const oldest = group[group.length - 1] as RunSummary;
  const at = newest.currentTask ? ` at ${taskTitle(newest.currentTask)}` : "";
  const one = group.length === 1;
  const said = newest.error ? faultWords(newest.error).title : "";
  return {
    id: `faulted ${key}`,
    tone: "faulted",
    icon: OctagonX,
    title: one ? `${newest.title} faulted${at}` : `${group.length} ${newest.title} runs faulted${at}`,
    text: `${said}${said && !said.endsWith(".") ? "." : ""} ${one ? "At" : "Since"} ${when(oldest.createdAt)}.`.trim(),
    action: one ? "Review run" : "Review runs",
    to: one ? address("runs", newest.id) : `${address("runs")}?status=faulted&workflow=${encodeURIComponent(`${newest.namespace}/${newest.name}`)}`,
  };
}

function letterNeeds(deadLetters: number): Need[] {
  if (deadLetters === 0) return [];
  return [
    {
      id: "letters",
      tone: "faulted",
      icon: Inbox,
      title: `${plural(deadLetters, "dead letter")} ${deadLetters === 1 ? "waits" : "wait"}`,
      text: "Rows that could not be handled, kept with their line and error. The others went through.",
      action: "Open",
      to: address("events", "dead-letters"),
    },
  ];
}

function connectionNeeds(connections: readonly Connection[]): Need[] {
  return connections
    .filter((connection) => connection.state === "failing")
    .map((connection) => ({
      id: `connection ${connection.id}`,
      tone: "faulted" as const,
      icon: Plug,
      title: `${connection.name} fails its check`,
      text: [connection.error?.detail, connection.error?.hint].filter(Boolean).join(" "),
      action: "Open",
      to: address("connections", connection.id),
    }));
}

function feedNeeds(feeds: readonly Feed[]): Need[] {
  return feeds
    .filter((feed) => feed.error)
    .map((feed) => ({
      id: `feed ${feed.documentId}`,
      tone: "waiting" as const,
      icon: FileWarning,
      title: `The folder of ${feed.title} can't be read`,
      text: feed.error?.detail ?? "",
      action: "Open",
      to: address("workflows", feed.documentId),
    }));
}

function documentNeeds(documents: readonly DocumentSummary[]): Need[] {
  return documents
    .filter((document) => document.problems > 0)
    .map((document) => ({
      id: `document ${document.id}`,
      tone: "waiting" as const,
      icon: FileWarning,
      title: `${document.title} has ${plural(document.problems, "problem")}`,
      text: document.deployedVersion ? `Version ${document.deployedVersion} stays deployed until they are repaired.` : "It can be deployed once they are repaired.",
      action: "Edit",
      to: address("workflows", document.id),
    }));
}

function doctorNeeds(checks: readonly DoctorCheck[]): Need[] {
  return checks
    .filter((check) => check.state === "broken")
    .map((check) => ({
      id: `doctor ${check.id}`,
      tone: "waiting" as const,
      icon: Stethoscope,
      title: check.title,
      text: check.detail,
      action: "Open Doctor",
      to: address("doctor"),
    }));
}
