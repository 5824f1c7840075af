// A private Podman service for one test, the one that the Rust tests use.
import { once } from "node:events";
import { request } from "node:http";

import { Child } from "./process.mjs";

/** The service's socket, and `close` for its end; or the reason why this machine can't have one. */
export async function openPodman() {
  const program = process.env.MASTRA_TEST_PODMAN;
  if (!program) return { reason: "MASTRA_TEST_PODMAN is not set; run `cargo xtask test --only window`" };
  const service = new Child(program, [], { stdio: ["pipe", "pipe", "pipe"] });
  const [, socket, reason] = await service.says(/^(?:socket (\S+)|none (.+))$/m, 60_000);
  if (reason) return { reason };
  return {
    socket,
    /** The folder of its one volume. */
    async volume() {
      const { Volumes: volumes } = await get(socket, "/v1.40/volumes");
      if (volumes.length !== 1) throw new Error(`there is not one volume but ${volumes.length}`);
      return volumes[0].Mountpoint;
    },
    async close() {
      service.process.stdin.end();
      await service.ended;
    },
  };
}

async function get(socketPath, path) {
  const asked = request({ socketPath, path }).end();
  const [answer] = await once(asked, "response");
  const chunks = await answer.toArray();
  return JSON.parse(Buffer.concat(chunks).toString());
}
