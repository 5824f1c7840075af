// Every page in light and dark: accessible, and the front page as the README shows it.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import pixelmatch from "pixelmatch";
import { PNG } from "pngjs";

import { openApp } from "../harness/app.mjs";
import { violationsIn } from "../harness/axe.mjs";
import { Window } from "../pages/window.mjs";

const SCREENS = fileURLToPath(new URL("../screens/", import.meta.url));
const ARTIFACTS = fileURLToPath(new URL("../artifacts/", import.meta.url));

/** How to come to each page, by its name. */
const PAGES = {
  ...Object.fromEntries(
    ["home", "workflows", "runs", "tasks", "connections", "events", "help", "doctor", "settings"].map((place) => [
      place,
      () => window.go(place),
    ]),
  ),
  workflow: async () => {
    await window.go("workflows");
    await app.browser.$('[data-name="orders"] [data-row-link]').click();
    await window.see("document-editor");
  },
  run: async () => {
    await window.go("runs");
    await app.browser.$('[data-status="faulted"] a').click();
    await window.see("fault-note");
  },
  connection: async () => {
    await window.go("connections");
    await app.browser.$('[data-testid="connection-row"] a').click();
    await window.see("connection-name");
  },
  outbound: async () => {
    await window.click("status-outbound");
    await window.see("outbound-host");
  },
};

/** What the README shows: some runs, one that a person answers, one that faulted. */
const ORDERS = [
  { id: "ord-1002", customer: "Grace Hopper", items: [{ sku: "chair-oak", quantity: 1, price: 249 }] },
  { id: "ord-1003", customer: "Alan Turing", items: [{ sku: "mug-blue", quantity: 2, price: 12.5 }] },
  { id: "ord-1004", customer: "Edsger Dijkstra", items: [{ sku: "tea-green", quantity: 6, price: 4.9 }] },
  { id: "ord-1005", customer: "Barbara Liskov", items: [{ sku: "kettle-steel", quantity: 1, price: 59 }] },
];
const PRICES = `document: {dsl: 1.0.3, namespace: samples, name: price-list, version: 1.0.0, title: Price list}
do:
  - fetchPrices: {call: http, with: {method: get, endpoint: 'http://warehouse.example/price-list'}}
`;
const APPROVAL = `document: {dsl: 1.0.3, namespace: samples, name: large-order, version: 1.0.0, title: Large order}
do:
  - approve:
      listen: {to: {one: {with: {type: io.mastra.approval.v1}}}}
      metadata: {mastra.io/person: {title: 'Ship \${ .id }?'}}
`;

/** Of the pixels, numbers and times left out: letters differ a little between machines, a part that is gone differs more. */
const DIFFERENT_SHARE_MAX = 0.003;

let app;
let window;

before(async () => {
  await mkdir(ARTIFACTS, { recursive: true });
  app = await openApp();
  window = new Window(app.browser);
  await app.browser.setWindowSize(1440, 900);
  await window.click("run-orders");
  await window.reads("run-status", /Completed/);
  const documents = await window.command("documents_list", {});
  const morning = documents.find((document) => document.name === "every-morning");
  await ended(await window.command("run_start", { documentId: morning.id, input: "{}" }));
  const orders = documents.find((document) => document.name === "orders");
  for (const order of ORDERS) {
    await ended(await window.command("run_start", { documentId: orders.id, input: JSON.stringify(order) }));
  }
  const prices = await window.command("document_create", { kind: "workflow", text: PRICES });
  await ended(await window.command("run_start", { documentId: prices.id, input: '{"id": "2026-11"}' }));
  const approval = await window.command("document_create", { kind: "workflow", text: APPROVAL });
  await window.command("run_start", { documentId: approval.id, input: '{"id": "ord-1006"}' });
  await window.command("connection_save", { name: "reports", kind: "sqlite", settings: { path: "reports.db" } });
  await window.reads("nav-tasks", /1 wait/);
});

after(() => app?.close());

async function ended({ id }) {
  await app.browser.waitUntil(async () => (await window.command("run_get", { id })).summary.endedAt !== null, {
    timeout: 20_000,
    timeoutMsg: `run ${id} does not end`,
  });
}

test("axe finds nothing on any page, light and dark", async () => {
  for (const [page, open] of Object.entries(PAGES)) {
    await open();
    assert.deepEqual(await violationsIn(app.browser, ["light", "dark"]), [], page);
  }
});

