// A run waits for a person: the window tells, asks, says what does not fit, and the run goes on with the answer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

const HEAD = "document: {dsl: 1.0.3, namespace: test, version: 1.0.0, ";
const APPROVAL = `${HEAD} name: approval, title: Big order}
do:
  - approve:
      listen: {to: {one: {with: {type: io.mastra.approval.v1}}}}
      output: {as: '.[0]'}
      metadata: {mastra.io/person: {title: 'Ship order \${ .id }?', assignee: ada}}
`;
const FORM = `${HEAD} name: form, title: New supplier}
do:
  - details:
      listen: {to: {one: {with: {type: io.mastra.form.v1}}}}
      output: {as: '.[0]'}
      metadata:
        mastra.io/person:
          title: Details of the supplier
          schema:
            type: object
            required: [email, terms, address]
            properties:
              email: {type: string, title: Email, minLength: 5}
              country: {title: Country, enum: [Germany, France]}
              terms: {type: integer, title: Payment days, minimum: 7}
              since: {type: string, format: date, title: Since}
              critical: {type: boolean, title: Critical}
              address: {type: object, title: Address, required: [street], properties: {street: {type: string, title: Street}}}
`;

let app;
let window;

before(async () => {
  app = await openApp();
  window = new Window(app.browser);
  await window.reads("runtime-pill", /Native/);
});

after(() => app?.close());

/** Makes a workflow and runs it, by the commands that the window has. */
async function run(text, input) {
  const document = await window.command("document_create", { kind: "workflow", text });
  return window.command("run_start", { documentId: document.id, input: JSON.stringify(input) });
}

test("nothing waits at first", async () => {
  await window.go("tasks");
  await window.see("tasks-empty");
});

test("an approval is told at Home and in the sidebar, and its run goes on with it", async () => {
  const started = await run(APPROVAL, { id: 7 });
  await window.reads("nav-tasks", /1 wait for a person/);
  await window.go("home");
  await window.reads("attention", /Ship order 7\?/);
  await window.go("tasks");
  await window.reads("person-task-title", /Ship order 7\?/);
  await window.type("answer-comment", "Go ahead");
  await window.click("task-approve");
  await window.see("tasks-empty");
  const { output } = await ended(started.id);
  assert.deepEqual(output, { approved: true, comment: "Go ahead" });
});

test("a form says beside its fields what the agent does not take, and is sent once it fits", async () => {
  const started = await run(FORM, {});
  await window.reads("person-task-title", /Details of the supplier/);
  await window.type("answer-email", "a@b");
  await window.type("answer-terms", "3");
  await window.click("task-send");
  await window.reads("answer-form", /"a@b" is shorter than 5 characters/);
  await window.reads("answer-form", /3 is less than the minimum of 7/);
  await window.reads("answer-form", /Street is empty/);
  assert.equal(await (await window.part("answer-email")).getValue(), "a@b", "what was typed stays");

  await window.type("answer-email", "ada@example.com");
  await window.type("answer-terms", "30");
  await window.type("answer-address-street", "Main street 1");
  await (await window.part("answer-country")).selectByVisibleText("France");
  await window.type("answer-since", "2026-02-03");
  await window.click("answer-critical");
  await window.click("person-task-run");
  await window.click("answer-task");
  await window.click("task-send");
  await window.see("tasks-empty");
  const { output } = await ended(started.id);
  assert.deepEqual(output, {
    email: "ada@example.com",
    country: "France",
    terms: 30,
    since: "2026-02-03",
    critical: true,
    address: { street: "Main street 1" },
  });
});

/** The run once it has ended. */
async function ended(id) {
  let detail;
  await app.browser.waitUntil(
    async () => {
      detail = await window.command("run_get", { id });
      return detail.summary.endedAt !== null;
    },
    { timeout: 20_000, timeoutMsg: `run ${id} does not end` },
  );
  return detail;
}
