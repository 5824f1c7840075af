//! The connections of the workspace, shared by Home, the list and the forms.
import Database from "@lucide/svelte/icons/database";
import Plug from "@lucide/svelte/icons/plug";
import Table from "@lucide/svelte/icons/table-2";
import CircleCheck from "@lucide/svelte/icons/circle-check";
import CircleDashed from "@lucide/svelte/icons/circle-dashed";
import OctagonX from "@lucide/svelte/icons/octagon-x";
import type { IconKind } from "$components/Icon.svelte";
import type { Tone } from "$components/tone";
import { commands, Resource, type Connection, type ConnectionState } from "$ipc";

export const connections = new Resource<Connection[]>(() => commands.connectionsList());

export const CONNECTION_STATES: Record<ConnectionState, { tone: Tone; icon: IconKind; word: string }> = {
  healthy: { tone: "completed", icon: CircleCheck, word: "Healthy" },
  failing: { tone: "faulted", icon: OctagonX, word: "Failing" },
  unchecked: { tone: "pending", icon: CircleDashed, word: "Not checked" },
};

const KIND_ICONS: Record<string, IconKind> = { postgres: Database, sqlite: Table };
const KIND_TITLES: Record<string, string> = { postgres: "PostgreSQL", sqlite: "SQLite" };

export const kindIcon = (kind: string): IconKind => KIND_ICONS[kind] ?? Plug;
export const kindTitle = (kind: string): string => KIND_TITLES[kind] ?? kind;
