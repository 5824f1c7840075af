import { waitFor } from "@testing-library/svelte";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { restart, world } from "../../ipc/fake";
import { DocumentEdit } from "./document.svelte";

let edit: DocumentEdit;
let end: () => void;

beforeEach(async () => {
  restart("full");
  edit = new DocumentEdit("doc-orders");
  end = edit.start();
  await waitFor(() => expect(edit.saved).not.toBeNull());
  return () => end();
});

describe("a document that is edited", () => {
  it("is saved by itself after the last key", async () => {
    vi.useFakeTimers();
    edit.typed(`${edit.text}# one\n`);
    edit.typed(`${edit.text}# two\n`);
    expect(edit.dirty).toBe(true);
    await vi.advanceTimersByTimeAsync(1500);
    vi.useRealTimers();
    expect(world.document("doc-orders").text).toContain("# one\n# two\n");
    expect(edit.dirty).toBe(false);
    expect(world.document("doc-orders").summary.revision).toBe(2);
  });

  it("is saved when the page is left", async () => {
    edit.typed("left: early\n");
    end();
    await waitFor(() => expect(world.document("doc-orders").text).toBe("left: early\n"));
  });

  it("is saved whole where a save was under way", async () => {
    edit.typed("one\n");
    const first = edit.save();
    edit.typed("two\n");
    expect(await edit.save()).toBe(true);
    await first;
    expect(world.document("doc-orders").text).toBe("two\n");
  });

  it("keeps broken text, and says where it is broken", async () => {
    edit.typed("document:\n  frobnicate: 1\n");
    await edit.save();
    await waitFor(() => expect(edit.errors).toHaveLength(1));
    expect(edit.errors[0]).toMatchObject({ line: 2, column: 3, code: "MD-101" });
    expect(world.document("doc-orders").text).toContain("frobnicate");
  });

  it("overwrites nothing when another window saved, until the person says so", async () => {
    world.document("doc-orders").summary.revision = 7;
    world.document("doc-orders").text = "theirs\n";
    edit.typed("mine\n");
    expect(await edit.save()).toBe(false);
    expect(edit.conflict).toBe(true);
    expect(world.document("doc-orders").text).toBe("theirs\n");
    expect(edit.text).toBe("mine\n");
    await edit.overwrite();
    expect(world.document("doc-orders").text).toBe("mine\n");
    expect(edit.conflict).toBe(false);
  });
});
