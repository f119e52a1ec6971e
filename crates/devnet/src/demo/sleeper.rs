//! A light client that nobody feeds, until somebody brings it everything that it slept through.

use super::{DemoError, audit::Audit, scene::Scene};
use crate::network::connect;
use alloy::sol_types::SolCall;
use hum_chain::{
    At, Call, Chain as _, Submit as _,
    contracts::{Deployment, LightClient},
    rpc::{RpcChain, RpcSubmit},
};
use hum_node::api::CertificateFile;
use hum_types::{Address, Encode as _, Epoch, Height, SequencerKey};

/// Gas for a certificate or a table, with room.
const GAS: u64 = 6_000_000;

/// A light client of its own on the first rollup.
pub(super) struct Sleeper {
    chain: RpcChain,
    submit: RpcSubmit,
    light_client: Address,
}

impl Sleeper {
    /// Deploy it; it knows the first committee's table and nothing else.
    pub(super) async fn deploy(scene: &Scene) -> Result<Self, DemoError> {
        let secret = scene.network.dev_secret();
        let missing = |what: &str| failed("deploy a light client", what.to_owned());
        let rollup = scene.network.rollups.first().ok_or_else(|| missing("there is no rollup"))?;
        let (chain, submit) = connect(&rollup.chain, secret)?;
        let owner = SequencerKey::from_secret(secret).ok_or_else(|| missing("the secret is no key"))?;
        let table = &scene.network.file().committee.table;
        // Another owner than the network's: so it stands at another address.
        let deployment = Deployment { bootstrap: owner.address(), ..*scene.network.deployment() };
        let deployed = deployment.deploy(&chain, &submit, table, &[]).await;
        let light_client = deployed.map_err(crate::network::NetworkError::from)?.light_client;
        Ok(Self { chain, submit, light_client })
    }

    /// Bring it the certificate that closed each epoch and the table of the next, in order, then the newest certificate;
    /// whether it holds that.
    pub(super) async fn catch_up(&self, scene: &Scene, audit: &Audit) -> Result<bool, DemoError> {
        let slept = self.newest().await?;
        for (epoch, closing) in &audit.handovers {
            let held = self.certificate(scene, audit, *closing).await?;
            if held != *closing {
                let problem =
                    format!("height {closing}, which closed epoch {epoch}, has no certificate of its own");
                return Err(failed("catch up", problem));
            }
            let next = Epoch(epoch.0 + 1);
            let Some(committee) = audit.committees.get(&next) else { return Ok(false) };
            let table = committee.table().encode().into();
            self.send(LightClient::installTableCall { epoch: next.0, table }).await?;
        }
        let certified = scene.statuses().await.iter().map(|status| status.certified).max();
        let last = audit.handovers.values().next_back().copied().unwrap_or_default();
        let newest = certified.unwrap_or_default().max(last);
        let held = self.certificate(scene, audit, newest).await?;
        let found = self.newest().await?;
        scene.tell(format!(
            "a light client that slept since height {slept} took {} tables and holds height {found}",
            audit.handovers.len()
        ));
        Ok(slept == Height(0) && found == held)
    }

    /// Submit the certificate that covers a height; the height that it is about.
    async fn certificate(&self, scene: &Scene, audit: &Audit, height: Height) -> Result<Height, DemoError> {
        let CertificateFile { header, certificate } =
            scene.ask_any(&format!("/certificates/{height}")).await?;
        let refused = |problem: String| failed("bring a certificate", problem);
        let committee = audit.committees.get(&header.epoch);
        let committee = committee.ok_or_else(|| refused(format!("nobody knows epoch {}", header.epoch)))?;
        let verified = certificate
            .verify(committee.table(), scene.checked.domain)
            .map_err(|error| refused(error.to_string()))?;
        let bytes = verified.submission(&header).map_err(|error| refused(error.to_string()))?;
        self.send(LightClient::submitCall { certificate: bytes.into() }).await?;
        Ok(header.height)
    }

    async fn newest(&self) -> Result<Height, DemoError> {
        let call = LightClient::newestHeightCall {}.abi_encode();
        let read = |error| failed("ask a light client", format!("{error}"));
        let answer = self.chain.call(self.light_client, call.into(), At::LATEST).await.map_err(read)?;
        LightClient::newestHeightCall::abi_decode_returns(&answer)
            .map(Height)
            .map_err(|error| failed("ask a light client", error.to_string()))
    }

    async fn send(&self, call: impl SolCall) -> Result<(), DemoError> {
        let call = Call { gas_limit: Some(GAS), ..Call::new(self.light_client, call.abi_encode().into()) };
        let outcome = self.submit.send(call).await;
        let outcome = outcome.map_err(|error| failed("feed a light client", error.to_string()))?;
        if outcome.success {
            return Ok(());
        }
        Err(failed("feed a light client", format!("transaction {} reverted", outcome.tx_hash)))
    }
}

fn failed(what: &str, problem: String) -> DemoError {
    DemoError::Role { what: what.to_owned(), problem }
}
