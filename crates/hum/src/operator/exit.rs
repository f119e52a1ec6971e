//! `hum operator exit`: out of the set, and everything back.

use super::{proceed::proceed, seat::to_exit, site::SiteArgument};
use crate::{network::block_on, plan::HowArguments};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct ExitArguments {
    #[command(flatten)]
    site: SiteArgument,
    #[command(flatten)]
    how: HowArguments,
}

pub(super) fn run(arguments: &ExitArguments) -> eyre::Result<ExitCode> {
    let (site, secrets) = arguments.site.open()?;
    block_on(proceed(&site, &secrets, &arguments.how, |view| to_exit(view, &site.contracts)))
}
