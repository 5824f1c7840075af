import { describe, expect, it } from "vitest";
import { fieldsOf, initial, settingsOf, wrongName, wrongWith } from "./form";

const schema = {
  type: "object",
  required: ["host", "tls"],
  properties: {
    host: { type: "string", minLength: 2, description: "A name." },
    port: { type: ["integer", "null"], default: 5432, minimum: 1, maximum: 65535 },
    tls: { $ref: "#/$defs/Tls" },
    pool: { anyOf: [{ type: "integer" }, { type: "null" }] },
    readOnly: { type: "boolean", default: true },
    authority: { type: "string", description: "PEM text." },
  },
  $defs: { Tls: { oneOf: [{ const: "disable" }, { const: "require" }] } },
};
const fields = fieldsOf(schema);
const field = (name: string) => fields.find((known) => known.name === name)!;

describe("a form from a schema", () => {
  it("knows the kind of every field, through references and null", () => {
    expect(fields.map(({ name, kind, required }) => [name, kind, required])).toEqual([
      ["host", "text", true],
      ["port", "number", false],
      ["tls", "choice", true],
      ["pool", "number", false],
      ["readOnly", "switch", false],
      ["authority", "long", false],
    ]);
    expect(field("tls").choices).toEqual(["disable", "require"]);
    expect(field("readOnly").label).toBe("Read only");
  });

  it("begins with the saved settings over the defaults", () => {
    expect(initial(fields, { host: "db", port: null })).toEqual({ host: "db", port: "5432", tls: "disable", pool: "", readOnly: "true", authority: "" });
  });

  it("gives values back in their types and leaves empty ones out", () => {
    expect(settingsOf(fields, { host: " db ", port: "5433", tls: "require", pool: "", readOnly: "false" })).toEqual({ host: "db", port: 5433, tls: "require", readOnly: false });
  });

  it.each([
    ["host", "", "Host is empty."],
    ["host", "x", "Host needs at least 2 characters; it has 1."],
    ["port", "abc", "Port is a whole number; abc is not."],
    ["port", "70000", "Port is at most 65535; it is 70000."],
    ["port", "", null],
  ])("%s = %j: %s", (name, value, words) => expect(wrongWith(field(name), value)).toBe(words));

  it.each(["", "-a", "a_b", "x".repeat(64)])("refuses the name %j", (name) => expect(wrongName(name)).not.toBeNull());
  it("takes a name that documents can refer to", () => expect(wrongName("orders-db")).toBeNull());
});
