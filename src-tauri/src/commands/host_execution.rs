//! What workflows may run on this computer.

super::adapters! {
    host_execution_get: HostExecutionGet,
    host_execution_allow: HostExecutionAllow,
    host_execution_forbid: HostExecutionForbid,
    host_permissions_list: HostPermissionsList,
}
