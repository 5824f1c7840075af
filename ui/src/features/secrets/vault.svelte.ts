//! Where secrets are kept on this computer: every page that speaks of it reads this.
import { commands, Resource, type VaultStatusView } from "$ipc";

export const vault = new Resource<VaultStatusView>(() => commands.vaultStatus());

/** Where a secret is, as the end of "It is kept"; a keychain is named only where there is one. */
export function keptWhere(status: VaultStatusView | undefined): string {
  if (!status) return "on this computer";
  return status.store === "keychain" ? "in the keychain of this computer" : "in a file on this computer that only a passphrase opens";
}
