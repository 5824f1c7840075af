// The session bus of the private desktop: calls, answers, and objects of our own. Little-endian, no descriptors.
import { once } from "node:events";
import { connect } from "node:net";

const [CALL, RETURN, ERROR] = [1, 2, 3];
const FIELDS = { path: 1, interface: 2, member: 3, error: 4, replyTo: 5, destination: 6, sender: 7, signature: 8 };
const FIELD_TYPES = { 1: "o", 2: "s", 3: "s", 4: "s", 5: "u", 6: "s", 7: "s", 8: "g" };
const ALIGNED = { y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, s: 4, o: 4, a: 4, x: 8, t: 8, d: 8, "(": 8, "{": 8 };

/** The complete types of a signature: "ia{sv}" is "i" and "a{sv}". */
export function typesOf(signature) {
  const types = [];
  for (let at = 0; at < signature.length; ) {
    let end = at;
    while (signature[end] === "a") end += 1;
    let depth = 0;
    do {
      if ("({".includes(signature[end])) depth += 1;
      if (")}".includes(signature[end])) depth -= 1;
      end += 1;
    } while (depth > 0);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

class Writer {
  #bytes = [];

  get bytes() {
    return Buffer.from(this.#bytes);
  }

  align(to) {
    while (this.#bytes.length % to !== 0) this.#bytes.push(0);
  }

  write(type, value) {
    this.align(ALIGNED[type[0]]);
    switch (type[0]) {
      case "y":
        return this.#bytes.push(value);
      case "b":
      case "i":
      case "u":
        return this.#number(Number(value));
      case "s":
      case "o":
        this.#number(Buffer.byteLength(value));
        return this.#text(value);
      case "g":
        this.#bytes.push(value.length);
        return this.#text(value);
      case "v":
        this.write("g", value.type);
        return this.write(value.type, value.value);
      case "a": {
        const start = this.#bytes.length;
        this.#number(0);
        this.align(ALIGNED[type[1]]);
        const first = this.#bytes.length;
        for (const item of value) this.write(type.slice(1), item);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(this.#bytes.length - first);
        this.#bytes.splice(start, 4, ...length);
        return undefined;
      }
      case "(":
      case "{":
        return typesOf(type.slice(1, -1)).forEach((inner, index) => this.write(inner, value[index]));
      default:
        throw new Error(`the type ${type} can't be written`);
    }
  }

  #number(value) {
    const four = Buffer.alloc(4);
    four.writeUInt32LE(value >>> 0);
    this.#bytes.push(...four);
  }

  #text(value) {
    this.#bytes.push(...Buffer.from(value), 0);
  }
}

class Reader {
  at = 0;

  constructor(bytes) {
    this.bytes = bytes;
  }

  align(to) {
    this.at = Math.ceil(this.at / to) * to;
  }

  /** Numbers, texts, lists; a dictionary is a `Map`, a variant is its value. */
  read(type) {
    this.align(ALIGNED[type[0]]);
    const from = this.at;
    const take = (bytes, value) => {
      this.at = from + bytes;
      return value;
    };
    switch (type[0]) {
      case "y":
        return take(1, this.bytes[from]);
      case "b":
        return take(4, this.bytes.readUInt32LE(from) === 1);
      case "n":
        return take(2, this.bytes.readInt16LE(from));
      case "q":
        return take(2, this.bytes.readUInt16LE(from));
      case "i":
        return take(4, this.bytes.readInt32LE(from));
      case "u":
        return take(4, this.bytes.readUInt32LE(from));
      case "x":
      case "t":
        return take(8, this.bytes.readBigInt64LE(from));
      case "d":
        return take(8, this.bytes.readDoubleLE(from));
      case "s":
      case "o": {
        const length = this.bytes.readUInt32LE(from);
        return take(length + 5, this.bytes.toString("utf8", from + 4, from + 4 + length));
      }
      case "g": {
        const length = this.bytes[from];
        return take(length + 2, this.bytes.toString("latin1", from + 1, from + 1 + length));
      }
      case "v":
        return this.read(this.read("g"));
      case "a": {
        const length = this.bytes.readUInt32LE(from);
        this.at = from + 4;
        this.align(ALIGNED[type[1]]);
        const [items, end] = [[], this.at + length];
        while (this.at < end) items.push(this.read(type.slice(1)));
        return type[1] === "{" ? new Map(items) : items;
      }
      default:
        return typesOf(type.slice(1, -1)).map((inner) => this.read(inner));
    }
  }
}

/** A connection to a bus whose address is such as `unix:path=/tmp/bus,guid=1`. */
export class Bus {
  #socket;
  #received = Buffer.alloc(0);
  #serial = 0;
  #waiting = new Map();
  #objects = new Map();

  static async open(address) {
    const bus = new Bus();
    const [, kind, path] = /^unix:(path|abstract)=([^,]+)/.exec(address);
    bus.#socket = connect(kind === "path" ? path : `\0${path}`);
    await once(bus.#socket, "connect");
    bus.#socket.write(`\0AUTH EXTERNAL ${Buffer.from(`${process.getuid()}`).toString("hex")}\r\n`);
    const [answer] = await once(bus.#socket, "data");
    if (!answer.toString().startsWith("OK")) throw new Error(`the bus says ${answer}`);
    bus.#socket.write("BEGIN\r\n");
    bus.#socket.on("data", (chunk) => bus.#take(chunk));
    await bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello");
    return bus;
  }

  close() {
    this.#socket.destroy();
  }

  /** Answers calls to a path: `handler(interface, member, body, sender)` gives `[signature, values]`. */
  serve(path, handler) {
    this.#objects.set(path, handler);
  }

  /** The values of the answer. */
  call(destination, path, iface, member, signature = "", values = []) {
    const fields = [["path", path], ["interface", iface], ["member", member], ["destination", destination]];
    return new Promise((resolve, reject) => {
      this.#waiting.set(this.#send(CALL, fields, signature, values), { resolve, reject });
    });
  }

  #send(type, fields, signature, values) {
    const body = new Writer();
    typesOf(signature).forEach((inner, index) => body.write(inner, values[index]));
    const all = signature ? [...fields, ["signature", signature]] : fields;
    const head = new Writer();
    this.#serial += 1;
    for (const byte of [0x6c, type, 0, 1]) head.write("y", byte);
    head.write("u", body.bytes.length);
    head.write("u", this.#serial);
    head.write("a(yv)", all.map(([name, value]) => [FIELDS[name], { type: FIELD_TYPES[FIELDS[name]], value }]));
    head.align(8);
    this.#socket.write(Buffer.concat([head.bytes, body.bytes]));
    return this.#serial;
  }

  #take(chunk) {
    this.#received = Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 16) {
      const fieldsLength = this.#received.readUInt32LE(12);
      const start = Math.ceil((16 + fieldsLength) / 8) * 8;
      const end = start + this.#received.readUInt32LE(4);
      if (this.#received.length < end) return;
      const message = this.#received.subarray(0, end);
      this.#received = this.#received.subarray(end);
      this.#handle(message, start);
    }
  }

  #handle(message, start) {
    const head = new Reader(message);
    head.at = 12;
    const fields = new Map(head.read("a(yv)"));
    const body = new Reader(message.subarray(start));
    const values = typesOf(fields.get(FIELDS.signature) ?? "").map((type) => body.read(type));
    const type = message[1];
    if (type === RETURN || type === ERROR) {
      const waiting = this.#waiting.get(fields.get(FIELDS.replyTo));
      this.#waiting.delete(fields.get(FIELDS.replyTo));
      if (type === RETURN) waiting?.resolve(values);
      else waiting?.reject(new Error(`${fields.get(FIELDS.error)}: ${values[0] ?? ""}`));
    } else if (type === CALL) {
      const sender = fields.get(FIELDS.sender);
      const handler = this.#objects.get(fields.get(FIELDS.path));
      const answer = handler?.(fields.get(FIELDS.interface), fields.get(FIELDS.member), values, sender);
      const back = [["replyTo", message.readUInt32LE(8)], ["destination", sender]];
      if (answer) this.#send(RETURN, back, ...answer);
      else this.#send(ERROR, [...back, ["error", "org.freedesktop.DBus.Error.UnknownMethod"]], "", []);
    }
  }
}
