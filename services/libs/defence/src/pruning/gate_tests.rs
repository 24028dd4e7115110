use proptest::prelude::*;

use super::*;

fn gate() -> Gate {
    Gate::new(GateLimits {
        accuracy_drop: "0.1".parse().unwrap(),
        attack_success: "0.05".parse().unwrap(),
        doubt: "0.05".parse().unwrap(),
        settings_tried: NonZeroU32::MIN,
    })
}

fn attack(trigger: Trigger, before: usize, after: usize, images: usize) -> Attack {
    let of = |count| Proportion::new(count, images).unwrap();
    Attack { name: format!("{trigger} set"), trigger, before: of(before), after: of(after), changed: None }
}

fn kept() -> PairedAccuracy {
    PairedAccuracy::new(149, 146, 2, 0).unwrap()
}

fn answer(clean: PairedAccuracy, attacks: &[Attack]) -> GateAnswer {
    gate().judge(clean, JudgedOn::UnseenClasses, attacks, Suspicion::OutputLayer).answer
}

#[test]
fn repaired_takes_real_triggers_that_worked() {
    let synthetic = attack(Trigger::Synthetic, 10, 0, 400);
    let real = attack(Trigger::Real, 149, 1, 149);
    assert_eq!(answer(kept(), &[synthetic.clone(), real.clone()]), GateAnswer::Repaired);
    assert_eq!(answer(kept(), &[real]), GateAnswer::Repaired);
    assert_eq!(answer(kept(), &[synthetic]), GateAnswer::NoEvidenceLeft);
}

#[test]
fn clean_images_called_triggered_prove_nothing() {
    let fake = attack(Trigger::Real, 1, 0, 149);
    let synthetic = attack(Trigger::Synthetic, 90, 0, 149);
    let verdict =
        gate().judge(kept(), JudgedOn::AllClasses, &[fake.clone(), synthetic], Suspicion::OutputLayer);
    assert_eq!(verdict.answer, GateAnswer::NoEvidenceLeft);
    assert!(matches!(verdict.reasons[1], GateReason::NeverWorked { .. }), "{verdict:?}");
    assert_eq!(answer(kept(), &[fake]), GateAnswer::NotRepaired, "nothing else was tried");
    assert_eq!(answer(kept(), &[]), GateAnswer::NotRepaired);
}

#[test]
fn a_trigger_that_works_or_may_work_is_enough() {
    let real = attack(Trigger::Real, 149, 0, 149);
    for still in [attack(Trigger::Synthetic, 300, 40, 400), attack(Trigger::Real, 149, 90, 149)] {
        let verdict =
            gate().judge(kept(), JudgedOn::AllClasses, &[real.clone(), still], Suspicion::OutputLayer);
        assert_eq!(verdict.answer, GateAnswer::NotRepaired);
        let text = verdict.reasons[2].to_string();
        assert!(text.contains("the limit is 5.0 %"), "{text}");
    }
    let few = attack(Trigger::Real, 20, 0, 20);
    assert_eq!(answer(kept(), &[few]), GateAnswer::NotRepaired, "none of 20 bounds the rate by 13.9 % only");
}

#[test]
fn where_nothing_speaks_against_the_suspect_there_is_nothing_to_repair() {
    let idle = attack(Trigger::Synthetic, 21, 60, 400);
    let worked = attack(Trigger::Synthetic, 60, 0, 400);
    let lost = PairedAccuracy::new(149, 146, 12, 3).unwrap();
    let judge =
        |clean, attacks: &[Attack], suspicion| gate().judge(clean, JudgedOn::AllClasses, attacks, suspicion);
    for clean in [kept(), lost] {
        let verdict = judge(clean, std::slice::from_ref(&idle), Suspicion::None);
        assert_eq!(verdict.answer, GateAnswer::NothingToRepair, "however much the repair broke");
        assert_eq!(verdict.reasons.last(), Some(&GateReason::NothingFound));
        assert_eq!(verdict.given_up("no trigger was found").answer, GateAnswer::NothingToRepair);
    }
    let never = attack(Trigger::Real, 1, 0, 149);
    let verdict = judge(kept(), &[idle.clone(), never], Suspicion::None);
    assert_eq!(verdict.answer, GateAnswer::NothingToRepair, "a set that does not work is no sign");
    for suspicion in [Suspicion::NotAudited, Suspicion::OutputLayer, Suspicion::Alarms] {
        assert_eq!(judge(kept(), std::slice::from_ref(&idle), suspicion).answer, GateAnswer::NotRepaired);
    }
    assert_eq!(judge(kept(), &[worked], Suspicion::None).answer, GateAnswer::NoEvidenceLeft);
    assert_eq!(judge(kept(), &[], Suspicion::None).answer, GateAnswer::NotRepaired);
}

