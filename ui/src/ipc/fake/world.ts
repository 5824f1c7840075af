//! The state of the fake agent and shell: documents, runs, connections, dead letters, settings.
import type {
  CompensationView,
  Connection,
  DeadLetter,
  DocumentSummary,
  ErrorView,
  Feed,
  OutboundHost,
  PersonTask,
  Pin,
  RunStatus,
  RunSummary,
  RuntimeStatus,
  Settings,
  SwitchProgress,
  VaultStatusView,
} from "../bindings";
import { Failure } from "../failure";
import { emitter, type Scene } from "./emitter";
import { peopleOf } from "./people";
import { REFUSED } from "./runs";
import { FOLDER, MORNING, ORDERS } from "./texts";

const iso = (ms: number) => new Date(ms).toISOString();

export interface StoredDocument {
  summary: DocumentSummary;
  text: string;
}

export function failure(code: string, title: string, detail: string, more: Partial<ErrorView> = {}): Failure {
  return new Failure({ code, title, detail, value: null, hint: null, kept: null, ...more });
}

/** A value of the document's head, on lines of their own or all on one. */
export function headOf(text: string, key: string): string {
  const own = new RegExp(`^  ${key}: "?([^"\\n]+)"?$`, "m").exec(text)?.[1];
  return own ?? new RegExp(`^document: \\{.*\\b${key}: ["']?([^"',}]+)`, "m").exec(text)?.[1]?.trim() ?? "";
}

