// The tray of a desktop without its pixels: where icons register, and a menu as a panel would show it.
import { Bus } from "./dbus.mjs";

const WATCHER = "org.kde.StatusNotifierWatcher";
const ITEM = "org.kde.StatusNotifierItem";
const MENU = "com.canonical.dbusmenu";
const REGISTERED_WITHIN_MS = 60_000;
const PROPERTIES = { IsStatusNotifierHostRegistered: { type: "b", value: true }, ProtocolVersion: { type: "i", value: 0 } };

/** Owns the tray of the bus at this address. */
export async function openTray(address) {
  const bus = await Bus.open(address);
  let register;
  const registered = new Promise((resolve, reject) => {
    register = resolve;
    setTimeout(() => reject(new Error("no icon was registered")), REGISTERED_WITHIN_MS).unref();
  });
  registered.catch(() => {}); // Whoever asks for the icon gets the error.
  bus.serve("/StatusNotifierWatcher", (_, member, [first, second], sender) => {
    if (member === "Get") return ["v", [PROPERTIES[second]]];
    if (member === "GetAll") return ["a{sv}", [Object.entries(PROPERTIES)]];
    // What an icon gives is a bus name, or a path on its own connection.
    if (member === "RegisterStatusNotifierItem") register(first.startsWith("/") ? [sender, first] : [first, "/StatusNotifierItem"]);
    return member.startsWith("Register") ? ["", []] : null;
  });
  await bus.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", [WATCHER, 0]);
  return new Tray(bus, registered);
}

class Tray {
  #bus;
  #registered;

  constructor(bus, registered) {
    this.#bus = bus;
    this.#registered = registered;
  }

  close() {
    this.#bus.close();
  }

  /** A property of the first icon that registered. */
  async property(name) {
    const [owner, path] = await this.#registered;
    const [value] = await this.#bus.call(owner, path, "org.freedesktop.DBus.Properties", "Get", "ss", [ITEM, name]);
    return value;
  }

  /** The entries that are shown: number, label without its mark, whether it can be chosen. */
  async entries() {
    const [, [, , entries]] = await this.#menu("GetLayout", "iias", [0, -1, []]);
    return entries
      .map(([number, properties]) => ({
        number,
        label: (properties.get("label") ?? "").replace("_", ""),
        enabled: properties.get("enabled") ?? true,
        shown: properties.get("visible") ?? true,
      }))
      .filter(({ label, shown }) => shown && label !== "");
  }

  async click(label) {
    const entries = await this.entries();
    const entry = entries.find((known) => known.label === label);
    if (!entry) throw new Error(`the menu has no ${label}, only ${entries.map((known) => known.label).join(", ")}`);
    await this.#menu("Event", "isvu", [entry.number, "clicked", { type: "i", value: 0 }, 0]);
  }

  async #menu(member, signature, values) {
    const [owner] = await this.#registered;
    return this.#bus.call(owner, await this.property("Menu"), MENU, member, signature, values);
  }
}
