//! The transport of tests and of `npm run dev`: an agent in memory. Never part of the shipped bundle.
//! `?scene=empty`, `?scene=down` and `?scene=slow` in the address show the other states.
import type { Transport } from "../bindings";
import { Failure } from "../failure";
import { emitter, sceneOf, type Scene } from "./emitter";
import { handlers } from "./handlers";
import { World } from "./world";

type Table = Record<string, (input: never) => unknown>;

export let world = new World(sceneOf(window.location.search));
let table: Table = handlers(world);

/** Begins anew with a scene; what was before is forgotten. */
export function restart(scene: Scene): World {
  world.end();
  world = new World(scene);
  table = handlers(world);
  return world;
}

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
