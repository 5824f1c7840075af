// How long a person waits for the first thing to do: from the load of the window's page until Orders can be run, in as
// many fresh workspaces as the argument says. Prints what `runnable` gave each time as one line of JSON.
import { openApp } from "../harness/app.mjs";
import { Window } from "../pages/window.mjs";

const rounds = Number(process.argv[2] ?? 5);
const times = [];
for (let round = 0; round < rounds; round += 1) {
  const app = await openApp();
  try {
    times.push(await new Window(app.browser).runnable());
  } finally {
    await app.close();
  }
}
console.log(JSON.stringify(times));
