//! The transport of tests and of `npm run dev`: an agent in memory. Never part of the shipped bundle.
//! `?scene=empty`, `?scene=down` and `?scene=slow` in the address show the other states.
import type { Transport } from "../bindings";
import { Failure } from "../failure";
import { emitter, sceneOf } from "./emitter";
import { handlers } from "./handlers";
import { World } from "./world";

export const world = new World(sceneOf(window.location.search));

const table: Record<string, (input: never) => unknown> = handlers(world);

/** `run_task_input` to `runTaskInput`. */
const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

export const transport: Transport = {
  async call(command, input) {
    await world.answerTime();
    const handler = table[camel(command)];
    if (!handler) throw new Error(`The fake does not know ${command}`);
    try {
      return structuredClone(await handler(structuredClone(input) as never));
    } catch (thrown) {
      throw thrown instanceof Failure ? thrown.view : thrown;
    }
  },
  listen: (event, handler) => Promise.resolve(emitter.on(event, handler)),
};
