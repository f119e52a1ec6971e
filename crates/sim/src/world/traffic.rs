//! Applications: they send messages through the gateways, at times of their own.

use super::{Context, Trace, World, cast::USER, config::Dice};
use crate::chain::SimAccount;
use alloy_sol_types::SolCall as _;
use commonware_runtime::{Clock as _, Handle, Spawner as _, Supervisor as _};
use hum_chain::{Call, Submit as _, contracts::Gateway};
use hum_types::InteropAddress;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The longest pause between two messages of one application, in milliseconds.
const PAUSE_MS: u64 = 700;
/// The longest payload, in bytes.
const PAYLOAD_MAX: u64 = 300;

/// How far applications are. They write it down, so that a power cut costs them nothing but doubt.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress(Arc<Mutex<BTreeMap<String, Lane>>>);

#[derive(Debug, Clone, Copy, Default)]
struct Lane {
    sent: usize,
    /// Whether one more may have been sent.
    in_doubt: bool,
    /// Messages that may have been sent twice.
    doubts: usize,
}

impl Progress {
    fn lane<T>(&self, name: &str, act: impl FnOnce(&mut Lane) -> T) -> T {
        act(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default())
    }

    /// Messages that may have been sent twice.
    pub(super) fn doubts(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().map(|lane| lane.doubts).sum()
    }
}

/// Start one application for each ordered pair of rollups. Each handle ends when its messages are in blocks.
pub(super) fn start(world: &World) -> Vec<Handle<()>> {
    let (cast, config) = (&world.stage.cast, &world.stage.config);
    let mut gateways = cast.addresses.gateways.to_vec();
    gateways.truncate(if config.posting.is_some() { 3 } else { 1 });
    let mut applications = Vec::new();
    for source in &cast.rollups {
        for destination in
            cast.rollups.iter().filter(|other| other.chain.chain_id() != source.chain.chain_id())
        {
            let name = format!("{} to {}", source.chain.chain_id(), destination.chain.chain_id());
            let context = world.context.child("application").with_attribute("lane", name.replace(' ', "_"));
            let recipient =
                InteropAddress { chain_id: destination.chain.chain_id(), address: cast.addresses.inbox };
            let application = Application {
                dice: Dice(config.seed),
                name,
                account: world.account(source, USER, &context),
                gateways: gateways.clone(),
                recipient,
                messages: config.messages,
                trace: world.stage.trace.clone(),
                progress: world.stage.progress.clone(),
            };
            applications.push(context.spawn(|context| application.run(context)));
        }
    }
    applications
}

struct Application {
    dice: Dice,
    name: String,
    account: SimAccount<Context>,
    /// Messages go through them in turn.
    gateways: Vec<hum_types::Address>,
    recipient: InteropAddress,
    messages: usize,
    trace: Trace,
    progress: Progress,
}

impl Application {
    async fn run(self, context: Context) {
        self.progress.lane(&self.name, |lane| {
            lane.doubts += usize::from(lane.in_doubt);
            lane.in_doubt = false;
        });
        loop {
            let number = self.progress.lane(&self.name, |lane| lane.sent);
            if number >= self.messages {
                return;
            }
            let name = format!("{}, message {number}", self.name);
            let pause = self.dice.below(&format!("{name}, pause"), PAUSE_MS);
            context.sleep(Duration::from_millis(pause)).await;
            let length = self.dice.below(&format!("{name}, length"), PAYLOAD_MAX);
            let payload: Vec<u8> = name.bytes().cycle().take(length as usize).collect();
            let call = Gateway::sendMessageCall {
                recipient: self.recipient.encode().into(),
                payload: payload.into(),
                attributes: vec![],
            };
            let gateway = self.gateways[number % self.gateways.len()];
            self.progress.lane(&self.name, |lane| lane.in_doubt = true);
            let sent = self.account.send(Call::new(gateway, call.abi_encode().into())).await;
            self.trace.note(&context, format_args!("{name} sent: {sent:?}"));
            self.progress.lane(&self.name, |lane| match &sent {
                Ok(outcome) if outcome.success => {
                    lane.in_doubt = false;
                    lane.sent += 1;
                }
                // It may stand in a block all the same.
                _ => lane.doubts += 1,
            });
        }
    }
}
