//! What becomes of one request, or of a batch.

use super::{
    Refused,
    breaker::{Finding, refusal},
    own::Own,
    rewrite::{NotPositional, folded, rewritten},
    server::Shared,
    upstream::{Answer, UpstreamError},
};
use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;
use hum_types::{B256, BlockRef, Confidence};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};
use serde_json::{json, value::RawValue};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// JSON-RPC's error codes.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;
const INTERNAL_ERROR: i32 = -32603;

type Fields = BTreeMap<String, Box<RawValue>>;

/// What a request consists of.
const MEMBERS: [&str; 4] = ["jsonrpc", "id", "method", "params"];
/// Most requests in a batch: what nodes take.
const CALLS_MAX: usize = 1_000;

/// Methods whose results are headers or blocks, with their hash.
const WITH_HASH: [&str; 2] = ["eth_getBlockByNumber", "eth_getHeaderByNumber"];

/// Whether a body needs more than to be passed on.
pub(super) enum Body {
    /// No JSON.
    Broken(String),
    /// Nothing in it concerns us.
    Plain,
    One(Call),
    Batch(Vec<Call>),
}

/// One request.
pub(super) struct Call {
    whole: Box<RawValue>,
    fields: Fields,
    need: Need,
}

enum Need {
    Nothing,
    Own(Own),
    Tags {
        method: String,
        tags: BTreeSet<Confidence>,
    },
    Refuse(NotPositional),
    /// It has this member, which some servers read as another.
    Odd(String),
}

impl Call {
    fn read(whole: Box<RawValue>) -> Self {
        let fields: Fields = serde_json::from_str(whole.get()).unwrap_or_default();
        let odd = fields.keys().find(|key| MEMBERS.iter().any(|name| *name != **key && *name == folded(key)));
        if let Some(odd) = odd.cloned() {
            return Self { whole, fields, need: Need::Odd(odd) };
        }
        let method: Option<String> =
            fields.get("method").and_then(|method| serde_json::from_str(method.get()).ok());
        let need =
            method.map_or(Need::Nothing, |method| need(method, fields.get("params").map(|params| &**params)));
        Self { whole, fields, need }
    }

    fn id(&self) -> Option<&RawValue> {
        self.fields.get("id").map(|id| &**id)
    }

    /// Its id, however it is written.
    fn name(&self) -> Option<serde_json::Value> {
        self.id().and_then(read_id)
    }

    /// An answer to it; none when it is a notification.
    fn result(&self, result: &serde_json::Value) -> Option<Box<RawValue>> {
        let id = self.id()?.get();
        RawValue::from_string(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)).ok()
    }

    fn error(&self, code: i32, message: &str) -> Option<Box<RawValue>> {
        Some(error(self.id()?, code, message))
    }
}

fn read_id(id: &RawValue) -> Option<serde_json::Value> {
    serde_json::from_str(id.get()).ok()
}

/// Ids that several requests of a batch have.
fn repeated(calls: &[Call]) -> Vec<serde_json::Value> {
    let mut seen = BTreeSet::new();
    let again = calls.iter().filter_map(Call::name).filter(|id| !seen.insert(id.to_string()));
    again.collect()
}

fn need(method: String, params: Option<&RawValue>) -> Need {
    if let Some(own) = Own::of(&method) {
        return Need::Own(own);
    }
    let Some(params) = params else { return Need::Nothing };
    let mut tags = BTreeSet::new();
    let scanned = rewritten(&method, params, &mut |confidence| {
        tags.insert(confidence);
        0
    });
    match scanned {
        Ok(None) => Need::Nothing,
        Ok(Some(_)) => Need::Tags { method, tags },
        Err(refused) => Need::Refuse(refused),
    }
}

/// The requests of a batch, which end at the bound and not at the end of what was sent.
struct Calls(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Calls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;
        impl<'de> Visitor<'de> for Bounded {
            type Value = Calls;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {CALLS_MAX} requests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut requests: A) -> Result<Calls, A::Error> {
                let mut calls = Vec::new();
                while let Some(call) = requests.next_element()? {
                    if calls.len() == CALLS_MAX {
                        return Err(de::Error::invalid_length(CALLS_MAX + 1, &self));
                    }
                    calls.push(call);
                }
                Ok(Calls(calls))
            }
        }
        deserializer.deserialize_seq(Bounded)
    }
}

pub(super) fn read(body: &[u8]) -> Body {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.trim(),
        Err(error) => return Body::Broken(error.to_string()),
    };
    let concerns = |call: &Call| !matches!(call.need, Need::Nothing);
    if text.starts_with('[') {
        match serde_json::from_str::<Calls>(text) {
            Err(error) => Body::Broken(error.to_string()),
            Ok(Calls(calls)) => {
                let calls: Vec<Call> = calls.into_iter().map(Call::read).collect();
                if calls.iter().any(concerns) { Body::Batch(calls) } else { Body::Plain }
            }
        }
    } else {
        match serde_json::from_str::<Box<RawValue>>(text) {
            Err(error) => Body::Broken(error.to_string()),
            Ok(call) => {
                let call = Call::read(call);
                if concerns(&call) { Body::One(call) } else { Body::Plain }
            }
        }
    }
}

