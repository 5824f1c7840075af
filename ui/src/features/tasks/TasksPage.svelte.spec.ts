import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart } from "../../ipc/fake";
import { emitter } from "../../ipc/fake/emitter";
import { runtime } from "$features/runtime/runtime.svelte";
import { tasks } from "./tasks.svelte";

beforeEach(() => {
  tasks.clear();
  runtime.clear();
});

async function open() {
  const world = restart("full");
  await visit("tasks");
  await screen.findByTestId("tasks-list");
  return world;
}

const title = () => screen.getByTestId("person-task-title").textContent;

describe("what waits for a person", () => {
  it("is listed, counted in the sidebar, and told on Home", async () => {
    const world = await open();
    expect(screen.getAllByTestId("person-task")).toHaveLength(2);
    await waitFor(() => expect(screen.getByTestId("nav-tasks").textContent).toContain("2 wait for a person"));
    window.location.hash = "#/home";
    const attention = await screen.findByTestId("attention");
    await within(attention).findByText("2 tasks wait for an answer");
    await userEvent.click(within(attention).getByText("Answer"));
    await waitFor(() => expect(title()).toBe(world.people[0]?.title));
  });

  it("is told on the page of its run, and leads to the form", async () => {
    const world = restart("full");
    const task = world.people[0]!;
    await visit(`runs/${task.run}`);
    const note = await screen.findByTestId("waits-for-you");
    expect(note.textContent).toContain("waits for the answer of ada");
    await userEvent.click(screen.getByTestId("answer-task"));
    await waitFor(() => expect(title()).toBe(task.title));
  });

  it("teaches where nothing waits", async () => {
    restart("empty");
    await visit("tasks");
    expect((await screen.findByTestId("tasks-empty")).textContent).toContain("A workflow can ask a person");
  });

  it("says that it could not be read, and reads it again", async () => {
    const world = restart("full");
    const needAgent = world.needAgent.bind(world);
    world.needAgent = () => {
      throw new Error("the list is broken");
    };
    await visit("tasks");
    expect((await screen.findByTestId("error-note")).textContent).toContain("The list is broken");
    world.needAgent = needAgent;
    await userEvent.click(screen.getByText("Try again"));
    await screen.findByTestId("tasks-list");
  });
});

describe("an approval", () => {
  it("is given with a comment, leaves the list, and the next task is open", async () => {
    const world = await open();
    const task = world.people[0]!;
    expect(screen.queryByTestId("answer-approved")).toBeNull();
    await userEvent.type(screen.getByTestId("answer-comment"), "Go");
    await userEvent.click(screen.getByTestId("task-approve"));
    await screen.findByText(`Approved: ${task.title}`);
    expect(JSON.parse(world.answers.get(`${task.run} ${task.task}`)!)).toEqual({ approved: true, comment: "Go" });
    expect(screen.getAllByTestId("person-task")).toHaveLength(1);
    expect(title()).toBe("Details of Acme Steel");
    expect(world.run(task.run).status).toBe("running");
  });

  it("is declined", async () => {
    const world = await open();
    const task = world.people[0]!;
    await userEvent.click(screen.getByTestId("task-decline"));
    await screen.findByText(`Declined: ${task.title}`);
    expect(JSON.parse(world.answers.get(`${task.run} ${task.task}`)!)).toEqual({ approved: false });
  });

  it("that somebody else gives meanwhile is said, and what was typed stays in sight", async () => {
    const world = await open();
    await userEvent.type(screen.getByTestId("answer-comment"), "Wait");
    const asked = title();
    world.people = world.people.slice(1);
    emitter.emit("runsChanged", { runs: [], more: false });
    expect((await screen.findByTestId("person-task-gone")).textContent).toContain("It waits no more");
    expect(title()).toBe(asked);
    expect(screen.getByTestId<HTMLInputElement>("answer-comment").value).toBe("Wait");
    expect(screen.getByTestId<HTMLButtonElement>("task-approve").disabled).toBe(true);
    await userEvent.click(screen.getByText("Go to the next task"));
    await waitFor(() => expect(title()).toBe("Details of Acme Steel"));
  });

  it("that comes too late is said too", async () => {
    const world = await open();
    world.people = world.people.slice(1);
    await userEvent.click(screen.getByTestId("task-approve"));
    await screen.findByTestId("person-task-gone");
    expect(world.answers.size).toBe(0);
  });
});

describe("a form", () => {
  async function openForm() {
    const world = await open();
    await userEvent.click(screen.getAllByTestId("person-task")[1]!);
    await waitFor(() => expect(title()).toBe("Details of Acme Steel"));
    return world;
  }
  const errorOf = (mark: string) => document.getElementById(screen.getByTestId(mark).getAttribute("aria-describedby") ?? "")?.textContent?.trim();

  it("says beside its fields what the agent does not take, and keeps what was typed", async () => {
    const world = await openForm();
    await userEvent.type(screen.getByTestId("answer-address-postal_code"), "10115");
    await userEvent.clear(screen.getByTestId("answer-terms"));
    await userEvent.type(screen.getByTestId("answer-terms"), "3");
    await userEvent.click(screen.getByTestId("task-send"));
    await waitFor(() => expect(errorOf("answer-email")).toBe("Email is empty."));
    expect(errorOf("answer-address-street")).toBe("Street is empty.");
    expect(errorOf("answer-terms")).toBe("3 is less than the minimum of 7");
    expect(document.activeElement).toBe(screen.getByTestId("answer-email"));
    expect(world.answers.size).toBe(0);
    await userEvent.click(screen.getAllByTestId("person-task")[0]!);
    await userEvent.click(screen.getAllByTestId("person-task")[1]!);
    expect(screen.getByTestId<HTMLInputElement>("answer-address-postal_code").value).toBe("10115");
  });

  it("is sent with each value in its type", async () => {
    const world = await openForm();
    await userEvent.type(screen.getByTestId("answer-email"), "a@example.com");
    await userEvent.selectOptions(screen.getByTestId("answer-country"), "Germany");
    await userEvent.type(screen.getByTestId("answer-address-street"), "Main street 1");
    await userEvent.type(screen.getByTestId("answer-since"), "2026-02-30");
    await userEvent.click(screen.getByTestId("answer-critical"));
    await userEvent.click(screen.getByTestId("task-send"));
    await waitFor(() => expect(errorOf("answer-since")).toContain("2026-02-30 is not"));
    await userEvent.clear(screen.getByTestId("answer-since"));
    await userEvent.type(screen.getByTestId("answer-since"), "2026-02-03");
    await userEvent.keyboard("{Control>}{Enter}{/Control}");
    await screen.findByText("Answered: Details of Acme Steel");
    expect(JSON.parse([...world.answers.values()][0]!)).toEqual({
      email: "a@example.com",
      country: "Germany",
      terms: 30,
      address: { street: "Main street 1" },
      since: "2026-02-03",
      critical: true,
    });
  });
});
