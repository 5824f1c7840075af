//! Dead letters and emitted events of the fake.
import { emitter } from "./emitter";
import type { Handlers } from "./handlers";
import { failure, type World } from "./world";

type Part = Pick<Handlers, "deadLettersList" | "deadLetterEdit" | "deadLettersSend" | "deadLettersDiscard" | "eventsList">;

export function letterHandlers(world: World): Part {
  const told = () => {
    world.refreshFigures();
    emitter.emit("deadLettersChanged", { total: world.deadLetters.length });
    emitter.emit("runtimeStatus", world.runtime);
  };
  return {
    deadLettersList: ({ source, text, cursor, limit }) => {
      world.needAgent();
      const all = world.deadLetters.filter((letter) => (!source || letter.source === source) && (!text || `${letter.error} ${letter.record} ${letter.file}`.toLowerCase().includes(text.toLowerCase())));
      const from = cursor ? Number(cursor) : 0;
      return { items: all.slice(from, from + limit), next: from + limit < all.length ? String(from + limit) : null, total: all.length };
    },
    deadLetterEdit: ({ id, record }) => {
      const letter = world.deadLetters.find((known) => known.id === id);
      if (!letter) throw failure("MD-201", "There is nothing at this address", `There is no dead letter ${id}.`, { value: id });
      letter.edited = letter.edited || record !== letter.record;
      letter.record = record;
      return letter;
    },
    deadLettersSend: ({ ids }) => {
      let sent = 0;
      let cameBack = 0;
      for (const id of ids) {
        const letter = world.deadLetters.find((known) => known.id === id);
        if (!letter) continue;
        const fixed = letter.contentType === "text/csv" ? letter.record.split(",").every((cell) => cell !== "") : !/"postal_code": ""/.test(letter.record);
        if (fixed) {
          world.deadLetters.splice(world.deadLetters.indexOf(letter), 1);
          sent += 1;
        } else {
          letter.tries += 1;
          cameBack += 1;
        }
      }
      told();
      return { sent, cameBack };
    },
    deadLettersDiscard: ({ ids }) => {
      world.deadLetters = world.deadLetters.filter((letter) => !ids.includes(letter.id));
      told();
      return ids.length;
    },
    eventsList: ({ after, limit }) => ({
      items: world.runs
        .filter((run) => run.status === "completed" && run.name === "orders")
        .reverse()
        .map((run, index) => ({
          seq: index + 1,
          at: run.endedAt ?? run.createdAt,
          id: `evt-${index}`,
          source: "https://mastra.example/orders",
          type: "shop.order.accepted",
          subject: run.subject,
          run: run.id,
          event: { specversion: "1.0", type: "shop.order.accepted", source: "https://mastra.example/orders", subject: run.subject, data: { order: run.subject } },
        }))
        .filter((event) => event.seq > (after ?? 0))
        .slice(0, limit),
      next: null,
    }),
  };
}