test("the front page looks as the README shows it", async () => {
  await window.go("home");
  await window.theme("light");
  await window.see("attention");
  const taken = await app.browser.saveScreenshot(`${ARTIFACTS}home-light.png`);
  const file = `${SCREENS}home-light.png`;
  if (process.env.UPDATE === "1") {
    await mkdir(SCREENS, { recursive: true });
    await writeFile(file, taken);
  }
  const shown = await readFile(file);
  const figures = await figuresOf();
  const share = differentShare(shown, taken, figures);
  assert.ok(share <= DIFFERENT_SHARE_MAX, `${percent(share)} of the page differs; look at ${ARTIFACTS}home-light.png`);

  for (const { place, name } of await cards()) {
    const without = await withoutCard(place, () => app.browser.saveScreenshot(`${ARTIFACTS}home-without.png`));
    const share = differentShare(shown, without, figures);
    assert.ok(share > DIFFERENT_SHARE_MAX, `the picture would not tell that ${name} is gone: ${percent(share)} differs`);
  }
});

const percent = (share) => `${(share * 100).toFixed(2)} %`;

/** The share of pixels that differ between two pictures, without what is under the rectangles. */
function differentShare(one, other, rectangles) {
  const pictures = [one, other].map((bytes) => PNG.sync.read(bytes));
  const [{ width, height }, second] = pictures;
  assert.deepEqual([second.width, second.height], [width, height], "the size changed");
  for (const { data } of pictures) {
    for (const { left, top, right, bottom } of rectangles) {
      for (let y = Math.max(0, top); y < Math.min(height, bottom); y += 1) {
        data.fill(0, (y * width + Math.max(0, left)) * 4, (y * width + Math.min(width, right)) * 4);
      }
    }
  }
  return pixelmatch(pictures[0].data, pictures[1].data, null, width, height, { threshold: 0.1 }) / (width * height);
}

/** Where there are numbers, times and what is drawn of them: they differ from run to run, and so does their width. */
function figuresOf() {
  return app.browser.execute(() => {
    const AROUND = { x: 24, y: 2 };
    const drawn = [...document.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().width > 30);
    const told = document.querySelectorAll(".num, [data-testid=attention] p.text-xs, [data-testid=workflows-card] p");
    return [...drawn, ...told].map((part) => {
      const { left, top, right, bottom } = part.getBoundingClientRect();
      return {
        left: Math.floor(left - AROUND.x),
        top: Math.floor(top - AROUND.y),
        right: Math.ceil(right + AROUND.x),
        bottom: Math.ceil(bottom + AROUND.y),
      };
    });
  });
}

/** The cards that are wholly on the screen, by their place among all. */
function cards() {
  return app.browser.execute(() =>
    [...document.querySelectorAll("main section")].flatMap((card, place) => {
      const name = card.querySelector("h2")?.textContent ?? card.dataset.testid;
      return card.getBoundingClientRect().bottom < window.innerHeight ? [{ place, name }] : [];
    }),
  );
}

async function withoutCard(place, look) {
  const show = (display) =>
    app.browser.execute(
      (place, display) => {
        document.querySelectorAll("main section")[place].style.display = display;
      },
      place,
      display,
    );
  await show("none");
  await window.settle();
  const seen = await look();
  await show("");
  return seen;
}

test("a dialog shows all that it holds", async () => {
  await window.go("runs");
  await window.click("run-row");
  await window.click("run-replay");
  await window.see("replay-input");
  assert.deepEqual(await cutOff("replay-dialog"), []);
  await app.browser.keys("Escape");
  await window.go("workflows");
  await window.click("workflow-new");
  await window.see("new-title");
  assert.deepEqual(await cutOff("new-dialog"), []);
  await app.browser.keys("Escape");
});

/** Parts of a dialog that hold more than they show, though the screen has room for them. */
function cutOff(testid) {
  return app.browser.execute((id) => {
    const dialog = document.querySelector(`[data-testid="${id}"]`);
    if (dialog.clientHeight > window.innerHeight * 0.85) return [];
    return [...dialog.children]
      .filter((part) => part.scrollHeight > part.clientHeight + 1)
      .map((part) => `${part.tagName} shows ${part.clientHeight} of ${part.scrollHeight} px`);
  }, testid);
}
