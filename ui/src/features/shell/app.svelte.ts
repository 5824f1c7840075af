//! What the app is: version, folders, whether this is its first start.
import { commands, Resource, type AppInfoView } from "$ipc";

export const app = new Resource<AppInfoView>(() => commands.appInfo());
