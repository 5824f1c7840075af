//! Calls that another document describes: what of them is known before the document is read.

use std::sync::Arc;
use std::time::Duration;

use flame_dsl::{Endpoint, ProtocolCall};
use serde_json::Value;

use crate::action::ProtocolRequest;
use crate::error::Error;
use crate::scope::Scope;
use crate::subscription::Subscription;
use crate::tasks::call;

pub(crate) fn request(
    scope: &Scope<'_>,
    call: &ProtocolCall,
    input: &Value,
    timeout: Option<Duration>,
) -> Result<ProtocolRequest, Error> {
    let url = |endpoint: &Option<Endpoint>, property: &str| {
        let endpoint = endpoint.as_ref();
        endpoint
            .map(|endpoint| call::url(scope, endpoint, input, property))
            .transpose()
    };
    Ok(ProtocolRequest {
        protocol: call.protocol,
        document: url(&call.document, "the document's endpoint")?,
        server: url(&call.server, "the server's endpoint")?,
        subscription: call
            .subscription
            .as_ref()
            .map(|subscription| Subscription::of(scope, subscription).map(Box::new))
            .transpose()?,
        arguments: Arc::new(scope.template(&call.arguments, "with")?),
        timeout,
    })
}
