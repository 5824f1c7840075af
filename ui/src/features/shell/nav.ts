//! The places of the sidebar. Only what exists stands here.
import Activity from "@lucide/svelte/icons/activity";
import ClipboardCheck from "@lucide/svelte/icons/clipboard-check";
import CircleHelp from "@lucide/svelte/icons/circle-question-mark";
import House from "@lucide/svelte/icons/house";
import Plug from "@lucide/svelte/icons/plug";
import Radio from "@lucide/svelte/icons/radio";
import Settings from "@lucide/svelte/icons/settings";
import Stethoscope from "@lucide/svelte/icons/stethoscope";
import Workflow from "@lucide/svelte/icons/workflow";
import type { IconKind } from "$components/Icon.svelte";

export interface NavPlace {
  id: string;
  label: string;
  icon: IconKind;
  keys: string;
}

export const PLACES: NavPlace[] = [
  { id: "home", label: "Home", icon: House, keys: "g h" },
  { id: "workflows", label: "Workflows", icon: Workflow, keys: "g w" },
  { id: "runs", label: "Runs", icon: Activity, keys: "g r" },
  { id: "tasks", label: "Tasks", icon: ClipboardCheck, keys: "g t" },
  { id: "connections", label: "Connections", icon: Plug, keys: "g c" },
  { id: "events", label: "Events", icon: Radio, keys: "g e" },
];

export const FOOT: NavPlace[] = [
  { id: "help", label: "Help", icon: CircleHelp, keys: "F1" },
  { id: "doctor", label: "Doctor", icon: Stethoscope, keys: "g d" },
  { id: "settings", label: "Settings", icon: Settings, keys: "$mod+," },
];
