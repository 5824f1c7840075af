//! Connections and the secrets behind them.

super::adapters! {
    connection_kinds: ConnectionKinds,
    connections_list: ConnectionsList,
    connection_save: ConnectionSave,
    connection_check: ConnectionCheck,
    connection_delete: ConnectionDelete,
    connection_restore: ConnectionRestore,
    vault_status: VaultStatus,
    vault_unlock: VaultUnlock,
}
