//! Workflows, pipelines and watched folders.

super::adapters! {
    documents_list: DocumentsList,
    document_get: DocumentGet,
    document_save: DocumentSave,
    document_create: DocumentCreate,
    document_duplicate: DocumentDuplicate,
    document_delete: DocumentDelete,
    document_restore: DocumentRestore,
    document_history: DocumentHistory,
    document_revision: DocumentRevisionGet,
    templates_list: TemplatesList,
    validate: Validate,
    editor_schema: EditorSchema,
    document_deploy: DocumentDeploy,
    document_sample_input: DocumentSampleInput,
    feeds_list: FeedsList,
    feeds_rescan: FeedsRescan,
    feed_open_folder: FeedOpenFolder,
}
