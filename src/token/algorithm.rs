//! The signature algorithms we sign with, by their JOSE names (RFC 7518, RFC 8037). There is no `none`, and no way to say it.

/// What a key signs with; fixed when the key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    EdDsa,
    Es256,
    Rs256,
    Hs256,
    Hs384,
    Hs512,
}

impl Algorithm {
    pub const ALL: [Self; 6] = [Self::EdDsa, Self::Es256, Self::Rs256, Self::Hs256, Self::Hs384, Self::Hs512];

    /// Returns the algorithm of that JOSE name: `EdDSA`, `ES256`, `RS256`, `HS256`, `HS384`, `HS512`.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// Whether signing and verifying share one secret, which is then configured and never published.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_is_found_by_its_own_name() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        }
    }

    #[test]
    fn none_and_other_spellings_are_no_algorithm() {
        for name in ["none", "None", "NONE", "", "eddsa", "hs256", "HS256 ", "RS384", "PS256", "ES256K", "Ed25519"] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }
}
