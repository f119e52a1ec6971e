//! `hum operator register`: whatever is missing for a seat.

use super::{
    proceed::proceed,
    seat::{Wish, to_register},
    site::SiteArgument,
};
use crate::{amount, network::block_on, plan::HowArguments};
use eyre::eyre;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct RegisterArguments {
    #[command(flatten)]
    site: SiteArgument,
    #[command(flatten)]
    how: HowArguments,
    /// Tokens of your own that shall be restaked in all: what is missing is deposited.
    #[arg(long, value_name = "TOKENS")]
    deposit: Option<String>,
    /// Percent of your magnitude to allocate to Hum; all that is free when absent.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    allocate: Option<u8>,
    /// Blocks until your allocations count, for a new operator of EigenLayer; it holds for every network that you serve.
    #[arg(long, value_name = "BLOCKS", default_value_t = 1)]
    allocation_delay: u32,
    /// Where people find a description of you, for a new operator of EigenLayer.
    #[arg(long, value_name = "URL", default_value = "")]
    metadata: String,
}

pub(super) fn run(arguments: &RegisterArguments) -> eyre::Result<ExitCode> {
    let (site, secrets) = arguments.site.open()?;
    block_on(async {
        let deposit = match &arguments.deposit {
            Some(text) => {
                let view = site.view().await?;
                let strategy =
                    view.strategies.first().ok_or_else(|| eyre!("the network file names no strategy"))?;
                Some(amount::parse(text, strategy.decimals)?)
            }
            None => None,
        };
        let wish = Wish {
            deposit,
            allocate_percent: arguments.allocate,
            allocation_delay_blocks: arguments.allocation_delay,
            metadata_uri: arguments.metadata.clone(),
        };
        let plan = |view: &_| to_register(view, &site.contracts, site.domain(), &secrets.identity, &wish);
        proceed(&site, &secrets, &arguments.how, plan).await
    })
}
