//! Decides whether a caller may pass a route, and nothing else. Pure: no clock, no store, no HTTP.
//! [`decide`] is the only maker of a [`Permit`], and an upstream can't be reached without one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::identity::{Caller, Role, Scope};

/// What a route asks of its callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody is asked who they are, and no identity is passed on.
    Public,
    /// Whoever shows a credential is known; whoever shows none goes on without identity.
    Optional,
    /// Only a known caller who meets the demands.
    Protected(Demands),
}

/// Any one of `roles` (when there are some) and all of `scopes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    pub roles: Vec<Role>,
    pub scopes: Vec<Scope>,
}

/// What each role grants.
pub type RoleScopes = BTreeMap<Role, Vec<Scope>>;

/// Returns the scopes that `roles` grant together, each once, in order.
pub fn granted_scopes(granted: &RoleScopes, roles: &[Role]) -> Vec<Scope> {
    let mut scopes: Vec<Scope> = roles.iter().filter_map(|role| granted.get(role)).flatten().cloned().collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// Leave to reach the upstream of the route it was made for.
#[derive(Clone, Debug)]
pub struct Permit {
    caller: Option<Arc<Caller>>,
}

impl Permit {
    /// Returns whom the upstream is told of.
    pub fn caller(&self) -> Option<&Arc<Caller>> {
        self.caller.as_ref()
    }
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The route wants a credential and none was shown.
    Unknown,
    MissingRole,
    MissingScope,
}

/// Returns leave to go on, or why not.
pub fn decide(access: &Access, caller: Option<Arc<Caller>>) -> Result<Permit, Denied> {
    let demands = match access {
        Access::Public => return Ok(Permit { caller: None }),
        Access::Optional => return Ok(Permit { caller }),
        Access::Protected(demands) => demands,
    };
    let caller = caller.ok_or(Denied::Unknown)?;
    let has_role = |role: &Role| caller.principal.roles.contains(role);
    if !demands.roles.is_empty() && !demands.roles.iter().any(has_role) {
        return Err(Denied::MissingRole);
    }
    if !demands.scopes.iter().all(|scope| caller.principal.scopes.contains(scope)) {
        return Err(Denied::MissingScope);
    }
    Ok(Permit { caller: Some(caller) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::identity::{Principal, SessionId, UserId};

    fn caller(roles: &[&str], scopes: &[&str]) -> Arc<Caller> {
        let principal = Principal {
            user_id: UserId::random(),
            session: SessionId::random(),
            email: None,
            username: None,
            roles: roles.iter().filter_map(|name| Role::parse(name)).collect(),
            scopes: scopes.iter().filter_map(|name| Scope::parse(name)).collect(),
        };
        Arc::new(Caller::new(principal, Timestamp::from_secs(0)))
    }

    fn protected(roles: &[&str], scopes: &[&str]) -> Access {
        Access::Protected(Demands {
            roles: roles.iter().filter_map(|name| Role::parse(name)).collect(),
            scopes: scopes.iter().filter_map(|name| Scope::parse(name)).collect(),
        })
    }

    #[test]
    fn a_public_route_passes_nobodys_identity_on() {
        let permit = decide(&Access::Public, Some(caller(&[], &[]))).expect("public");
        assert!(permit.caller().is_none());
    }

    #[test]
    fn an_optional_route_passes_identity_on_when_there_is_one() {
        assert!(decide(&Access::Optional, None).expect("optional").caller().is_none());
        assert!(decide(&Access::Optional, Some(caller(&[], &[]))).expect("optional").caller().is_some());
    }

    #[test]
    fn a_protected_route_refuses_nobody_in_particular() {
        assert_eq!(decide(&protected(&[], &[]), None).unwrap_err(), Denied::Unknown);
    }

    #[test]
    fn any_one_of_the_roles_is_enough_and_none_is_not() {
        let rule = protected(&["editor", "admin"], &[]);
        assert!(decide(&rule, Some(caller(&["admin"], &[]))).is_ok());
        assert_eq!(decide(&rule, Some(caller(&["reader"], &[]))).unwrap_err(), Denied::MissingRole);
    }

    #[test]
    fn every_scope_is_needed() {
        let rule = protected(&[], &["docs:read", "docs:write"]);
        assert!(decide(&rule, Some(caller(&[], &["docs:write", "docs:read"]))).is_ok());
        assert_eq!(decide(&rule, Some(caller(&[], &["docs:read"]))).unwrap_err(), Denied::MissingScope);
    }
}
