import { describe, expect, it } from "vitest";
import { yamlPlace } from "./yaml-path";

/** The text up to the bar is before the position. */
function at(text: string) {
  const offset = text.indexOf("|");
  return yamlPlace(text.replace("|", ""), offset);
}

describe("where a position stands", () => {
  it("knows the keys around a key", () => {
    expect(at("document:\n  name: x\n  ver|")).toMatchObject({ path: ["document"], typed: "ver", isKey: true, siblings: ["name"] });
  });

  it("counts list items, also at the column of their key", () => {
    expect(at("do:\n  - first:\n      se|")).toMatchObject({ path: ["do", "[]", "first"], typed: "se" });
    expect(at("do:\n- first:\n    set|")).toMatchObject({ path: ["do", "[]", "first"] });
  });

  it("is inside an item right after its dash", () => {
    expect(at("do:\n  - |")).toMatchObject({ path: ["do", "[]"], typed: "", isKey: true });
  });

  it("goes through lists in lists", () => {
    const text = "do:\n  - pick:\n      switch:\n        - large:\n            wh|";
    expect(at(text).path).toEqual(["do", "[]", "pick", "switch", "[]", "large"]);
  });

  it("knows that a value is typed", () => {
    expect(at("do:\n  - a:\n      call: ht|")).toMatchObject({ path: ["do", "[]", "a", "call"], typed: "ht", isKey: false });
  });

  it("takes quoted keys and comments between", () => {
    const text = 'document:\n  metadata:\n    # why\n    "mastra.io/webhook":\n      pa|';
    expect(at(text).path).toEqual(["document", "metadata", "mastra.io/webhook"]);
  });

  it("does not take the keys of another item for its own", () => {
    expect(at("do:\n  - a:\n      set: 1\n  - b:\n      se|").siblings).toEqual([]);
  });

  it("knows the plain values beside the path, which say what kind of thing it is", () => {
    const place = at('do:\n  - a:\n      call: "http"\n      with:\n        me|\n      then: end\n  - b:\n      call: other');
    expect(place.path).toEqual(["do", "[]", "a", "with"]);
    expect(place.beside[3]).toEqual({ call: "http", then: "end" });
  });

  it("is at the root on an empty first column", () => {
    expect(at("document:\n  name: x\n|")).toMatchObject({ path: [], siblings: ["document"] });
  });
});
