//! The app, the agent, settings and the doctor of the fake.
import type { DoctorReport, Overview, SwitchProgress } from "../bindings";
import { emitter } from "./emitter";
import type { Handlers } from "./handlers";
import type { World } from "./world";

const iso = (ms: number) => new Date(ms).toISOString();

type Part = Pick<
  Handlers,
  | "appInfo" | "openFolder" | "search" | "overview" | "settingsGet" | "settingsSet" | "runtimeStatus" | "runtimeRestart"
  | "runtimeLogs" | "runtimeSwitch" | "runtimeSwitchCancel" | "runtimeSwitchProgress" | "podmanStatus" | "containerGet" | "outboundList"
  | "doctorCheck" | "doctorRepair" | "vaultStatus" | "vaultUnlock"
>;

export function shellHandlers(world: World): Part {
  return {
    appInfo: () => ({
      version: "0.1.0",
      platform: "linux",
      workspaceName: "Shop operations",
      dataFolder: "/home/ada/.local/share/mastra",
      inboxFolder: "/home/ada/.local/share/mastra/inbox",
      outputFolder: `/home/ada/.local/share/mastra/${world.runtime.mode === "podman" ? "output-copy" : "agent/files"}`,
      backupsFolder: "/home/ada/.local/share/mastra/backups",
      logsFolder: "/home/ada/.local/share/mastra/logs",
      firstStart: world.scene === "empty",
    }),
    openFolder: ({ folder }) => {
      if (folder === "output" && world.runtime.mode === "podman") world.needAgent();
      return null;
    },
    search: ({ text, limit }) => search(world, text, limit),
    overview: ({ window }) => overview(world, { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000 }[window]),
    settingsGet: () => world.settings,
    settingsSet: ({ patch }) => {
      for (const [key, value] of Object.entries(patch)) if (value != null) Object.assign(world.settings, { [key]: value });
      world.runtime.durability = world.settings.durability;
      emitter.emit("settingsChanged", world.settings);
      return world.settings;
    },
    runtimeStatus: () => world.runtime,
    runtimeRestart: () => {
      Object.assign(world.runtime, { phase: "ready", error: null, version: "0.1.0", address: "http://127.0.0.1:41873", startedAt: iso(Date.now()), readyMs: 121, fsyncMs: 1.9, memoryBytes: 36e6, memoryLimitBytes: 16.6e9, cpuPercent: 4, lastSeenAt: iso(Date.now()), restarts: world.runtime.restarts + 1 });
      emitter.emit("runtimeStatus", world.runtime);
      return world.runtime;
    },
    runtimeLogs: ({ after }) => logLines().filter((line) => line.seq > (after ?? 0)),
    runtimeSwitch: ({ mode }) => startSwitch(world, mode),
    runtimeSwitchCancel: () => {
      world.switching = null;
      return null;
    },
    runtimeSwitchProgress: () => world.switching,
    podmanStatus: () => ({ state: "ready", version: "5.4.2", rootless: true, error: null, command: null }),
    containerGet: () =>
      world.runtime.mode === "podman"
        ? { id: "8c1f0e90a", name: "mastra-flame-agent", image: "localhost/mastra/flame-agent:0.1.0", status: "running", startedAt: iso(Date.now() - 60_000), cpuPercent: 1.4, memoryBytes: 31e6, memoryLimitBytes: 512e6, pids: 6, hardening: ["no new privileges", "no capabilities", "read-only root", "user 10001"] }
        : null,
    outboundList: () => {
      world.needAgent();
      return world.outbound;
    },
    doctorCheck: () => doctor(),
    doctorRepair: () => doctor(),
    vaultStatus: () => world.vault,
    vaultUnlock: () => {
      world.vault = { ...world.vault, state: "ready" };
      return world.vault;
    },
  };
}

function search(world: World, text: string, limit: number) {
  const wanted = text.toLowerCase();
  const hit = (words: string) => words.toLowerCase().includes(wanted);
  const documents = [...world.documents.values()]
    .filter(({ summary }) => hit(`${summary.title} ${summary.name}`))
    .map(({ summary }) => ({ kind: summary.kind, id: summary.id, title: summary.title, detail: `${summary.kind === "workflow" ? "Workflow" : "Pipeline"} · ${summary.version}` }));
  const connections = [...world.connections.values()]
    .filter((connection) => hit(connection.name))
    .map((connection) => ({ kind: "connection" as const, id: connection.id, title: connection.name, detail: connection.place }));
  const runs = world.runs
    .filter((run) => hit(`${run.subject ?? ""} ${run.id}`))
    .map((run) => ({ kind: "run" as const, id: run.id, title: run.subject ?? run.id, detail: `${run.title} · ${run.status}` }));
  return [...documents, ...connections, ...runs].slice(0, limit);
}

