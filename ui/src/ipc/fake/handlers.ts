//! What the fake answers to every command of the contract. A missing one does not compile.
import type { Commands, Result } from "../bindings";
import { connectionHandlers } from "./connections";
import { documentHandlers } from "./documents";
import { helpHandlers } from "./help";
import { hostExecutionHandlers } from "./host-execution";
import { letterHandlers } from "./letters";
import { peopleHandlers } from "./people";
import { pinHandlers } from "./pins";
import { runHandlers } from "./run-commands";
import { shellHandlers } from "./shell";
import type { World } from "./world";

/** The commands as plain functions: input in, answer out, failures thrown. */
export type Handlers = {
  [K in keyof Commands]: Commands[K] extends (...input: infer I) => Promise<Result<infer T>>
    ? (...input: I) => T | Promise<T>
    : never;
};

export function handlers(world: World): Handlers {
  return {
    ...shellHandlers(world),
    ...documentHandlers(world),
    ...runHandlers(world),
    ...peopleHandlers(world),
    ...pinHandlers(world),
    ...hostExecutionHandlers(world),
    ...connectionHandlers(world),
    ...letterHandlers(world),
    ...helpHandlers(),
  };
}
