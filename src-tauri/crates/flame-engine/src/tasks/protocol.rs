//! Calls that another document describes: what of them is known before the document is read.

use std::sync::Arc;
use std::time::Duration;

use flame_dsl::{Authentication, Protocol, ProtocolCall};
use serde_json::Value;

use crate::action::{ProtocolRequest, Receipt};
use crate::authentication::Credentials;
use crate::error::Error;
use crate::record::Mark;
use crate::scope::Scope;
use crate::subscription::Subscription;
use crate::tasks::call;

pub(crate) fn request(
    scope: Scope<'_>,
    call: &ProtocolCall,
    input: &Value,
    timeout: Option<Duration>,
    after: Option<Mark>,
) -> Result<ProtocolRequest, Error> {
    let credentials = |scope: &Scope<'_>, policy: Option<&Authentication>, property| {
        let credentials = policy.map(|policy| Credentials::evaluate(scope, policy, property));
        Ok::<_, Error>(credentials.transpose()?.map(Box::new))
    };
    let document = call.document.as_ref();
    let document_credentials = credentials(
        &scope,
        document.and_then(|document| document.authentication.as_ref()),
        "the document's authentication",
    )?;
    let own = credentials(
        &scope,
        call.authentication.as_ref(),
        property(call.protocol),
    )?;
    let authorization = own.as_deref().and_then(Credentials::authorization);
    let receipt = match call.subscription.as_deref() {
        None => None,
        Some(subscription) if subscription.each.is_some() => Some(Receipt::Singly { after }),
        Some(subscription) => {
            let subscription = Subscription::of(&scope, subscription)?;
            Some(Receipt::Whole(Box::new(subscription)))
        }
    };
    let mut scope = scope;
    scope.authorization = authorization.as_ref();
    Ok(ProtocolRequest {
        protocol: call.protocol,
        document: document
            .map(|document| call::url(&scope, &document.endpoint, input, "the document's endpoint"))
            .transpose()?,
        document_credentials,
        server: call
            .server
            .as_ref()
            .map(|server| call::url(&scope, server, input, "the server's endpoint"))
            .transpose()?,
        credentials: own,
        receipt,
        arguments: Arc::new(scope.template(&call.arguments, "with")?),
        timeout,
    })
}

/// Where a call has its authentication, for messages.
const fn property(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::OpenApi | Protocol::AsyncApi => "with.authentication",
        Protocol::Grpc => "with.service.authentication",
        Protocol::Mcp => "with.transport.http.endpoint.authentication",
        Protocol::A2a => "with.server.authentication",
    }
}
