//! Checking and deleting a saved connection, from the list or from its page.
import { done, failed } from "$components/toasts.svelte";
import { commands, viewOf, type Connection, type ConnectionReport } from "$ipc";
import { connections } from "./connections.svelte";

export const checking = $state<Record<string, boolean>>({});

/** The connection whose deletion is asked about. */
export const deleting = $state<{ connection: Connection | null }>({ connection: null });

export async function checkSaved(connection: Connection): Promise<ConnectionReport | null> {
  if (checking[connection.id]) return null;
  checking[connection.id] = true;
  try {
    const { id, name, kind, settings } = connection;
    const report = await commands.connectionCheck({ id, name, kind, settings, secret: null });
    await connections.reload();
    const wrong = report.steps.find((step) => step.status === "failed");
    if (report.healthy) done(`${name} is healthy`);
    else failed(`${name}: ${wrong?.name ?? "the check"} failed. ${wrong?.detail ?? ""}`);
    return report;
  } catch (thrown) {
    failed(`${connection.name} could not be checked: ${viewOf(thrown).detail}`);
    return null;
  } finally {
    checking[connection.id] = false;
  }
}

/** Deletes and offers the way back; the secret is kept until then. */
export async function removeConnection(connection: Connection): Promise<boolean> {
  try {
    const { undoToken } = await commands.connectionDelete({ id: connection.id });
    await connections.reload();
    done(`${connection.name} deleted`, { label: "Undo", run: () => restore(undoToken, connection.name) });
    return true;
  } catch (thrown) {
    failed(`${connection.name} was not deleted: ${viewOf(thrown).detail}`);
    return false;
  }
}

async function restore(undoToken: string, name: string): Promise<void> {
  try {
    await commands.connectionRestore({ undoToken });
    await connections.reload();
    done(`${name} is back`);
  } catch (thrown) {
    failed(`${name} was not brought back: ${viewOf(thrown).detail}`);
  }
}
