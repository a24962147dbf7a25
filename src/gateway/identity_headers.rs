//! Identity is ours alone: what looks like it is removed from every request, then ours is set from the permit.

use super::rules::Rules;
use crate::http::fields::Fields;
use crate::policy::Permit;

/// Leaves in `fields` our word on who is asking, and nobody else's. Public routes too.
pub fn replace(fields: &mut Fields, permit: &Permit, rules: &Rules) {
    rules.filter.strip(fields);
    let Some(caller) = permit.caller() else { return };
    for (name, value) in rules.identity.pairs(&caller.headers) {
        if let Some(value) = value {
            fields.append(name.clone(), value.clone());
        }
    }
}
