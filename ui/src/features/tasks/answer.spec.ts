import { describe, expect, it } from "vitest";
import { answerOf, fieldsOf, initial, leavesOf, misfitsByField, unsendable } from "./answer";

const SUPPLIER = {
  type: "object",
  required: ["email", "terms", "address"],
  properties: {
    discount: { type: "number" },
    email: { type: "string", title: "Email" },
    country: { enum: ["Germany", "France", 7, null] },
    since: { type: "string", format: "date" },
    terms: { type: "integer", default: 30 },
    critical: { type: "boolean", title: "Critical" },
    tags: { type: "array", items: { type: "string" } },
    notes: { type: "string", maxLength: 2000 },
    address: { $ref: "#/$defs/address" },
  },
  $defs: { address: { type: "object", title: "Address", required: ["street"], properties: { street: { type: "string" }, postal_code: { type: "string", minLength: 4 } } } },
};

describe("fields", () => {
  const fields = fieldsOf(SUPPLIER);

  it("come from the schema, required ones first, groups with theirs", () => {
    expect(fields.map(({ label, kind }) => [label, kind])).toEqual([
      ["Email", "text"],
      ["Terms", "number"],
      ["Address", "group"],
      ["Discount", "number"],
      ["Country", "choice"],
      ["Since", "date"],
      ["Critical", "switch"],
      ["Tags", "json"],
      ["Notes", "long"],
    ]);
    expect(leavesOf(fields).map((field) => field.pointer)).toContain("/address/postal_code");
    expect(initial(fields)).toMatchObject({ "/terms": "30", "/critical": "false", "/email": "" });
  });

  it("are one of JSON where the schema names none", () => {
    expect(fieldsOf({ type: "object" })).toMatchObject([{ pointer: "", kind: "json", label: "Answer" }]);
    expect(fieldsOf(true)).toMatchObject([{ pointer: "", kind: "text" }]);
  });

  it("end where a reference leads to itself", () => {
    const circle = { $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } };
    expect(fieldsOf(circle)).toHaveLength(1);
    const nested = { type: "object", properties: { child: { $ref: "#" } } };
    expect(leavesOf(fieldsOf(nested))).toMatchObject([{ pointer: "/child/child/child", kind: "json" }]);
  });
});

describe("the answer", () => {
  const fields = fieldsOf(SUPPLIER);
  const values = { ...initial(fields), "/email": " a@example.com ", "/country": "7", "/discount": "12345678901234567890.50", "/tags": '["x"]', "/address/street": "Main" };

  it("has each value in its type, every digit, and nothing for what is empty", () => {
    expect(answerOf(fields, values)).toBe('{"email":"a@example.com","terms":30,"address":{"street":"Main"},"discount":12345678901234567890.50,"country":7,"tags":["x"]}');
  });

  it("says no where a person had to say yes or no", () => {
    expect(answerOf(fieldsOf({ type: "object", required: ["ok"], properties: { ok: { type: "boolean" } } }), {})).toBe('{"ok":false}');
  });

  it("is not sent while a number, a date or JSON is none", () => {
    const wrong = unsendable(fields, { ...values, "/terms": "0x10", "/since": "2026-02-30", "/tags": "[" });
    expect(Object.keys(wrong)).toEqual(["/terms", "/since", "/tags"]);
    expect(wrong["/since"]).toContain("2026-02-30");
    expect(unsendable(fields, values)).toEqual({});
  });
});

describe("what the agent says", () => {
  it("stands beside its field, in words where something is missing", () => {
    const said = [
      { pointer: "/email", message: '"email" is a required property' },
      { pointer: "/address/postal_code", message: '"1" is shorter than 4 characters' },
      { pointer: "/tags/0", message: '1 is not of type "string"' },
      { pointer: "", message: "Additional properties are not allowed" },
    ];
    expect(misfitsByField(fieldsOf(SUPPLIER), said)).toEqual({
      "/email": "Email is empty.",
      "/address/postal_code": '"1" is shorter than 4 characters',
      "/tags": '1 is not of type "string"',
      "": "Additional properties are not allowed",
    });
  });
});
