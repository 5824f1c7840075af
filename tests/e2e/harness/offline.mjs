// A test file run once more in a network namespace of its own, where there is nothing but loopback: the window, its
// driver and the test that drives it are all inside.
import { spawnSync } from "node:child_process";

import { Child } from "./process.mjs";

const INSIDE = "MASTRA_E2E_OFFLINE";
// Others than root may be root of a namespace, where the system lets them.
const UNSHARE = process.getuid() === 0 ? ["--net"] : ["--map-root-user", "--net"];
const WITH_LOOPBACK = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"];

/** Whether this process runs inside. */
export const isOffline = process.env[INSIDE] === "1";

/** Why this machine can't have such a namespace, if so. */
export function withoutNamespace() {
  const tried = spawnSync("unshare", [...UNSHARE, ...WITH_LOOPBACK, "true"], { encoding: "utf8" });
  if (tried.status === 0) return undefined;
  return `no network namespace can be had: ${tried.error?.message ?? tried.stderr.trim()}`;
}

/** Runs the tests of the file inside; the child's exit code says how they went. */
export function runOffline(file) {
  const env = { ...process.env, [INSIDE]: "1" };
  // It reports for itself.
  delete env.NODE_TEST_CONTEXT;
  return new Child("unshare", [...UNSHARE, ...WITH_LOOPBACK, process.execPath, file], { env });
}
