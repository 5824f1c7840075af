//! Pinned outputs, and tests with them.

super::adapters! {
    pins_list: PinsList,
    pin_add: PinAdd,
    pin_remove: PinRemove,
    document_test: DocumentTest,
}
