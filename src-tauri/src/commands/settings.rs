//! Settings.

super::adapters! {
    settings_get: SettingsGet,
    settings_set: SettingsSet,
}
