import { describe, expect, it } from "vitest";
import { freeName, nameOf, renamed } from "./naming";

describe("names of documents", () => {
  it.each([
    ["Every morning!", "every-morning"],
    ["  Prüfe Größe ", "prufe-gro-e"],
    ["---", ""],
    ["x".repeat(90), "x".repeat(63)],
  ])("%s becomes %s", (title, name) => expect(nameOf(title)).toBe(name));

  it("takes the lowest free number", () => {
    expect(freeName("orders", new Set())).toBe("orders");
    expect(freeName("orders", new Set(["orders", "orders-2"]))).toBe("orders-3");
  });
});

describe("a template under another name", () => {
  const text = 'document:\n  dsl: "1.0.3"\n  # keep me\n  name: blank\n  version: 0.1.0\ndo:\n  - greet:\n      name: inner\n';

  it("changes the document's name and title and nothing else", () => {
    expect(renamed(text, "my-flow", "My: flow")).toBe(
      'document:\n  dsl: "1.0.3"\n  # keep me\n  name: my-flow\n  version: 0.1.0\n  title: "My: flow"\ndo:\n  - greet:\n      name: inner\n',
    );
  });

  it("takes a pipeline, which opens with its own word", () => {
    expect(renamed("# top\ndocument: { dsl: '1.0.3', namespace: help, name: for, title: \"A, b\", version: 1.0.0 }\ndo:\n  - a: { set: { name: x } }\n", "b", "B")).toBe(
      "# top\ndocument: { dsl: '1.0.3', namespace: help, name: b, version: 1.0.0, title: \"B\" }\ndo:\n  - a: { set: { name: x } }\n",
    );
    expect(renamed("pipeline:\n  name: rows\n  title: Rows\nwatch:\n  folder: inbox\n", "b", "B")).toBe('pipeline:\n  name: b\n  title: "B"\nwatch:\n  folder: inbox\n');
  });

  it("replaces a title that is there", () => {
    expect(renamed("document:\n  name: a\n  title: A\n", "b", "B")).toBe('document:\n  name: b\n  title: "B"\n');
  });

  it("leaves a text alone that has no document", () => {
    expect(renamed("do: []\n", "b", "B")).toBe("do: []\n");
  });
});
