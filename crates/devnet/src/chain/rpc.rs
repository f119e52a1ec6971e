//! What the client answers, and what is answered in its place.

use alloy::primitives::B256;
use ethrex_rpc::utils::RpcRequest;
use ethrex_rpc::{RpcApiContext, RpcErr, map_http_requests, rpc_response};
use serde_json::Value;

use super::{DevChain, receipts};
use crate::endpoint::{Answers, INVALID_REQUEST, Target, refusal};

/// Methods of the client that would move the head behind the producer's back, or that answer from receipts that it cannot
/// read (see [`receipts`]).
const REFUSED: [&str; 4] = ["debug_setHead", "eth_newFilter", "eth_getFilterChanges", "eth_uninstallFilter"];

impl From<&DevChain> for Target {
    fn from(chain: &DevChain) -> Self {
        Self(Answers::Ethereum(Box::new(chain.core.rpc_context()), chain.core.beacon.clone()))
    }
}

/// Answer one request.
pub(crate) async fn answer(request: Value, context: RpcApiContext) -> Value {
    let request = match serde_json::from_value::<RpcRequest>(request) {
        Ok(request) => request,
        Err(error) => return refusal(INVALID_REQUEST, &error.to_string()),
    };
    let mut result = if REFUSED.contains(&request.method.as_str()) {
        Err(RpcErr::MethodNotFound(request.method.clone()))
    } else if let Some(answer) = receipts::answer(&context.storage, &request).await {
        answer
    } else {
        // Boxed: the future is as large as the largest of the client's handlers.
        Box::pin(map_http_requests(&request, context)).await
    };
    // The client looks a hash up by its number, so for a block off the canonical chain it returns another one.
    if request.method == "eth_getBlockByHash"
        && let Ok(block) = &mut result
        && !is_block(block, request.params.as_deref())
    {
        *block = Value::Null;
    }
    rpc_response(request.id, result).unwrap_or_else(|error| refusal(INVALID_REQUEST, &format!("{error:?}")))
}

/// Whether the block returned is the one that the first parameter names.
fn is_block(block: &Value, params: Option<&[Value]>) -> bool {
    let hash = |value: &Value| value.as_str().and_then(|text| text.parse::<B256>().ok());
    block.get("hash").and_then(hash) == params.and_then(|params| hash(params.first()?))
}
