//! Whoever attests what other code says of lanes would be slashed for it: such a profile is none.

use super::*;
use crate::members::tests::{C, member, profile};

#[test]
fn what_is_re_executed_sends_through_the_deployment_s_own_gateways() {
    let own = profile(C);
    let facades = own.gateways.facades();
    let made = || member(&own, C).unwrap();
    let registration = made().entry.registration;
    assert_eq!(checked(Ok(made()), registration, Some(facades)).unwrap().entry.gateways, own.gateways);
    assert!(checked(Ok(made()), registration, None).is_ok());
    for at in 0..3 {
        let mut others = facades;
        others[at] = Address::repeat_byte(0x99);
        let refused = checked(Ok(made()), registration, Some(others)).unwrap_err();
        assert_eq!(refused, "its gateways are not this deployment's");
    }
    let mut judged = made();
    judged.entry.class = Class::OwnNode;
    assert!(checked(Ok(judged), registration, Some([Address::ZERO; 3])).is_ok());
    let other = RegistrationId(B256::repeat_byte(1));
    let refused = checked(Ok(made()), other, Some(facades)).unwrap_err();
    assert_eq!(refused, format!("it makes registration {registration}"));
}
