import { screen } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { visit } from "../../test-visit";
import { restart } from "../../ipc/fake";
import { doctor } from "./doctor.svelte";

beforeEach(() => {
  doctor.clear();
  restart("full");
});

it("the report is copied by a button that says so", async () => {
  const user = userEvent.setup();
  await visit("doctor");
  const button = await screen.findByTestId("doctor-copy");
  expect(button.textContent?.trim()).toBe("Copy report");
  await user.click(button);
  expect(button.textContent?.trim()).toBe("Copied");
  const report = await navigator.clipboard.readText();
  expect(report).toContain("WARNING  MD-602 Containers stop when you log out: Lingering is off");
  expect(report.split("\n")).toHaveLength(10);
});

it("what is fine and could be more has its command to copy", async () => {
  await visit("doctor");
  expect(await screen.findByText("sudo apt-get install -y podman")).toBeTruthy();
});
