// What the X server itself says of the app's window, and what a window manager would tell it.
import { once } from "node:events";
import { connect } from "node:net";

const OPCODES = { getWindowAttributes: 3, getGeometry: 14, queryTree: 15, internAtom: 16, getProperty: 20, sendEvent: 25, getInputFocus: 43 };
const ATOM = 4;
const WINDOW = 33;
const VIEWABLE = 2;
const CLIENT_MESSAGE = 33;
const ICONIC = 3;
/** Whoever manages windows hears what is sent to the root with these. */
const SUBSTRUCTURE = 0x180000;
const MANAGED_WITHIN_MS = 20_000;

/** A connection to the private display; `display` is such as `:7`. */
export class X11 {
  #socket;
  #received = Buffer.alloc(0);
  #root;

  static async open(display) {
    const x11 = new X11();
    x11.#socket = connect(`/tmp/.X11-unix/X${display.slice(1)}`);
    x11.#socket.on("data", (chunk) => {
      x11.#received = Buffer.concat([x11.#received, chunk]);
      x11.#socket.emit("more");
    });
    await once(x11.#socket, "connect");
    const hello = Buffer.alloc(12);
    hello.write("l", "latin1");
    hello.writeUInt16LE(11, 2);
    x11.#socket.write(hello);
    const head = await x11.#take(8);
    if (head[0] !== 1) throw new Error("the X server refused the connection");
    const rest = await x11.#take(head.readUInt16LE(6) * 4);
    const [vendor, formats] = [rest.readUInt16LE(16), rest[21]];
    x11.#root = rest.readUInt32LE(32 + Math.ceil(vendor / 4) * 4 + formats * 8);
    return x11;
  }

  /** Waits until something manages the windows of the display. */
  static async managed(display) {
    const x11 = await X11.open(display);
    try {
      const until = Date.now() + MANAGED_WITHIN_MS;
      while ((await x11.#rootWindow("_NET_SUPPORTING_WM_CHECK")) === 0) {
        if (Date.now() > until) throw new Error("nothing manages the windows of the display");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } finally {
      x11.close();
    }
  }

  close() {
    this.#socket.destroy();
  }

  /** The window that can be closed by its frame: the app has one. */
  async appWindow() {
    const protocols = await this.#atom("WM_PROTOCOLS");
    // A window manager puts it into a frame.
    for (const top of await this.#children(this.#root)) {
      for (const window of [top, ...(await this.#children(top))]) {
        const property = await this.#property(window, protocols, ATOM);
        if (property.readUInt32LE(16) > 0 && (await this.#isAppSized(window))) return window;
      }
    }
    throw new Error("no window of the app is on the display");
  }

  /** The window that has the person's attention, where windows are managed. */
  activeWindow() {
    return this.#rootWindow("_NET_ACTIVE_WINDOW");
  }

  async isShown(window) {
    const attributes = await this.#ask(OPCODES.getWindowAttributes, 0, [window]);
    return attributes[26] === VIEWABLE;
  }

  /** What the frame's close button does. */
  async askToClose(window) {
    const [protocols, close] = [await this.#atom("WM_PROTOCOLS"), await this.#atom("WM_DELETE_WINDOW")];
    await this.#tell(window, 0, window, protocols, close);
  }

  /** What the frame's minimise button does, where windows are managed. */
  async minimize(window) {
    await this.#tell(this.#root, SUBSTRUCTURE, window, await this.#atom("WM_CHANGE_STATE"), ICONIC);
  }

  /** A message about a window, delivered when this comes back. */
  async #tell(receiver, mask, window, type, value) {
    const event = Buffer.alloc(32);
    event[0] = CLIENT_MESSAGE;
    event[1] = 32;
    event.writeUInt32LE(window, 4);
    event.writeUInt32LE(type, 8);
    event.writeUInt32LE(value, 12);
    this.#send(OPCODES.sendEvent, 0, [receiver, mask], event);
    // An answer to anything behind it says that it was delivered.
    await this.#ask(OPCODES.getInputFocus, 0, []);
  }

  async #children(window) {
    const tree = await this.#ask(OPCODES.queryTree, 0, [window]);
    return Array.from({ length: tree.readUInt16LE(16) }, (_, index) => tree.readUInt32LE(32 + index * 4));
  }

  #property(window, name, type) {
    return this.#ask(OPCODES.getProperty, 0, [window, name, type, 0, 8]);
  }

  /** The window that a property of the root names, or 0. */
  async #rootWindow(name) {
    const property = await this.#property(this.#root, await this.#atom(name), WINDOW);
    return property.readUInt32LE(16) > 0 ? property.readUInt32LE(32) : 0;
  }

  /** Toolkits keep small helper windows beside the real one. */
  async #isAppSized(window) {
    const geometry = await this.#ask(OPCODES.getGeometry, 0, [window]);
    return geometry.readUInt16LE(16) > 400;
  }

  async #atom(name) {
    const text = Buffer.alloc(Math.ceil(name.length / 4) * 4);
    text.write(name, "latin1");
    const length = Buffer.alloc(4);
    length.writeUInt16LE(name.length);
    const answer = await this.#ask(OPCODES.internAtom, 0, [], Buffer.concat([length, text]));
    return answer.readUInt32LE(8);
  }

  #send(opcode, data, words, more = Buffer.alloc(0)) {
    const request = Buffer.alloc(4 + words.length * 4);
    request[0] = opcode;
    request[1] = data;
    request.writeUInt16LE((request.length + more.length) / 4, 2);
    words.forEach((word, index) => request.writeUInt32LE(word, 4 + index * 4));
    this.#socket.write(Buffer.concat([request, more]));
  }

  async #ask(opcode, data, words, more) {
    this.#send(opcode, data, words, more);
    const head = await this.#take(32);
    if (head[0] === 0) throw new Error(`the X server refused request ${opcode} with error ${head[1]}`);
    if (head[0] !== 1) throw new Error(`the X server sent event ${head[0]}, which nobody asked for`);
    return Buffer.concat([head, await this.#take(head.readUInt32LE(4) * 4)]);
  }

  async #take(bytes) {
    while (this.#received.length < bytes) await once(this.#socket, "more");
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }
}
