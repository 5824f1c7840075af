//! The documents of the workspace, shared by every page that names one.
import FolderInput from "@lucide/svelte/icons/folder-input";
import CalendarClock from "@lucide/svelte/icons/calendar-clock";
import SquarePlay from "@lucide/svelte/icons/square-play";
import Webhook from "@lucide/svelte/icons/webhook";
import type { IconKind } from "$components/Icon.svelte";
import { soon } from "$components/format";
import { commands, Resource, type DocumentSummary, type Trigger, type TriggerKind } from "$ipc";

export const documents = new Resource<DocumentSummary[]>(() => commands.documentsList());

export const TRIGGER_ICONS: Record<TriggerKind, IconKind> = {
  webhook: Webhook,
  schedule: CalendarClock,
  folder: FolderInput,
  manual: SquarePlay,
};

const TRIGGER_WORDS: Record<TriggerKind, string> = {
  webhook: "Webhook",
  schedule: "Schedule",
  folder: "Folder",
  manual: "Started by hand",
};

/** What starts it, in words: "Webhook /hooks/orders", "Next 06:00". */
export function triggerWords(trigger: Trigger): { word: string; detail: string } {
  return { word: TRIGGER_WORDS[trigger.kind], detail: trigger.detail };
}

/** The one line under a name in a narrow list. */
export function triggerLine(trigger: Trigger): string {
  if (trigger.kind === "schedule" && trigger.nextAt) return `Next ${soon(trigger.nextAt, Date.now())}`;
  if (trigger.kind === "folder") return trigger.detail;
  return TRIGGER_WORDS[trigger.kind];
}

export function workflows(): DocumentSummary[] {
  return (documents.data ?? []).filter((document) => document.kind === "workflow");
}

/** The document of a run, where it still exists. */
export function documentOf(namespace: string, name: string): DocumentSummary | undefined {
  return documents.data?.find((document) => document.namespace === namespace && document.name === name);
}
