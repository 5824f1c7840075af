import { describe, expect, it } from "vitest";
import { descriptionAt, propertiesAt, valuesAt, type Schema } from "./schema";

const schema: Schema = {
  type: "object",
  required: ["document"],
  properties: {
    document: { type: "object", description: "Names it.", properties: { dsl: { enum: ["1.0.3"] }, title: { type: "string" } } },
    do: { $ref: "#/$defs/tasks" },
  },
  $defs: {
    tasks: { type: "array", items: { type: "object", additionalProperties: { $ref: "#/$defs/task" } } },
    task: { oneOf: [{ properties: { call: { anyOf: [{ const: "http" }, { const: "grpc" }] } }, required: ["call"] }, { properties: { set: { type: "object" } } }, { properties: { do: { $ref: "#/$defs/tasks" } } }] },
  },
};

const names = (path: string[]) => propertiesAt(schema, path).map((offer) => offer.name);

describe("what a schema offers", () => {
  it("at the root, with what is required and how it goes on", () => {
    expect(propertiesAt(schema, [])).toEqual([
      { name: "document", description: "Names it.", shape: "object", required: true },
      { name: "do", description: null, shape: "list", required: false },
    ]);
  });

  it("through references, items, any name, and every branch", () => {
    expect(names(["do", "[]", "anyName"])).toEqual(["call", "set", "do"]);
    expect(names(["do", "[]", "outer", "do", "[]", "inner"])).toEqual(["call", "set", "do"]);
  });

  it("only of the kind that a value beside says", () => {
    const calls: Schema = {
      anyOf: [
        { properties: { call: { const: "http" }, with: { properties: { method: {} } } }, required: ["call", "with"] },
        { properties: { call: { const: "rows" }, with: { properties: { table: {} } } } },
      ],
    };
    expect(propertiesAt(calls, ["with"]).map((offer) => offer.name)).toEqual(["method", "table"]);
    expect(propertiesAt(calls, ["with"], [{ call: "http" }]).map((offer) => offer.name)).toEqual(["method"]);
    expect(propertiesAt(calls, [], [{ call: "http" }])).toMatchObject([{ name: "call", required: true }, { name: "with", required: true }]);
    expect(propertiesAt(calls, []).some((offer) => offer.required)).toBe(false);
  });

  it("values that it lists", () => {
    expect(valuesAt(schema, ["document", "dsl"])).toEqual(["1.0.3"]);
    expect(valuesAt(schema, ["do", "[]", "x", "call"])).toEqual(["http", "grpc"]);
  });

  it("nothing where it knows nothing", () => {
    expect(names(["nowhere"])).toEqual([]);
    expect(descriptionAt(schema, ["document"])).toBe("Names it.");
  });

  it("does not follow a reference to itself for ever", () => {
    const loop: Schema = { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a", properties: { x: {} } } } };
    expect(propertiesAt(loop, []).map((offer) => offer.name)).toEqual(["x"]);
  });
});
