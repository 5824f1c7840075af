//! Connections of the fake, with the two kinds that the product has.
import type { Connection, ConnectionReport } from "../bindings";
import { emitter } from "./emitter";
import type { Handlers } from "./handlers";
import { failure, type World } from "./world";

type Part = Pick<Handlers, "connectionKinds" | "connectionsList" | "connectionSave" | "connectionCheck" | "connectionDelete" | "connectionRestore">;

const KINDS = [
  {
    kind: "postgres",
    title: "PostgreSQL",
    description: "Read, write and upsert rows in a PostgreSQL database.",
    secretLabel: "Password",
    schema: {
      type: "object",
      required: ["host", "database", "user"],
      properties: {
        host: { type: "string", title: "Host", description: "A name or an address, without the port." },
        port: { type: "integer", title: "Port", default: 5432, minimum: 1, maximum: 65535 },
        database: { type: "string", title: "Database" },
        user: { type: "string", title: "User" },
        sslMode: { enum: ["disable", "prefer", "require", "verify-full"], default: "prefer", title: "Encryption", description: "verify-full also checks that the server is the one it says it is." },
        rootCertificate: { type: "string", title: "Root certificate", description: "PEM text of a private authority; public ones are known." },
      },
    },
  },
  {
    kind: "sqlite",
    title: "SQLite",
    description: "Tables in one file in the data folder.",
    secretLabel: null,
    schema: { type: "object", required: ["path"], properties: { path: { type: "string", title: "File", description: "In the data folder.", default: "tables.db" } } },
  },
];

export function connectionHandlers(world: World): Part {
  const changed = (id: string) => emitter.emit("connectionsChanged", { ids: [id] });
  return {
    connectionKinds: () => KINDS,
    connectionsList: () => [...world.connections.values()],
    connectionSave: ({ id, name, kind, settings, secret }) => {
      if (secret && world.vault.state !== "ready") throw failure("MD-504", "Secrets need the passphrase", "There is no keychain on this computer.");
      const taken = [...world.connections.values()].some((known) => known.name === name && known.id !== id);
      if (taken) throw failure("MD-211", "A parameter has a value that can't be used", `There is already a connection named ${name}.`, { value: name, hint: "Choose another name." });
      const old = id ? world.connections.get(id) : undefined;
      const saved: Connection = {
        id: id ?? world.id("con"),
        name,
        kind,
        place: placeOf(settings),
        settings,
        revision: (old?.revision ?? 0) + 1,
        hasSecret: Boolean(secret) || (old?.hasSecret ?? false),
        state: "unchecked",
        checkedAt: null,
        latencyMs: null,
        error: null,
        usedBy: old?.usedBy ?? [],
      };
      world.connections.set(saved.id, saved);
      changed(saved.id);
      return saved;
    },
    connectionCheck: ({ id, kind, settings }) => {
      const report = check(kind, settings);
      const saved = id ? world.connections.get(id) : undefined;
      if (saved) {
        Object.assign(saved, { state: report.healthy ? "healthy" : "failing", checkedAt: new Date().toISOString(), latencyMs: report.healthy ? 6 : null, error: report.healthy ? null : saved.error });
        changed(saved.id);
      }
      return report;
    },
    connectionDelete: ({ id }) => {
      const found = world.connections.get(id);
      if (found) world.trash.set(id, found);
      world.connections.delete(id);
      changed(id);
      return { undoToken: id };
    },
    connectionRestore: ({ undoToken }) => {
      const found = world.trash.get(undoToken) as Connection;
      world.connections.set(undoToken, found);
      changed(undoToken);
      return found;
    },
  };
}

function placeOf(settings: unknown): string {
  const fields = settings as Record<string, string | number>;
  return fields["host"] ? `${fields["host"]}:${fields["port"] ?? 5432}/${fields["database"] ?? ""}` : String(fields["path"] ?? "");
}

function check(kind: string, settings: unknown): ConnectionReport {
  if (kind === "sqlite") {
    return { healthy: true, steps: [{ name: "Open the file", status: "ok", detail: placeOf(settings), tookMs: 1 }, { name: "Write and read back", status: "ok", detail: "one row in a temporary table", tookMs: 2 }] };
  }
  const host = String((settings as Record<string, unknown>)["host"] ?? "");
  const refused = host.includes("example");
  return {
    healthy: !refused,
    steps: [
      { name: "Find the host", status: "ok", detail: `${host} is 192.0.2.10`, tookMs: 12 },
      { name: "Connect", status: "ok", detail: "TLS 1.3, certificate matches", tookMs: 31 },
      { name: "Sign in", status: refused ? "failed" : "ok", detail: refused ? "The password was refused." : "as the given user", tookMs: 9 },
      { name: "Ask for the version", status: refused ? "skipped" : "ok", detail: refused ? "" : "PostgreSQL 17.2", tookMs: refused ? null : 3 },
    ],
  };
}
