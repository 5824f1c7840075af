import { fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart, world } from "../../ipc/fake";

beforeEach(async () => {
  restart("full");
  await visit("events/dead-letters");
  await screen.findAllByTestId("letter-row");
});

const text = () => screen.getByTestId("letter-panel").textContent ?? "";

it("a record that is edited and sent goes through and leaves the list", async () => {
  const csv = world.deadLetters.find((letter) => letter.contentType === "text/csv")!;
  const row = screen.getAllByTestId("letter-row").find((known) => known.getAttribute("data-letter") === csv.id)!;
  await userEvent.click(row);
  const editor = (await screen.findByTestId("letter-editor")) as HTMLTextAreaElement;
  expect(editor.value).toBe(csv.record);
  await fireEvent.input(editor, { target: { value: csv.record.replace(",,", ",10115,") } });
  await userEvent.click(screen.getByTestId("letter-mode-diff"));
  expect(text()).toContain("+");
  await userEvent.click(screen.getByTestId("letter-send"));
  await screen.findByText("1 record went through");
  expect(screen.queryByText("The edit is kept"), "one message for one click").toBeNull();
  expect(world.deadLetters.some((letter) => letter.id === csv.id)).toBe(false);
});

it("says how many came back", async () => {
  await userEvent.keyboard("{Shift>}X{/Shift}");
  await waitFor(() => expect(screen.getByTestId("letters-send").textContent).toContain("Send 6 again"));
  await userEvent.click(screen.getByTestId("letters-send"));
  await screen.findByText(/came back/);
});

it("discards one at once", async () => {
  const before = world.deadLetters.length;
  await userEvent.keyboard("d");
  await screen.findByText("1 record discarded");
  expect(screen.queryByTestId("discard-dialog")).toBeNull();
  expect(world.deadLetters.length).toBe(before - 1);
});

it("asks before it discards more than one, and discards what was chosen", async () => {
  const before = world.deadLetters.length;
  await userEvent.keyboard("{Shift>}X{/Shift}d");
  const dialog = await screen.findByTestId("discard-dialog");
  expect(dialog.textContent).toContain("They are deleted from the dead letters and cannot be sent again.");
  expect(world.deadLetters.length).toBe(before);
  await userEvent.click(within(dialog).getByTestId("discard-confirm"));
  await screen.findByText("6 records discarded");
  expect(world.deadLetters.length).toBe(before - 6);
});

it("counts the lines that an edit changes", async () => {
  const csv = world.deadLetters.find((letter) => letter.contentType === "text/csv")!;
  await userEvent.click(screen.getAllByTestId("letter-row").find((known) => known.getAttribute("data-letter") === csv.id)!);
  const editor = await screen.findByTestId("letter-editor");
  await fireEvent.input(editor, { target: { value: `${csv.record}\nmore` } });
  await waitFor(() => expect(text()).toMatch(/1 changed line(?!s)/));
  await fireEvent.input(editor, { target: { value: "more" } });
  await waitFor(() => expect(text()).toContain("2 changed lines"));
});
