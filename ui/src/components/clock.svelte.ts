//! One clock for everything that ages on screen. It ticks once a second while somebody looks.
import { createSubscriber } from "svelte/reactivity";

let value = Date.now();

const subscribe = createSubscriber((update) => {
  const timer = setInterval(() => {
    value = Date.now();
    update();
  }, 1000);
  return () => clearInterval(timer);
});

/** Now, in milliseconds; whoever reads it is drawn anew each second. */
export function now(): number {
  subscribe();
  return Math.max(value, Date.now() - 1000);
}
