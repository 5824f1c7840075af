//! The app itself, search and help.

super::adapters! {
    app_info: AppInfo,
    open_folder: OpenFolder,
    search: Search,
    overview: OverviewGet,
    help_pages: HelpPages,
    help_page: HelpPage,
}
