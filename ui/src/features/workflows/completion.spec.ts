import { CompletionContext } from "@codemirror/autocomplete";
import { EditorState } from "@codemirror/state";
import { describe, expect, it } from "vitest";
import { schemaCompletion } from "./completion";
import type { Schema } from "./schema";

const schema: Schema = {
  properties: {
    document: { required: ["name"], properties: { name: { type: "string", description: "What it is called." }, dsl: { enum: ["1.0.3"] } } },
    do: { type: "array", items: { additionalProperties: { anyOf: [{ properties: { call: { const: "http" }, with: { type: "object" } } }, { properties: { set: { type: "object" } } }] } } },
  },
};
const source = schemaCompletion(() => schema);

/** What is offered at the bar. */
function offered(text: string, explicit = false) {
  const state = EditorState.create({ doc: text.replace("|", "") });
  const result = source(new CompletionContext(state, text.indexOf("|"), explicit));
  if (result instanceof Promise) throw new Error("the source answers at once");
  return result;
}

describe("completion", () => {
  it("offers the keys of the place that are not there yet, and goes on after them", () => {
    const result = offered("document:\n  dsl: 1.0.3\n  n|");
    expect(result?.options).toMatchObject([{ label: "name", apply: "name: ", detail: "required", info: "What it is called." }]);
    expect(result?.from).toBe("document:\n  dsl: 1.0.3\n  ".length);
  });

  it("begins an object on its own line, deeper", () => {
    expect(offered("do:\n  - greet:\n      s|")?.options.find((option) => option.label === "set")?.apply).toBe("set:\n        ");
    expect(offered("d|")?.options.find((option) => option.label === "do")?.apply).toBe("do:\n  - ");
  });

  it("offers the values that the schema lists", () => {
    expect(offered("do:\n  - a:\n      call: h|")?.options.map((option) => option.label)).toEqual(["http"]);
  });

  it("is silent until something is typed, unless it is asked", () => {
    expect(offered("document:\n  |")).toBeNull();
    expect(offered("document:\n  |", true)?.options.map((option) => option.label)).toEqual(["name", "dsl"]);
  });

  it("offers nothing while there is no schema", () => {
    const state = EditorState.create({ doc: "d" });
    expect(schemaCompletion(() => undefined)(new CompletionContext(state, 1, true))).toBeNull();
  });
});
