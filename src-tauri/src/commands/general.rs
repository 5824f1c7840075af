//! The app itself, search and help.

super::adapters! {
    app_info: AppInfo,
    open_folder: OpenFolder,
    search: Search,
    overview: OverviewGet,
    help_page: HelpPage,
}
