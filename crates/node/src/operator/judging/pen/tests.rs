use super::*;
use commonware_runtime::{Runner as _, Supervisor as _, deterministic};
use hum_types::{BlockRef, ChainId, RegistrationId, TimeMs};

fn judgement(generation: u32, number: u64, hash: u8) -> Judgement {
    Judgement {
        chain_id: ChainId(1),
        registration: RegistrationId(B256::ZERO),
        generation: Generation(generation),
        block: BlockRef { number, hash: B256::repeat_byte(hash) },
        parent: B256::ZERO,
        state_root: B256::ZERO,
        time_ms: TimeMs(0),
        messages: B256::ZERO,
    }
}

#[test]
fn a_number_is_judged_once_in_a_generation_also_after_a_crash() {
    deterministic::Runner::default().start(|context| async move {
        let key = SecretKey::from_seed(b"judge");
        let open = |run: &'static str| {
            Pen::open(context.child(run), "judged".to_owned(), key.clone(), Domain(B256::ZERO))
        };
        let (one, other) = (judgement(0, 7, 1), judgement(0, 7, 2));
        let mut pen = open("first").await.unwrap();
        let signed = pen.sign(Epoch(1), Seat(0), one).await.unwrap().unwrap();
        assert!(pen.sign(Epoch(1), Seat(0), other).await.unwrap().is_none());
        drop(pen);

        let mut pen = open("second").await.unwrap();
        assert!(pen.sign(Epoch(1), Seat(0), other).await.unwrap().is_none());
        // The same again is no second one, and another epoch asks for it anew.
        assert_eq!(pen.sign(Epoch(1), Seat(0), one).await.unwrap(), Some(signed));
        let later = pen.sign(Epoch(2), Seat(1), one).await.unwrap().unwrap();
        assert_eq!((later.epoch, later.judgement), (Epoch(2), one));
        // A retraction opens the next generation, where the number is free; lower numbers are, too.
        assert!(pen.sign(Epoch(1), Seat(0), judgement(1, 7, 2)).await.unwrap().is_some());
        assert!(pen.sign(Epoch(1), Seat(0), judgement(0, 6, 2)).await.unwrap().is_some());
    });
}
