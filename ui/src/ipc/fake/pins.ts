//! Pinned outputs of the fake, and test runs with them.
import type { Handlers } from "./handlers";
import { begin } from "./run-commands";
import { detailOf } from "./runs";
import { failure, type World } from "./world";

type Part = Pick<Handlers, "pinsList" | "pinAdd" | "pinRemove" | "documentTest">;

export function pinHandlers(world: World): Part {
  const of = (workflow: string) => world.pins.get(workflow) ?? [];
  return {
    pinsList: ({ workflow }) => of(workflow),
    pinAdd: ({ run, task }) => {
      const summary = world.run(run);
      const found = detailOf(summary, Date.now()).tasks.find((view) => view.key === task);
      if (!found || found.output === null) throw failure("MD-211", "A parameter has a value that can't be used", `${found?.name ?? task} gave nothing that could be pinned`);
      const workflow = `${summary.namespace}/${summary.name}`;
      const pin = { task: found.reference, name: found.name, output: found.output, run, pinnedAt: new Date().toISOString(), known: true };
      world.pins.set(workflow, [...of(workflow).filter((known) => known.task !== pin.task), pin]);
      return of(workflow);
    },
    pinRemove: ({ workflow, task }) => {
      world.pins.set(workflow, of(workflow).filter((known) => known.task !== task));
      return of(workflow);
    },
    documentTest: ({ documentId, input, pins }) => {
      world.needAgent();
      const { summary } = world.document(documentId);
      JSON.parse(input);
      world.tested = pins;
      return begin(world, { name: summary.name, title: summary.title, version: summary.version, test: true, startedBy: { kind: "api", detail: null, replayOf: null } });
    },
  };
}