#[test]
fn what_only_covers_up_images_is_no_trigger() {
    let stamp = |after, changed| Attack {
        changed: Some([400, changed]),
        ..attack(Trigger::Synthetic, 300, after, 400)
    };
    assert_eq!(
        answer(kept(), &[stamp(40, 81)]),
        GateAnswer::NoEvidenceLeft,
        "half of what it changes goes elsewhere"
    );
    assert_eq!(answer(kept(), &[stamp(40, 60)]), GateAnswer::NotRepaired);
    let verdict = gate().judge(kept(), JudgedOn::AllClasses, &[stamp(40, 100)], Suspicion::OutputLayer);
    assert_eq!(
        verdict.reasons[1].to_string(),
        "\"synthetic set\" works on 10.0 % of images and changes the answers of 25.0 %: most go elsewhere"
    );
    // Nor does it speak against a suspect.
    let covers = Attack { changed: Some([100, 100]), ..attack(Trigger::Synthetic, 40, 40, 400) };
    let verdict = gate().judge(kept(), JudgedOn::AllClasses, &[covers], Suspicion::None);
    assert_eq!(verdict.answer, GateAnswer::NothingToRepair);
}

#[test]
fn what_people_wear_does_not_outweigh_real_triggers() {
    let glasses = attack(Trigger::Worn, 340, 340, 400);
    let real = attack(Trigger::Real, 149, 1, 149);
    assert_eq!(answer(kept(), std::slice::from_ref(&glasses)), GateAnswer::NotRepaired);
    assert_eq!(answer(kept(), &[glasses.clone(), real]), GateAnswer::Repaired);
    let works = attack(Trigger::Real, 149, 90, 149);
    assert_eq!(answer(kept(), &[glasses, works]), GateAnswer::NotRepaired);
}

#[test]
fn lost_accuracy_is_enough() {
    let real = attack(Trigger::Real, 149, 0, 149);
    let lost = PairedAccuracy::new(149, 146, 12, 3).unwrap();
    let verdict = gate().judge(lost, JudgedOn::UnseenClasses, &[real], Suspicion::OutputLayer);
    assert_eq!(verdict.answer, GateAnswer::NotRepaired);
    let text = verdict.reasons[0].to_string();
    assert!(text.contains("classes the repair never saw") && text.contains("limit is 10.0 %"), "{text}");
}

#[test]
fn words_are_the_published_ones() {
    use GateAnswer::{NoEvidenceLeft, NotRepaired, NothingToRepair, Repaired};
    for answer in [NotRepaired, NothingToRepair, NoEvidenceLeft, Repaired] {
        assert_eq!(serde_json::to_string(&answer).unwrap(), format!("\"{answer}\""));
        assert_eq!(answer.lets_through(), matches!(answer, NoEvidenceLeft | Repaired));
    }
    let verdict = gate().judge(
        kept(),
        JudgedOn::AllClasses,
        &[attack(Trigger::Real, 149, 0, 149)],
        Suspicion::OutputLayer,
    );
    let text = serde_json::to_string(&verdict).unwrap();
    assert_eq!(serde_json::from_str::<GateVerdict>(&text).unwrap(), verdict);
}

proptest! {
    #[test]
    fn more_hits_or_more_losses_never_help(
        lost in 0_usize..30, hits in 0_usize..30, more in 1_usize..10, before in 0_usize..=149,
    ) {
        let clean = |lost| PairedAccuracy::new(149, 149, lost, 0).unwrap();
        let attacks = |hits| [
            attack(Trigger::Synthetic, before, hits, 149),
            attack(Trigger::Real, before, hits, 149),
        ];
        let base = answer(clean(lost), &attacks(hits));
        prop_assert!(answer(clean(lost + more), &attacks(hits)) <= base);
        prop_assert!(answer(clean(lost), &attacks(hits + more)) <= base);
        prop_assert!(base != GateAnswer::Repaired || before > 7, "real triggers must have worked");
    }
}

#[test]
fn images_that_chose_among_settings_are_believed_less() {
    let mut limits = gate().limits;
    let bound = |limits| match Gate::new(limits)
        .judge(kept(), JudgedOn::AllClasses, &[], Suspicion::OutputLayer)
        .reasons[0]
    {
        GateReason::AccuracyKept { bound, .. } => bound,
        ref other => panic!("{other:?}"),
    };
    let one = bound(limits);
    limits.settings_tried = NonZeroU32::new(4).unwrap();
    assert!(bound(limits) > one + 0.005, "{} {one}", bound(limits));
}

#[test]
fn images_that_trained_prove_nothing() {
    let real = attack(Trigger::Real, 149, 0, 149);
    let verdict = gate().judge(kept(), JudgedOn::NotHeldOut, &[real], Suspicion::OutputLayer);
    assert_eq!(verdict.answer, GateAnswer::NotRepaired);
    assert!(verdict.reasons[0].to_string().contains("also ranked and trained"), "{}", verdict.reasons[0]);
}
