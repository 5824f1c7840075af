//! The app's own folders: what is in each while the agent runs where it runs, and how one is opened.
import { bytes } from "$components/format";
import { failed } from "$components/toasts.svelte";
import { runtime } from "$features/runtime/runtime.svelte";
import { commands, viewOf, type Folder } from "$ipc";
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

/** In Podman journals, tables and what `file.write` wrote are in the container's volume, and a copy is shown. */
export function ownFolders(): OwnFolder[] {
  if (!app.data) return [];
  const { dataFolder, inboxFolder, outputFolder } = app.data;
  const status = runtime.data;
  const disk = status?.diskUsedBytes != null && status.diskFreeBytes != null ? `${bytes(status.diskUsedBytes)}, ${bytes(status.diskFreeBytes)} free.` : "";
  const inContainer = status?.mode === "podman";
  const data = inContainer ? `Documents and their backups. Journals and tables are in the volume of the container${disk ? `: ${disk}` : "."}` : `Documents, journals and backups. ${disk}`;
  const output = inContainer
    ? {
        short: "Output copy",
        label: "Copy of the output folder",
        text: "file.write writes into the volume of the container. Opening copies all of it to this folder, in place of the last copy, and shows that. What you change in the copy stays there.",
        action: "Copy out and open",
      }
    : { short: "Output", label: "Output folder", text: "The only place that file.write may write to.", action: "Open" };
  return [
    { folder: "data", short: "Data", label: "Data folder", text: data, path: dataFolder, action: "Open" },
    { folder: "inbox", short: "Inbox", label: "Inbox", text: "CSV files dropped here are read by the sample pipeline.", path: inboxFolder, action: "Open" },
    { folder: "output", path: outputFolder, ...output },
  ];
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
