//! The fake shell's voice: events by their wire name.
import { eventNames, type Events } from "../bindings";

type Handler = (payload: unknown) => void;

export type Scene = "full" | "empty" | "down" | "slow";

class Emitter {
  #handlers = new Map<string, Set<Handler>>();

  on(event: string, handler: Handler): () => void {
    const all = this.#handlers.get(event) ?? new Set<Handler>();
    all.add(handler);
    this.#handlers.set(event, all);
    return () => all.delete(handler);
  }

  emit<Name extends keyof Events>(name: Name, payload: Events[Name]): void {
    for (const handler of this.#handlers.get(eventNames[name]) ?? []) handler(structuredClone(payload));
  }
}

export const emitter = new Emitter();

export function sceneOf(search: string): Scene {
  const asked = new URLSearchParams(search).get("scene");
  return asked === "empty" || asked === "down" || asked === "slow" ? asked : "full";
}
