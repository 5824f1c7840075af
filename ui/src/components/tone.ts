//! The eight tones. A tone sets four colours on an element; what it means is the feature's to say.

export type Tone =
  | "pending"
  | "running"
  | "waiting"
  | "suspended"
  | "completed"
  | "faulted"
  | "cancelled"
  | "compensating";

/** The class of each tone, whole, so that the stylesheet is built with it. */
export const TONES: Record<Tone, string> = {
  pending: "tone-pending",
  running: "tone-running",
  waiting: "tone-waiting",
  suspended: "tone-suspended",
  completed: "tone-completed",
  faulted: "tone-faulted",
  cancelled: "tone-cancelled",
  compensating: "tone-compensating",
};
