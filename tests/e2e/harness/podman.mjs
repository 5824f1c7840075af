// A private Podman service for one test, the one that the Rust tests use.
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
    async close() {
      service.process.stdin.end();
      await service.ended;
    },
  };
}
