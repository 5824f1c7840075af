//! Where the agent runs.

super::adapters! {
    runtime_status: RuntimeStatusGet,
    runtime_restart: RuntimeRestart,
    runtime_logs: RuntimeLogs,
    runtime_switch: RuntimeSwitch,
    runtime_switch_cancel: RuntimeSwitchCancel,
    runtime_switch_progress: RuntimeSwitchProgress,
    podman_status: PodmanStatusGet,
    container_get: ContainerGet,
    outbound_list: OutboundList,
}