function overview(world: World, windowMs: number): Overview {
  world.needAgent();
  const now = Date.now();
  const inside = world.runs.filter((run) => Date.parse(run.createdAt) > now - windowMs);
  const ended = inside.filter((run) => run.endedAt !== null).map((run) => run.durationMs).sort((a, b) => a - b);
  const at = (share: number) => (ended.length ? (ended[Math.min(ended.length - 1, Math.floor(ended.length * share))] ?? null) : null);
  const open = world.runs.filter((run) => run.endedAt === null && run.status !== "suspended");
  const step = windowMs / 60;
  const buckets = Array.from({ length: 60 }, (_, index) => {
    const from = now - windowMs + index * step;
    const here = inside.filter((run) => Date.parse(run.createdAt) >= from && Date.parse(run.createdAt) < from + step);
    const took = here.map((run) => run.durationMs).sort((a, b) => a - b);
    return {
      at: iso(from),
      total: here.length,
      completed: here.filter((run) => run.status === "completed").length,
      faulted: here.filter((run) => run.status === "faulted").length,
      durationP95Ms: took.at(-1) ?? null,
      inFlight: world.runs.filter((run) => Date.parse(run.createdAt) <= from + step && (run.endedAt === null || Date.parse(run.endedAt) > from + step)).length,
    };
  });
  return {
    runs: inside.length,
    completed: inside.filter((run) => run.status === "completed").length,
    faulted: inside.filter((run) => run.status === "faulted").length,
    durationP50Ms: at(0.5),
    durationP95Ms: at(0.95),
    queued: open.length,
    oldestWaitMs: open.length ? Math.max(...open.map((run) => now - Date.parse(run.createdAt))) : null,
    partial: false,
    buckets,
  };
}

function logLines() {
  const said = ["flame-agent 0.1.0 starts", "data folder opened, 2,104 runs, journal checked", "durability full, group commit on", "listening on 127.0.0.1:41873", "webhook /hooks/orders is answered by shop/orders 1.4.0", "schedule 0 6 * * * of shop/every-morning 1.0.0 is set", "feed customers-2026-11.csv checkpoint at 40,000", "feed customers-2026-11.csv checkpoint at 60,000", "127.0.0.1:7411 answered 503, attempt 3 of 4"];
  return said.map((message, index) => ({ seq: index + 1, at: iso(Date.now() - 60_000 + index * 1000), level: message.includes("503") ? "warn" : "info", message }));
}

function startSwitch(world: World, mode: "native" | "podman"): null {
  const names = mode === "podman"
    ? [["Image verified", "sha256:8c1f…e90a"], ["Runs reach a safe point", "0 in flight"], ["Journal handed over", "checked by checksum"], ["Runs go on in the container", "ready in 0.9 s"]]
    : [["Runs reach a safe point", "0 in flight"], ["Journal handed over", "checked by checksum"], ["Runs go on in the process", "ready in 0.1 s"]];
  const progress: SwitchProgress = {
    to: mode,
    cancellable: true,
    done: false,
    error: null,
    steps: names.map(([name = "", detail = ""], index) => ({ name, detail, status: index === 0 ? "running" : "pending" })),
  };
  world.switching = progress;
  progress.steps.forEach((_, index) => {
    setTimeout(() => {
      if (world.switching !== progress) return;
      progress.steps.forEach((step, at) => (step.status = at <= index ? "ok" : at === index + 1 ? "running" : "pending"));
      progress.cancellable = index < 1;
      progress.done = index === progress.steps.length - 1;
      if (progress.done) {
        world.runtime.mode = mode;
        world.settings.runtimeMode = mode;
        emitter.emit("runtimeStatus", world.runtime);
      }
      emitter.emit("switchProgress", progress);
    }, 700 * (index + 1));
  });
  return null;
}

function doctor(): DoctorReport {
  const fine: [string, string, string?][] = [["Runtime", "flame-agent 0.1.0 ready in 118 ms"], ["Data folder", "Writable, 58 GB free"], ["Durability", "fsync 1.9 ms, full"], ["Keychain", "Unlocked, write probe passed"], ["Watched folder", "inbox is watched"], ["Podman", "not installed; native mode does not need it, tasks with containers do", "sudo apt-get install --yes podman"], ["Workspace", "Checked"], ["Disk", "58 GB free"]];
  return {
    checkedAt: iso(Date.now()),
    tookMs: 912,
    checks: [
      { id: "linger", title: "Containers stop when you log out", state: "warning", detail: "Lingering is off for this user, so Podman ends with the session. Schedules then wait until you are back.", code: "MD-602", command: "loginctl enable-linger", repair: "Repair" },
      { id: "watches", title: "Few file watches are left", state: "warning", detail: "7,904 of 8,192 are used on this machine. A watched folder may miss new files. The repair needs an administrator once.", code: "MD-507", command: "sudo sysctl -w fs.inotify.max_user_watches=65536", repair: null },
      ...fine.map(([title, detail, command = null], index) => ({ id: `fine-${index}`, title, state: "ok" as const, detail, code: null, command, repair: null })),
    ],
  };
}
