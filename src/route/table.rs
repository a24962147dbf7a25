//! The table of routes: built once per configuration, read by every request.

use http::Method;

use super::pattern::{HostPattern, PathPrefix};
use crate::policy::Access;

/// One rule. `T` is what the gateway does with a match: its upstream and the like.
#[derive(Clone, Debug)]
pub struct Route<T> {
    pub host: HostPattern,
    pub path: PathPrefix,
    /// Empty: every method. Otherwise HEAD is matched where GET is.
    pub methods: Vec<Method>,
    pub access: Access,
    pub strip_prefix: bool,
    pub keep_encoded_slash: bool,
    pub then: T,
}

/// Every route of a configuration.
#[derive(Debug)]
pub struct Table<T> {
    routes: Vec<Route<T>>,
}

/// Two routes ask for the same requests: their places in the list that the table was built from.
#[derive(Debug, PartialEq, Eq)]
pub struct Duplicate {
    pub first: usize,
    pub second: usize,
}

/// Why a route does not serve a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    OtherHost,
    OtherPath,
    OtherMethod,
    /// It matches, but the route at this place is more specific.
    Outranked {
        by: usize,
    },
}

impl<T> Table<T> {
    /// Returns the table, or every pair that can't be told apart: same host, same path, and a method in common at equal rank.
    pub fn build(routes: Vec<Route<T>>) -> Result<Self, Vec<Duplicate>> {
        Ok(Self { routes })
    }

    /// Returns the route with the longest host, then longest path, then a list of methods, that matches; `host` and `path` canonical.
    /// Costs one look-up per path segment, however many routes there are.
    pub fn find(&self, host: &str, path: &str, method: &Method) -> Option<&Route<T>> {
        todo!("{host}{path}{method}")
    }

    /// Returns, for each route in configuration order, `Ok` for the one that [`Table::find`] returns and why not for the others.
    pub fn explain(&self, host: &str, path: &str, method: &Method) -> Vec<Result<(), Mismatch>> {
        todo!("{host}{path}{method}")
    }

    pub fn routes(&self) -> &[Route<T>] {
        &self.routes
    }
}
