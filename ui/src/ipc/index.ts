//! The window's side of the contract: commands that throw, events to listen to, data that keeps itself fresh.
//! This folder is the only importer of `@tauri-apps`.
import { transport } from "$transport";
import { commandsOver, listenOver, type Commands, type ErrorView, type Events, type Result } from "./bindings";

export type * from "./bindings";
export { answered } from "./answered";
export { Resource } from "./resource.svelte";
export { Failure, viewOf } from "./failure";

import { Failure } from "./failure";

/** The commands as they are used: the answer itself, or a thrown `Failure`. */
type Thrown<C> = {
  [K in keyof C]: C[K] extends (...input: infer I) => Promise<Result<infer T>> ? (...input: I) => Promise<T> : never;
};

function throwing(commands: Commands): Thrown<Commands> {
  const out: Record<string, unknown> = {};
  for (const [name, command] of Object.entries(commands)) {
    out[name] = async (input: unknown) => {
      const result = (await (command as (input: unknown) => Promise<Result<unknown>>)(input)) as Result<unknown>;
      if (result.status === "error") throw new Failure(result.error);
      return result.data;
    };
  }
  return out as Thrown<Commands>;
}

export const commands: Thrown<Commands> = throwing(commandsOver(transport));

/** Calls the handler for every event of that name; the returned function ends it, at once or as soon as it began. */
export function listen<Name extends keyof Events>(name: Name, handler: (payload: Events[Name]) => void): () => void {
  let ended = false;
  let stop: (() => void) | undefined;
  void listenOver(transport, name, (payload) => {
    if (!ended) handler(payload);
  }).then((end) => {
    if (ended) end();
    else stop = end;
  });
  return () => {
    ended = true;
    stop?.();
  };
}

export type { ErrorView };
