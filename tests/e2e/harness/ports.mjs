// Ports of this machine's loopback address.
import { once } from "node:events";
import { connect, createServer } from "node:net";

const ATTEMPTS_MAX = 200;
const ATTEMPT_EVERY_MS = 50;

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until somebody listens there. */
export async function answers(port) {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const socket = connect(port, "127.0.0.1");
    const open = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, ATTEMPT_EVERY_MS));
  }
  throw new Error(`nobody opened port ${port}`);
}