/** A small seeded generator, so that every start shows the same figures. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 4294967296;
    return state / 4294967296;
  };
}

export class World {
  documents = new Map<string, StoredDocument>();
  runs: RunSummary[] = [];
  connections = new Map<string, Connection>();
  deadLetters: DeadLetter[] = [];
  trash = new Map<string, StoredDocument | Connection>();
  feeds: Feed[] = [];
  /** The watched folders that the file manager was asked to show. */
  opened: string[] = [];
  inputs = new Map<string, string>();
  /** How many entries of a run's journal are not kept any more. */
  compacted = new Map<string, number>();
  /** How many entries of a run's journal are before those of its timeline. */
  omitted = new Map<string, number>();
  people: PersonTask[] = [];
  /** The answers that were given, as JSON texts. */
  answers = new Map<string, string>();
  /** The pins that the last test used. */
  tested: string[] = [];
  pins = new Map<string, Pin[]>();
  /** What may run on this computer, by `namespace/name`. */
  permissions = new Map<string, { digests: string[]; allowedAt: string }>();
  compensations = new Map<string, CompensationView>();
  vault: VaultStatusView = { store: "keychain", state: "ready", detail: null };
  settings: Settings = {
    theme: "system",
    keepRunning: true,
    durability: "full",
    singleKeys: true,
    firstStepsHidden: false,
    runtimeMode: "native",
  };
  outbound: OutboundHost[] = [];
  switching: SwitchProgress | null = null;
  runtime: RuntimeStatus;
  #next = 20500;
  #ended = false;

  constructor(readonly scene: Scene) {
    this.runtime = this.#runtime();
    this.#seedDocuments();
    this.#seedConnections();
    if (scene !== "empty") this.#seedRuns();
    if (scene !== "empty") this.#seedDeadLetters();
    if (scene !== "empty") this.outbound = called();
    if (scene !== "empty") this.people = peopleOf(this.runs);
    this.refreshFigures();
  }

  /** Nothing is told any more: another world has begun. */
  end(): void {
    this.#ended = true;
    this.switching = null;
  }

  /** What the fake waits before it answers. */
  answerTime(): Promise<void> {
    const ms = this.scene === "slow" ? 100_000 : 0;
    return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Throws when the agent is away, as every command that needs it does. */
  needAgent(): void {
    if (this.runtime.phase === "failed" || this.runtime.phase === "stopped") {
      throw failure("MD-502", "The agent does not answer", "flame-agent stopped 3 times within a minute.", {
        kept: "Your workflows are safe on disk.",
        hint: "Restart the agent.",
      });
    }
  }

  id(prefix: string): string {
    this.#next += 1;
    return `${prefix}-${this.#next}`;
  }

  document(id: string): StoredDocument {
    const found = this.documents.get(id);
    if (!found) throw failure("MD-201", "There is nothing at this address", `There is no document ${id}.`, { value: id });
    return found;
  }

  run(id: string): RunSummary {
    const found = this.runs.find((run) => run.id === id);
    if (!found) throw failure("MD-201", "There is nothing at this address", `There is no run ${id}.`, { value: id });
    return found;
  }

  refreshFigures(): void {
    this.runtime.runsInFlight = this.runs.filter((run) => run.endedAt === null).length;
    this.runtime.runsWaiting = this.runs.filter((run) => run.status === "waiting").length;
    this.runtime.deadLetters = this.deadLetters.length;
    this.runtime.outboundHosts = this.outbound.length;
    this.runtime.outboundCalls = this.outbound.reduce((sum, host) => sum + host.calls, 0);
    for (const { summary } of this.documents.values()) {
      summary.lastRuns = this.runs
        .filter((run) => run.name === summary.name)
        .slice(0, 20)
        .reverse()
        .map((run) => ({ id: run.id, status: run.status, startedAt: run.createdAt, durationMs: run.durationMs }));
    }
  }

  /** Tells the window that a run moved. */
  tell(run: RunSummary): void {
    if (this.#ended) return;
    this.refreshFigures();
    emitter.emit("runsChanged", { runs: [run], more: false });
    emitter.emit("runEntries", { run: run.id, status: run.status, entries: [] });
    emitter.emit("runtimeStatus", this.runtime);
  }

  #runtime(): RuntimeStatus {
    const down = this.scene === "down";
    return {
      mode: "native",
      phase: down ? "failed" : "ready",
      version: down ? null : "0.1.0",
      address: down ? null : "http://127.0.0.1:41873",
      startedAt: down ? null : iso(Date.now() - 11_520_000),
      readyMs: down ? null : 118,
      restarts: down ? 3 : 0,
      durability: "full",
      fsyncMs: down ? null : 1.9,
      runsInFlight: 0,
      runsWaiting: 0,
      deadLetters: 0,
      outboundHosts: 0,
      outboundCalls: 0,
      memoryBytes: down ? null : 38_200_000,
      memoryLimitBytes: down ? null : 16_600_000_000,
      cpuPercent: down ? null : 8.4,
      cpuCores: 4,
      diskUsedBytes: 1_310_000_000,
      diskFreeBytes: 58_400_000_000,
      lastSeenAt: iso(Date.now() - (down ? 94_000 : 400)),
      error: down
        ? {
            code: "MD-503",
            title: "The agent stopped too often and is not started again",
            detail: "flame-agent stopped 3 times within a minute. The last words were: address in use.",
            value: null,
            hint: "Look at its log, then restart it.",
            kept: "Your workflows are safe on disk.",
          }
        : null,
    };
  }

  addDocument(id: string, text: string, fields: Partial<DocumentSummary>): StoredDocument {
    const named = (key: string) => headOf(text, key);
    const stored: StoredDocument = {
      text,
      summary: {
        id,
        kind: text.startsWith("pipeline:") ? "pipeline" : "workflow",
        namespace: named("namespace"),
        name: named("name"),
        version: named("version"),
        title: named("title") || named("name") || "Untitled",
        summary: named("summary") || null,
        trigger: { kind: "manual", detail: "", nextAt: null },
        revision: 1,
        updatedAt: iso(Date.now() - 240_000),
        deployedVersion: null,
        changed: true,
        problems: 0,
        sample: false,
        lastRuns: [],
        ...fields,
      },
    };
    this.documents.set(id, stored);
    return stored;
  }

  #seedDocuments(): void {
    const morning = new Date();
    morning.setDate(morning.getDate() + 1);
    morning.setHours(6, 0, 0, 0);
    const live = { sample: true, changed: false };
    this.addDocument("doc-orders", ORDERS, { ...live, deployedVersion: "1.4.0", trigger: { kind: "webhook", detail: "/hooks/orders", nextAt: null } });
    this.addDocument("doc-folder", FOLDER, { ...live, deployedVersion: "1.1.0", trigger: { kind: "folder", detail: "inbox/*.csv", nextAt: null } });
    this.addDocument("doc-morning", MORNING, { ...live, deployedVersion: "1.0.0", trigger: { kind: "schedule", detail: "0 6 * * *", nextAt: morning.toISOString() } });
    const reading = this.scene !== "empty";
    this.feeds = [
      {
        documentId: "doc-folder",
        title: "Folder to table",
        folder: "/home/ada/.local/share/mastra/inbox",
        pattern: "*.csv",
        error: null,
        files: reading
          ? [{ file: "customers-2026-11.csv", state: "reading", bytes: 8_400_000, bytesDone: 5_140_000, rows: 61_240, rowsDead: 12, updatedAt: iso(Date.now()), error: null }]
          : [],
        sample: { path: "/home/ada/.local/share/mastra/samples/customers.csv", columns: ["id", "name", "email", "city", "spent"] },
      },
    ];
  }

  #seedConnections(): void {
    if (this.scene === "empty") return;
    const base = { revision: 1, error: null, checkedAt: iso(Date.now() - 8000) };
    const local: Connection = {
      ...base,
      id: "con-local",
      name: "local-tables",
      kind: "sqlite",
      place: "tables.db",
      settings: { path: "tables.db" },
      hasSecret: false,
      state: "healthy",
      latencyMs: 1,
      usedBy: [
        { documentId: "doc-orders", title: "Orders" },
        { documentId: "doc-folder", title: "Folder to table" },
      ],
    };
    this.connections.set(local.id, local);
    this.connections.set("con-orders", {
      ...base,
      id: "con-orders",
      name: "orders-database",
      kind: "postgres",
      place: "db.example.com:5432/orders",
      settings: { host: "db.example.com", port: 5432, database: "orders", user: "orders_app", sslMode: "verify-full" },
      hasSecret: true,
      state: "failing",
      latencyMs: null,
      error: {
        code: "MD-403",
        title: "The other side refused the credentials",
        detail: "db.example.com refused the password of orders_app.",
        value: "orders_app",
        hint: "Enter it again.",
        kept: null,
      },
      usedBy: [],
    });
  }

  makeRun(fields: Partial<RunSummary> & { status: RunStatus }): RunSummary {
    const createdAt = fields.createdAt ?? iso(Date.now());
    const hex = () => Math.floor(Math.random() * 65536).toString(16).padStart(4, "0");
    return {
      id: `0192d3a4-7c1e-7e6b-9a51-${hex()}${hex()}${hex()}`,
      namespace: "shop",
      name: "orders",
      version: "1.4.0",
      title: "Orders",
      subject: null,
      startedBy: { kind: "webhook", detail: "/hooks/orders", replayOf: null },
      test: false,
      createdAt,
      endedAt: null,
      durationMs: 0,
      currentTask: null,
      error: null,
      ...fields,
    };
  }

  #seedRuns(): void {
    const roll = dice(7);
    const now = Date.now();
    let at = now - 4000;
    for (let index = 0; index < 640; index += 1) {
      this.runs.push(index % 47 === 46 ? this.#morningRun(at) : this.#orderRun(index, at, roll));
      at -= 2000 + Math.floor(roll() * 9000);
    }
  }

  #morningRun(at: number): RunSummary {
    return this.makeRun({
      name: "every-morning",
      title: "Every morning",
      version: "1.0.0",
      status: "completed",
      createdAt: iso(at),
      endedAt: iso(at + 1800),
      durationMs: 1800,
      startedBy: { kind: "schedule", detail: "0 6 * * *", replayOf: null },
    });
  }

  #orderRun(index: number, at: number, roll: () => number): RunSummary {
    const status = statusAt(index);
    const ended = status === "completed" || status === "faulted" || status === "cancelled";
    const took = status === "faulted" ? 13_210 : ended ? 60 + Math.floor(roll() * 240) : Date.now() - at;
    return this.makeRun({
      subject: `ord-${20433 - index}`,
      status,
      createdAt: iso(at),
      endedAt: ended ? iso(at + took) : null,
      durationMs: took,
      currentTask: status === "completed" ? null : "reserveStock",
      error: status === "faulted" ? REFUSED : null,
      startedBy: index % 9 === 4 ? { kind: "api", detail: null, replayOf: null } : { kind: "webhook", detail: "/hooks/orders", replayOf: null },
    });
  }

  #seedDeadLetters(): void {
    const errors = ["postal_code is empty", "postal_code is empty", "email has no @", "postal_code is empty", "born is not a date: 31/02/1988", "8 columns, expected 9"];
    const lines = [4118, 9540, 12_007, 18_333, 21_904, 26_411, 33_870, 39_266, 44_512, 51_098, 57_730, 60_415];
    this.deadLetters = lines.map((line, index) => {
      const csv = index % 4 === 3;
      const fields = { id: line, name: `Customer ${line}`, email: `c${line}@example.com`, postcode: "10115", postal_code: "", city: "Berlin" };
      return {
        id: `dl-${line}`,
        source: "shop/folder-to-table",
        title: "Folder to table",
        documentId: "doc-folder",
        file: "customers-2026-11.csv",
        line,
        errorCode: "MD-208",
        error: errors[index % errors.length] ?? "",
        at: iso(Date.now() - 90_000 + index * 1300),
        tries: 1,
        record: csv ? Object.values(fields).join(",") : JSON.stringify(fields, null, 2),
        contentType: csv ? "text/csv" : "application/json",
        edited: false,
      };
    });
  }
}

function called(): OutboundHost[] {
  const orders = "shop/orders/1.4.0";
  return [
    { host: "127.0.0.1:7411", calls: 31_261, failures: 9, lastAt: iso(Date.now() - 4000), callers: [orders, "shop/orders/1.3.0"] },
    { host: "figures.example.com:443", calls: 145, failures: 0, lastAt: iso(Date.now() - 8_400_000), callers: ["shop/every-morning/1.0.0"] },
  ];
}

function statusAt(index: number): RunStatus {
  if (index === 0 || index === 3) return "running";
  if (index === 5) return "waiting";
  if (index === 11) return "suspended";
  if (index === 14) return "cancelled";
  return index === 7 || index === 9 || index % 83 === 16 ? "faulted" : "completed";
}
