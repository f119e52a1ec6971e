//! Applications: they send messages through the gateways, at times of their own.

use super::{Context, World, config::{Dice, USER}};
use crate::chain::{SimAccount, dev_key};
use alloy_sol_types::SolCall as _;
use commonware_runtime::{Clock as _, Handle, Spawner as _, Supervisor as _};
use hum_chain::{Call, Submit as _, contracts::Gateway};
use hum_types::InteropAddress;
use std::time::Duration;

/// The longest pause between two messages of one application, in milliseconds.
const PAUSE_MS: u64 = 700;
/// The longest payload, in bytes.
const PAYLOAD_MAX: u64 = 300;

/// Start one application for each ordered pair of rollups. Each handle ends when its messages are in blocks.
pub(super) fn start(world: &World) -> Vec<Handle<()>> {
    let rollups = &world.cast.rollups;
    let mut applications = Vec::new();
    for source in rollups {
        for destination in rollups.iter().filter(|other| other.chain.chain_id() != source.chain.chain_id()) {
            let name = format!("{} to {}", source.chain.chain_id(), destination.chain.chain_id());
            let context = world.context.child("application").with_attribute("lane", name.replace(' ', "_"));
            let account = SimAccount::new(
                source.chain.clone(),
                dev_key(USER),
                context.child("account"),
                Duration::from_millis(world.config.node_latency_ms),
            );
            let recipient =
                InteropAddress { chain_id: destination.chain.chain_id(), address: world.cast.addresses.inbox };
            let application = Application {
                dice: Dice(world.config.seed),
                name,
                account,
                gateway: world.cast.addresses.gateways[0],
                recipient,
                messages: world.config.messages,
                trace: world.trace.clone(),
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
    gateway: hum_types::Address,
    recipient: InteropAddress,
    messages: usize,
    trace: super::Trace,
}

impl Application {
    async fn run(self, context: Context) {
        for number in 0..self.messages {
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
            let sent = self.account.send(Call::new(self.gateway, call.abi_encode().into())).await;
            self.trace.note(&context, format_args!("{name} sent: {sent:?}"));
        }
    }
}