/// Why a call is not answered as asked.
enum Failed {
    Refused(Refused),
    Upstream(UpstreamError),
}

impl Failed {
    fn code(&self) -> i32 {
        match self {
            Self::Refused(refused) => refused.code(),
            Self::Upstream(_) => INTERNAL_ERROR,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Refused(refused) => refused.to_string(),
            Self::Upstream(error) => error.to_string(),
        }
    }
}

/// What a call has become.
enum Ready {
    /// The node gets this. A block in its answer must be the certified one.
    Pass(Box<RawValue>, Option<(Confidence, BlockRef)>),
    /// The node does not see it; `None` when nobody waits for an answer.
    Answered(Option<Box<RawValue>>),
}

impl Shared {
    /// Answer a body. The node's own answers come back as they are.
    pub(super) async fn treat(self: &Arc<Self>, body: Bytes, headers: &HeaderMap) -> Answer {
        self.counts.requests.fetch_add(1, Relaxed);
        match read(&body) {
            Body::Broken(reason) => {
                json_answer(StatusCode::OK, error(null(), PARSE_ERROR, &reason).get().to_owned())
            }
            Body::Plain => match self.node.pass(Method::POST, headers, body).await {
                Ok(answer) => answer,
                Err(error) => self.unanswered(None, &error),
            },
            Body::One(call) => match self.ready(&call).await {
                Ready::Answered(answer) => own_answer(answer.map(|answer| answer.get().to_owned())),
                Ready::Pass(request, expected) => {
                    let request = Bytes::from(request.get().to_owned());
                    match self.node.pass(Method::POST, headers, request).await {
                        Err(error) => self.unanswered(call.id(), &error),
                        Ok(answer) => match self.contradicted(&call, &answer.body, expected) {
                            Some(refused) => own_answer(Some(refused.get().to_owned())),
                            None => answer,
                        },
                    }
                }
            },
            Body::Batch(calls) => self.batch(&calls, headers).await,
        }
    }

    async fn batch(self: &Arc<Self>, calls: &[Call], headers: &HeaderMap) -> Answer {
        let mut own = Vec::new();
        let mut passed = Vec::new();
        let repeated = repeated(calls);
        for call in calls {
            match self.ready(call).await {
                Ready::Answered(answer) => own.extend(answer),
                // Whose answer it is would be anybody's guess, and the wrong one an alarm.
                Ready::Pass(_, Some(_)) if call.name().is_some_and(|id| repeated.contains(&id)) => {
                    self.counts.refused.fetch_add(1, Relaxed);
                    own.extend(call.error(INVALID_REQUEST, "another request of the batch has the same id"));
                }
                Ready::Pass(request, expected) => passed.push((call, request, expected)),
            }
        }
        if passed.is_empty() {
            return own_answer((!own.is_empty()).then(|| list(own.iter().map(|answer| &**answer))));
        }
        let requests = list(passed.iter().map(|(_, request, _)| &**request));
        let answer = match self.node.pass(Method::POST, headers, requests.into()).await {
            Ok(answer) => answer,
            Err(error) => {
                self.counts.upstream_failures.fetch_add(1, Relaxed);
                let words = error.to_string();
                own.extend(passed.iter().filter_map(|(call, ..)| call.error(INTERNAL_ERROR, &words)));
                return own_answer((!own.is_empty()).then(|| list(own.iter().map(|answer| &**answer))));
            }
        };
        // A node that answers a batch with one error answers it for all that it saw.
        let empty = answer.body.iter().all(u8::is_ascii_whitespace);
        let Ok(answers) = (if empty { Ok(Vec::new()) } else { serde_json::from_slice(&answer.body) }) else {
            return answer;
        };
        let answers: Vec<Box<RawValue>> = answers;
        let mut all: Vec<Box<RawValue>> = answers
            .into_iter()
            .map(|answer| {
                let id = serde_json::from_str::<Fields>(answer.get()).ok().and_then(|mut f| f.remove("id"));
                let id = id.as_deref().and_then(read_id);
                let asked = passed
                    .iter()
                    .find(|(call, _, expected)| expected.is_some() && id.is_some() && call.name() == id);
                let refused = asked.and_then(|(call, _, expected)| {
                    self.contradicted(call, answer.get().as_bytes(), *expected)
                });
                refused.unwrap_or(answer)
            })
            .collect();
        all.append(&mut own);
        Answer { body: list(all.iter().map(|answer| &**answer)).into(), ..answer }
    }

