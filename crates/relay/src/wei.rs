//! Wei as JSON: a string of decimal digits, because an account can hold more than the numbers of most readers do.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

/// As digits.
pub fn serialize<S: Serializer>(wei: &u128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(wei)
}

/// From digits.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let digits = String::deserialize(deserializer)?;
    digits.parse().map_err(|error| D::Error::custom(format!("{digits:?} is no amount of wei: {error}")))
}

#[cfg(test)]
mod tests {
    use crate::Counts;

    #[test]
    fn more_wei_than_64_bits_hold_can_be_shown() {
        let counts = Counts { balance_wei: 10_u128.pow(24), spent_wei: u128::MAX, ..Counts::default() };
        let json = serde_json::to_value(counts).unwrap();
        assert_eq!(json["balance_wei"], "1000000000000000000000000");
        assert_eq!(serde_json::from_value::<Counts>(json.clone()).unwrap(), counts);
        let mut bad = json;
        bad["balance_wei"] = "12 wei".into();
        assert!(serde_json::from_value::<Counts>(bad).is_err());
    }
}
