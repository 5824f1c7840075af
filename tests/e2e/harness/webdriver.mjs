// A browser, or a window that is one, at the driver that listens on a port.
import { remote } from "webdriverio";

/** Begins a session; one attempt, since the driver answers already. */
export const browse = (port, capabilities) =>
  remote({
    hostname: "127.0.0.1",
    port,
    logLevel: "error",
    connectionRetryCount: 0,
    capabilities: { "wdio:enforceWebDriverClassic": true, ...capabilities },
  });
