//! The commands of the contract as Tauri calls them: nothing but the call.

pub(crate) mod connections;
pub(crate) mod dead_letters;
pub(crate) mod doctor;
pub(crate) mod documents;
pub(crate) mod general;
pub(crate) mod host_execution;
pub(crate) mod people;
pub(crate) mod pins;
pub(crate) mod runs;
pub(crate) mod runtime;
pub(crate) mod settings;

/// One adapter for each command: the input and the answer are the contract's, so a mismatch does not
/// compile.
macro_rules! adapters {
    ($($name:ident: $command:ident),* $(,)?) => { $(
        #[tauri::command]
        pub(crate) async fn $name(
            shell: tauri::State<'_, $crate::shell::Shell>,
            input: flame_ipc::$command,
        ) -> Result<<flame_ipc::$command as flame_ipc::Command>::Output, flame_ipc::ErrorView> {
            shell.run(input).await
        }
    )* };
}

pub(crate) use adapters;

/// Every adapter, for the builder.
macro_rules! handler {
    () => {
        tauri::generate_handler![
            $crate::commands::general::app_info,
            $crate::commands::general::open_folder,
            $crate::commands::general::search,
            $crate::commands::general::overview,
            $crate::commands::general::help_pages,
            $crate::commands::general::help_page,
            $crate::commands::documents::documents_list,
            $crate::commands::documents::document_get,
            $crate::commands::documents::document_save,
            $crate::commands::documents::document_create,
            $crate::commands::documents::document_duplicate,
            $crate::commands::documents::document_delete,
            $crate::commands::documents::document_restore,
            $crate::commands::documents::document_history,
            $crate::commands::documents::document_revision,
            $crate::commands::documents::templates_list,
            $crate::commands::documents::validate,
            $crate::commands::documents::editor_schema,
            $crate::commands::documents::document_deploy,
            $crate::commands::documents::document_sample_input,
            $crate::commands::documents::feeds_list,
            $crate::commands::documents::feeds_rescan,
            $crate::commands::documents::feed_open_folder,
            $crate::commands::runs::run_start,
            $crate::commands::runs::runs_list,
            $crate::commands::runs::run_get,
            $crate::commands::runs::run_journal,
            $crate::commands::runs::run_task_input,
            $crate::commands::runs::run_follow,
            $crate::commands::runs::run_unfollow,
            $crate::commands::runs::run_cancel,
            $crate::commands::runs::run_suspend,
            $crate::commands::runs::run_resume,
            $crate::commands::runs::run_compensation,
            $crate::commands::runs::run_retry,
            $crate::commands::runs::run_replay,
            $crate::commands::runs::run_test,
            $crate::commands::people::tasks_list,
            $crate::commands::people::task_answer,
            $crate::commands::pins::pins_list,
            $crate::commands::pins::pin_add,
            $crate::commands::pins::pin_remove,
            $crate::commands::pins::document_test,
            $crate::commands::host_execution::host_execution_get,
            $crate::commands::host_execution::host_execution_allow,
            $crate::commands::host_execution::host_execution_forbid,
            $crate::commands::host_execution::host_permissions_list,
            $crate::commands::connections::connection_kinds,
            $crate::commands::connections::connections_list,
            $crate::commands::connections::connection_save,
            $crate::commands::connections::connection_check,
            $crate::commands::connections::connection_delete,
            $crate::commands::connections::connection_restore,
            $crate::commands::connections::vault_status,
            $crate::commands::connections::vault_unlock,
            $crate::commands::dead_letters::dead_letters_list,
            $crate::commands::dead_letters::dead_letter_edit,
            $crate::commands::dead_letters::dead_letters_send,
            $crate::commands::dead_letters::dead_letters_discard,
            $crate::commands::dead_letters::events_list,
            $crate::commands::settings::settings_get,
            $crate::commands::settings::settings_set,
            $crate::commands::runtime::runtime_status,
            $crate::commands::runtime::runtime_restart,
            $crate::commands::runtime::runtime_logs,
            $crate::commands::runtime::runtime_switch,
            $crate::commands::runtime::runtime_switch_cancel,
            $crate::commands::runtime::runtime_switch_progress,
            $crate::commands::runtime::podman_status,
            $crate::commands::runtime::container_get,
            $crate::commands::runtime::outbound_list,
            $crate::commands::doctor::doctor_check,
            $crate::commands::doctor::doctor_repair,
        ]
    };
}

pub(crate) use handler;

#[cfg(test)]
mod tests {
    use flame_ipc::COMMAND_NAMES;

    /// What the window may call, out of the capability file.
    fn granted() -> Vec<String> {
        let text = include_str!("../../capabilities/main.json");
        let file: serde_json::Value = serde_json::from_str(text).unwrap();
        let permissions = file["permissions"].as_array().unwrap();
        permissions
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn each_command_is_granted_by_name_and_nothing_else_is() {
        let mut wanted: Vec<String> = COMMAND_NAMES
            .iter()
            .map(|name| format!("allow-{}", name.replace('_', "-")))
            .collect();
        wanted.extend(["core:event:allow-listen", "core:event:allow-unlisten"].map(String::from));
        let mut granted = granted();
        wanted.sort();
        granted.sort();
        assert_eq!(granted, wanted);
    }

    #[test]
    fn the_window_is_locked_down() {
        let text = include_str!("../../tauri.conf.json");
        let config: serde_json::Value = serde_json::from_str(text).unwrap();
        let app = &config["app"];
        assert_eq!(app["withGlobalTauri"], false);
        assert_eq!(app["security"]["freezePrototype"], true);
        assert_eq!(app["security"]["pattern"]["use"], "isolation");
        let policy = app["security"]["csp"].as_str().unwrap();
        for rule in [
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "object-src 'none'",
        ] {
            assert!(
                policy.split("; ").any(|part| part == rule),
                "{rule} is missing in {policy}"
            );
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
    }
}
