//! Mistakes planted on purpose: each of them is caught by a test, or the tests prove nothing.

use std::panic::catch_unwind;

use splynx_sageone::planted::{Mistake, plant};

use crate::{
    births, crashes, cures, customers, documents, doubts, listed, lookalikes, money, ownership,
    payments, previews, retyped, settings_hold, untold, watch, whole,
};

/// A test that catches a mistake.
fn catcher(mistake: Mistake) -> fn() {
    match mistake {
        Mistake::CursorFirst => crashes::a_tiny_sync_can_die_at_any_place,
        Mistake::LastPageDropped => {
            whole::a_company_that_holds_everything_already_gets_nothing_twice
        }
        Mistake::IgnoredSearchMeansDeleted => documents::changes::what_is_deleted_after_it_went_to_sage_is_owed_and_a_failed_read_is_no_deletion,
        Mistake::TiesTheOtherWay => money::a_few_thousand_invoices_come_out_to_the_cent,
        Mistake::TotalNotCompared => {
            documents::exclusive_totals_that_rounding_moves_are_held_with_their_difference_until_a_person_cures_them
        }
        Mistake::AdoptedByNumber => cures::a_number_that_is_taken_is_held_until_the_document_is_gone_from_sage,
        Mistake::Echo => {
            payments::what_may_be_in_sage_already_waits_and_what_came_from_there_never_returns
        }
        Mistake::ListedIsNoDoubt => {
            lookalikes::a_possible_duplicate_stays_one_when_its_receipt_was_listed
        }
        Mistake::SameDayOnly => lookalikes::money_of_nearby_days_waits_for_a_word_on_both_sides,
        Mistake::HalfIsWatched => {
            watch::a_receipt_that_is_deleted_or_moved_in_sage_is_found_within_a_day
        }
        Mistake::DoneForEver => watch::what_changes_after_it_was_done_by_hand_is_listed_again,
        Mistake::HashNotKept => {
            documents::changes::a_changed_invoice_updates_its_document_and_keeps_what_sages_users_wrote
        }
        Mistake::FieldsForgotten => {
            customers::every_field_that_both_sides_have_is_kept_in_step_and_no_other
        }
        Mistake::NobodyWoken => {
            cures::a_missing_mapping_holds_the_record_with_its_cure_and_setting_it_lets_it_go
        }
        Mistake::PoisonStops => {
            doubts::a_record_that_cannot_be_understood_is_held_and_the_others_go_on
        }
        Mistake::PreviewForgets => previews::every_job_does_exactly_what_its_preview_lists,
        Mistake::ListBelieved => {
            listed::what_a_number_found_is_read_again_before_it_is_adopted_or_blamed
        }
        Mistake::LooksProve => {
            ownership::a_receipt_whose_reference_ends_like_an_old_key_is_a_receipt_like_any_other
        }
        Mistake::UpdateBlind => {
            ownership::what_a_person_changed_in_sage_is_not_overwritten_without_a_persons_word
        }
        Mistake::IdsBelieved => births::what_comes_back_under_a_known_id_is_held_and_what_sage_has_stays_as_it_is,
        Mistake::StampsBelieved => births::the_sweep_finds_what_splynx_has_and_no_list_of_changes_tells_of,
        Mistake::ClocksAgree => births::a_clock_that_is_behind_hides_nothing_and_is_told_once,
        Mistake::EditUnnoticed => untold::what_people_edit_in_sage_of_what_was_sent_is_listed_within_a_day,
        Mistake::RelationUnnoticed => untold::relations_that_change_alone_are_followed_within_a_day,
        Mistake::AllocationUnmissed => untold::an_allocation_that_is_taken_away_or_moved_in_sage_is_listed,
        Mistake::LookalikeBelieved => documents::collisions::a_document_typed_by_hand_is_a_possible_duplicate_until_a_person_decides,
        Mistake::RetypedBelieved => retyped::a_payment_that_is_deleted_and_entered_again_is_held,
        Mistake::LeftOutByOneJob => settings_hold::partners_to_leave_out_are_left_out_by_every_job_at_once,
        Mistake::NoIntent => crashes::a_tiny_sync_can_die_at_any_place,
        Mistake::TimeOutMeansUnsent
        | Mistake::FailedLookUpMeansAbsent
        | Mistake::AbsentAtOnce => doubts::a_lost_answer_is_not_taken_for_a_lost_request_while_lists_lag_or_fail,
    }
}

#[test]
fn every_planted_mistake_is_caught() {
    let mut missed = Vec::new();
    for mistake in Mistake::ALL {
        plant(Some(mistake));
        let began = std::time::Instant::now();
        let caught = catch_unwind(catcher(mistake)).is_err();
        println!("{mistake:?}: {caught} after {:?}", began.elapsed());
        plant(None);
        if !caught {
            missed.push(mistake);
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
