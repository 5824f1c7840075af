//! The kinds of tasks for people: icon and word.
import ClipboardCheck from "@lucide/svelte/icons/clipboard-check";
import ClipboardList from "@lucide/svelte/icons/clipboard-list";
import type { IconKind } from "$components/Icon.svelte";
import type { PersonTaskKind } from "$ipc";

export const KINDS: Record<PersonTaskKind, { icon: IconKind; word: string }> = {
  approval: { icon: ClipboardCheck, word: "Approval" },
  form: { icon: ClipboardList, word: "Form" },
};
