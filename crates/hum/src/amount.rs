//! Amounts as people write them.

use alloy_primitives::{U256, utils::format_units};

/// Decimals of ether.
pub(crate) const ETHER: u8 = 18;

/// `12.5` with the decimals of its unit.
pub(crate) fn parse(text: &str, decimals: u8) -> eyre::Result<U256> {
    let parsed = alloy_primitives::utils::parse_units(text, decimals)
        .map_err(|error| eyre::eyre!("{text:?} is no amount with {decimals} decimals: {error}"))?;
    eyre::ensure!(!parsed.is_negative(), "{text:?} is negative");
    Ok(parsed.get_absolute())
}

/// The amount without needless zeros.
pub(crate) fn show(amount: U256, decimals: u8) -> String {
    let text = format_units(amount, decimals).unwrap_or_else(|_| amount.to_string());
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A magnitude, of which 10¹⁸ is all, in percent.
pub(crate) fn percent(magnitude: u64) -> String {
    format!("{} %", show(U256::from(magnitude), 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_shown() {
        let one_and_a_half = parse("1.5", ETHER).unwrap();
        assert_eq!(one_and_a_half, U256::from(1_500_000_000_000_000_000_u64));
        assert_eq!(show(one_and_a_half, ETHER), "1.5");
        assert_eq!(show(U256::ZERO, ETHER), "0");
        assert_eq!(show(U256::from(1_000), 0), "1000");
        assert_eq!(percent(600_000_000_000_000_000), "60 %");
        assert!(parse("-1", ETHER).is_err() && parse("x", ETHER).is_err());
    }
}
