//! Data that is read from the shell, kept while it is read again, and shown with its age when reading fails.
import type { ErrorView } from "./bindings";
import { answered } from "./answered";
import { viewOf } from "./failure";

export class Resource<T> {
  data = $state.raw<T | undefined>(undefined);
  error = $state.raw<ErrorView | null>(null);
  /** When `data` was read, in milliseconds since 1970. */
  at = $state<number | null>(null);
  busy = $state(false);

  #load: () => Promise<T>;
  #again = false;
  #running: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastAt = 0;
  #epoch = 0;
  #asked: Promise<T> | null = null;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** Reads now. A call while a read is under way reads once more after it. */
  reload(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#read().finally(() => (this.#running = null));
    return this.#running;
  }

  /** Reads soon: at most once in `everyMs`, however often it is called. */
  reloadSoon(everyMs = 250): void {
    if (this.#timer !== undefined) return;
    const wait = Math.max(0, this.#lastAt + everyMs - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.reload();
    }, wait);
  }

  /** Puts a value that an event or a command brought. */
  put(data: T): void {
    this.data = data;
    this.error = null;
    this.at = Date.now();
  }

  /** Forgets everything, so that the next read starts from a skeleton. */
  clear(): void {
    this.#epoch += 1;
    this.data = undefined;
    this.error = null;
    this.at = null;
  }

  async #read(): Promise<void> {
    this.busy = true;
    do {
      this.#again = false;
      this.#lastAt = Date.now();
      const epoch = this.#epoch;
      try {
        await answered(this.#ask(epoch));
      } catch (thrown) {
        if (epoch === this.#epoch) this.error = viewOf(thrown);
      }
    } while (this.#again);
    this.busy = false;
  }

  /** Asks and takes the answer, also one that comes after the wait was given up, unless it was asked again since. */
  async #ask(epoch: number): Promise<void> {
    const asked = this.#load();
    this.#asked = asked;
    const data = await asked;
    if (epoch === this.#epoch && asked === this.#asked) this.put(data);
  }
}
