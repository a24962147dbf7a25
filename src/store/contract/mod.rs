//! What every store must do, whichever backend it is: the behaviours of `Store`, and the list that runs each of them
//! against a backend. A new backend implements [`Home`] and adds one line to the end of this file.

mod accounts;
mod api_keys;
mod feed;
mod fixtures;
mod keys;
mod lasting;
mod mails;
mod one_time;
mod passwords;
mod races;
mod refresh;
mod sessions;
mod transfer;

use async_trait::async_trait;

use super::SharedStore;

/// A place where a store keeps its data. It can be opened again, as another process would.
#[async_trait]
pub trait Home: Send + Sync {
    async fn open(&self) -> SharedStore;

    /// Returns another place of this kind, still empty.
    fn another(&self) -> Box<dyn Home>;
}

macro_rules! run_contract {
    ($backend:ident, $home:expr) => {
        run_contract! { $backend, $home;
            accounts::a_user_is_found_by_each_of_their_names,
            accounts::a_field_that_is_not_mentioned_stays_and_an_empty_one_is_cleared,
            accounts::a_new_address_is_an_unverified_one,
            accounts::the_email_of_another_account_is_refused,
            accounts::the_username_of_another_account_is_refused,
            accounts::the_external_id_of_another_account_is_refused,
            accounts::a_profile_changes_field_by_field,
            accounts::two_accounts_without_a_name_may_stand_side_by_side,
            accounts::a_refused_update_changes_nothing,
            accounts::a_user_whose_first_session_fails_is_not_made,
            accounts::a_row_imported_twice_is_refused_for_its_email,
            accounts::users_are_listed_in_pages_by_id,
            accounts::a_deleted_user_is_gone_with_every_session,
            accounts::what_is_unknown_is_not_found,
            passwords::a_changed_password_ends_every_session_but_the_kept_one,
            passwords::a_password_changed_meanwhile_is_not_overwritten,
            passwords::a_sign_in_against_the_old_password_begins_no_session,
            passwords::an_upgraded_hash_ends_nothing,
            passwords::a_hash_changed_meanwhile_is_not_upgraded,
            sessions::a_session_is_kept_as_it_was_begun,
            sessions::sessions_are_listed_newest_first_and_only_live_ones,
            sessions::a_disabled_users_sessions_end_and_none_begins,
            sessions::a_session_ends_once,
            sessions::ending_a_users_sessions_spares_the_kept_one_and_other_users,
            sessions::pruning_takes_only_sessions_of_which_no_token_lives,
            refresh::a_rotation_is_stored_with_where_it_came_from,
            refresh::a_repeat_within_grace_keeps_the_successor,
            refresh::a_replay_ends_the_session,
            refresh::an_expired_session_ends,
            refresh::without_rotation_the_token_is_kept,
            refresh::another_users_token_has_no_effect,
            refresh::a_session_that_ended_stays_ended,
            refresh::the_last_access_expiry_never_falls,
            api_keys::a_key_is_found_by_its_digest_with_its_user,
            api_keys::keys_are_listed_newest_first,
            api_keys::a_deleted_key_is_gone_and_told_of_like_a_session,
            api_keys::a_key_is_deleted_for_its_own_user_alone,
            api_keys::who_is_not_active_gets_no_key,
            api_keys::no_user_has_more_keys_than_they_may,
            api_keys::a_last_use_never_falls,
            api_keys::a_deleted_users_keys_are_gone,
            keys::a_key_is_made_once_per_algorithm,
            keys::a_rotated_key_signs_and_the_old_one_is_retired,
            keys::a_retired_key_is_pruned_when_its_time_has_come,
            keys::a_known_key_can_come_back_into_use,
            keys::a_key_that_waits_for_its_turn_leaves_the_old_one_signing_until_then,
            keys::a_rotation_that_comes_second_makes_no_key,
            keys::a_plain_key_is_sealed_once_and_keeps_its_place,
            transfer::what_was_imported_reads_as_it_did_in_the_other_store,
            transfer::importing_again_changes_nothing,
            transfer::what_is_here_under_the_same_id_is_replaced,
            transfer::a_batch_that_fails_leaves_nothing,
            transfer::numbers_of_changes_go_on_from_the_imported_ones,
            transfer::an_imported_name_is_taken_and_opens_its_account,
            transfer::a_moved_mail_is_sent_once_and_its_token_is_good_there,
            transfer::whatever_the_ids_all_of_a_kind_come_once_and_in_order,
            mails::a_claimed_mail_comes_with_its_user_and_a_live_token,
            mails::a_mail_to_nobody_is_taken_and_then_dropped,
            mails::an_address_that_is_verified_is_not_asked_about_again,
            mails::a_mail_that_is_asked_for_twice_waits_once,
            mails::a_full_outbox_says_so_and_still_renews_what_waits,
            mails::a_claim_ends_with_its_lease_and_another_one_may_send,
            mails::a_mail_that_could_not_be_sent_waits_until_its_next_attempt,
            mails::the_outbox_survives_a_death,
            mails::sixteen_senders_send_each_mail_once,
            one_time::a_reset_replaces_the_password_and_ends_every_session_once,
            one_time::a_reset_makes_every_other_token_of_the_user_void,
            one_time::a_reset_of_an_unverified_account_ends_the_keys_of_whoever_had_it,
            one_time::a_verified_address_is_told_of_and_its_tokens_are_spent,
            one_time::a_token_is_good_for_its_own_purpose_and_time_alone,
            one_time::a_new_address_makes_tokens_for_the_old_one_void,
            one_time::a_disabled_users_tokens_are_void_for_good,
            one_time::a_changed_password_makes_resets_void_and_takes_their_mails_back,
            one_time::pruning_forgets_what_is_too_late,
            one_time::sixteen_resets_with_one_token_make_one_password,
            feed::each_change_has_its_line_in_order,
            feed::what_fails_leaves_no_line,
            feed::an_end_is_remembered_until_its_last_access_token_is_dead,
            feed::pruning_never_takes_numbers_back,
            feed::an_end_that_must_be_remembered_is_not_pruned,
            feed::another_process_hears_of_changes,
            races::one_email_goes_to_one_of_sixteen,
            races::sixteen_refreshes_agree_on_one_successor,
            races::sixteen_starts_make_one_key,
            races::sixteen_rotations_of_one_key_make_one_key,
            races::a_refresh_never_survives_a_disabled_user,
            lasting::closing_and_opening_keeps_everything,
            lasting::dropping_without_closing_keeps_what_was_acknowledged,
            lasting::a_closed_store_says_so,
            lasting::an_open_store_answers_ping,
        }
    };
    ($backend:ident, $home:expr; $($topic:ident::$behaviour:ident,)*) => {
        mod $backend {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    let Some(home) = $home else { return };
                    super::$topic::$behaviour(&home).await;
                }
            )*
        }
    };
}

run_contract!(memory, Some(crate::store::sqlite::tests::MemoryHome::new()));
run_contract!(sqlite, Some(crate::store::sqlite::tests::TestHome::new()));
// `None` where there is no server to ask; it has said so.
run_contract!(mongodb, crate::store::mongo::tests::TestHome::new());