    /// Replace tags by certified numbers, once the node is known to have those blocks.
    async fn ready(self: &Arc<Self>, call: &Call) -> Ready {
        let refuse = |code, words: &str| {
            self.counts.refused.fetch_add(1, Relaxed);
            Ready::Answered(call.error(code, words))
        };
        match &call.need {
            Need::Nothing => Ready::Pass(call.whole.clone(), None),
            Need::Refuse(refused) => refuse(INVALID_PARAMS, &refused.to_string()),
            Need::Odd(member) => {
                let wanted = folded(member);
                refuse(INVALID_REQUEST, &format!("the request has a member {member}; write {wanted}"))
            }
            Need::Own(own) => {
                let heads = self.heads.borrow().clone();
                if let Some(reason) = heads.lie {
                    let refused = Refused::CommitteeLied { reason };
                    return refuse(refused.code(), &refused.to_string());
                }
                match own.answer(call.fields.get("params").map(|params| &**params), &heads) {
                    Ok(result) => Ready::Answered(call.result(&result)),
                    Err(words) => refuse(INVALID_PARAMS, &words),
                }
            }
            Need::Tags { method, tags } => {
                let mut blocks = BTreeMap::new();
                for confidence in tags {
                    match self.certified(*confidence).await {
                        Ok(block) => blocks.insert(*confidence, block),
                        Err(failed) => return refuse(failed.code(), &failed.words()),
                    };
                }
                self.counts.rewritten.fetch_add(1, Relaxed);
                self.rewrite(call, method, &blocks)
            }
        }
    }

    fn rewrite(&self, call: &Call, method: &str, blocks: &BTreeMap<Confidence, BlockRef>) -> Ready {
        let mut number = |confidence| blocks.get(&confidence).map_or(u64::MAX, |block| block.number);
        let params = call.fields.get("params");
        let params = params.and_then(|params| rewritten(method, params, &mut number).ok().flatten());
        let mut fields = call.fields.clone();
        fields.extend(params.map(|params| ("params".to_owned(), params)));
        let Ok(request) = serde_json::value::to_raw_value(&fields) else {
            return Ready::Answered(call.error(INTERNAL_ERROR, "the request cannot be written"));
        };
        let expected = blocks.iter().next().filter(|_| WITH_HASH.contains(&method));
        Ready::Pass(request, expected.map(|(confidence, block)| (*confidence, *block)))
    }

    /// The certified block of a confidence, if the node has it too.
    async fn certified(&self, confidence: Confidence) -> Result<BlockRef, Failed> {
        let (block, lie) = {
            let heads = self.heads.borrow();
            (heads.heads.get(&confidence).map(|head| head.block), heads.lie.clone())
        };
        if let Some(reason) = lie {
            return Err(Failed::Refused(Refused::CommitteeLied { reason }));
        }
        let block = block.ok_or(Failed::Refused(Refused::NoHead { confidence }))?;
        let known = self.breaker().known(confidence, block, self.now_ms());
        let finding = match known {
            Some(finding) => finding,
            None => self.look(confidence, block).await.map_err(Failed::Upstream)?,
        };
        refusal(confidence, block, finding).map_or(Ok(block), |refused| Err(Failed::Refused(refused)))
    }

    /// Whether the node's answer to a question about a certified block holds another; then the answer in its place.
    fn contradicted(
        &self,
        call: &Call,
        answer: &[u8],
        expected: Option<(Confidence, BlockRef)>,
    ) -> Option<Box<RawValue>> {
        #[derive(Deserialize)]
        struct Block {
            hash: B256,
        }
        #[derive(Deserialize)]
        struct Outcome {
            result: Option<Block>,
            error: Option<serde::de::IgnoredAny>,
        }
        let (confidence, block) = expected?;
        let refused = match serde_json::from_slice::<Outcome>(answer) {
            Ok(Outcome { error: Some(_), .. }) => return None,
            Ok(Outcome { result, .. }) => {
                let finding = Finding::of(block.hash, result.map(|block| block.hash));
                self.found(confidence, block, finding);
                refusal(confidence, block, finding)?
            }
            // An answer without a hash cannot be believed; one that is no JSON at all is the node's own trouble.
            Err(error) if error.is_data() => {
                self.counts.refused.fetch_add(1, Relaxed);
                return call.error(INTERNAL_ERROR, &format!("the node's answer holds no block: {error}"));
            }
            Err(_) => return None,
        };
        self.counts.refused.fetch_add(1, Relaxed);
        call.error(refused.code(), &refused.to_string())
    }

    fn unanswered(&self, id: Option<&RawValue>, failed: &UpstreamError) -> Answer {
        self.counts.upstream_failures.fetch_add(1, Relaxed);
        let status = match failed {
            UpstreamError::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        let body = error(id.unwrap_or(null()), INTERNAL_ERROR, &failed.to_string());
        json_answer(status, body.get().to_owned())
    }
}

fn null() -> &'static RawValue {
    RawValue::NULL
}

fn error(id: &RawValue, code: i32, message: &str) -> Box<RawValue> {
    let answer = json!({ "code": code, "message": message });
    let text = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{answer}}}"#, id.get());
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn list<'a>(values: impl IntoIterator<Item = &'a RawValue>) -> String {
    let values: Vec<&str> = values.into_iter().map(RawValue::get).collect();
    format!("[{}]", values.join(","))
}

fn own_answer(body: Option<String>) -> Answer {
    json_answer(StatusCode::OK, body.unwrap_or_default())
}

fn json_answer(status: StatusCode, body: String) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    Answer { status, headers, body: body.into() }
}
