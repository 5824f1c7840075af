//! The app's own folders: what is in each while the agent runs where it runs, and how one is opened.
import { bytes } from "$components/format";
import { failed } from "$components/toasts.svelte";
import { runtime } from "$features/runtime/runtime.svelte";
import { commands, viewOf, type Folder, type RuntimeStatus } from "$ipc";
import { app } from "./app.svelte";

export interface OwnFolder {
  folder: Folder;
  /** For a narrow place. */
  short: string;
  label: string;
  text: string;
  path: string;
  /** What a button says that opens it. */
  action: string;
}

/**
 * In Podman journals, tables and what `file.write` wrote are in the container's volume, and a copy is shown. While the
 * workspace is shut nobody knows where the output is.
 */
export function ownFolders(): OwnFolder[] {
  if (!app.data) return [];
  const { dataFolder, inboxFolder, outputFolder, backupsFolder, logsFolder } = app.data;
  const inContainer = runtime.data?.mode === "podman";
  const logs = inContainer ? "What the agent said while it ran natively. Podman keeps what it says in the container." : "What the agent said.";
  return [
    { folder: "data", short: "Data", label: "Data folder", text: dataText(runtime.data), path: dataFolder, action: "Open" },
    { folder: "inbox", short: "Inbox", label: "Inbox", text: "CSV files dropped here are read by the sample pipeline.", path: inboxFolder, action: "Open" },
    ...(outputFolder === null ? [] : [{ folder: "output" as const, path: outputFolder, ...(inContainer ? COPY : OUTPUT) }]),
    { folder: "backups", short: "Backups", label: "Backups", text: "Daily copies of the documents. The agent keeps those of its runs with its journals.", path: backupsFolder, action: "Open" },
    { folder: "logs", short: "Log", label: "Log", text: logs, path: logsFolder, action: "Open" },
  ];
}

const OUTPUT = { short: "Output", label: "Output folder", text: "The only place that file.write may write to.", action: "Open" };
const COPY = {
  short: "Output copy",
  label: "Copy of the output folder",
  text: "file.write writes into the volume of the container. Opening copies all of it to this folder, in place of the last copy, and shows that. What you change in the copy stays there.",
  action: "Copy out and open",
};

function dataText(status: RuntimeStatus | undefined): string {
  const disk = status?.diskUsedBytes != null && status.diskFreeBytes != null ? `${bytes(status.diskUsedBytes)}, ${bytes(status.diskFreeBytes)} free.` : "";
  if (status?.mode === "native") return `Documents, journals and backups. ${disk}`;
  return `Documents and their backups.${status ? ` Journals and tables are in the volume of the container${disk ? `: ${disk}` : "."}` : ""}`;
}

/** What opening one is called where its name does not stand beside it. */
export const openWords = ({ action, folder }: OwnFolder): string => `${action} the ${folder} folder`;

/** Shows one in the file manager. */
export async function openFolder(folder: Folder): Promise<void> {
  try {
    await commands.openFolder({ folder });
  } catch (thrown) {
    failed(`The folder could not be opened: ${viewOf(thrown).detail}`);
  }
}
