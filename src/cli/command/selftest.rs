//! The arguments of `vestibule selftest`.

use std::path::PathBuf;

use clap::Args;

pub const SELFTEST_HELP: &str = "\
Examples:
  vestibule selftest https://app.example.com --protected /api
  vestibule selftest https://app.example.com -c vestibule.toml
  vestibule selftest https://127.0.0.1:8443 --insecure --protected /private --echo \\
      --email admin@example.com --password-stdin          against `vestibule demo`

Exit codes: 0 nothing got through, 1 something did, 69 nobody answers there.";

/// Sends, one after the other, what gateways of this kind were broken by (forged identity headers, paths that two parsers
/// read two ways, forged tokens, smuggled requests, …) and says of each whether it got through. Everything it sends is
/// harmless to an app behind. With credentials it also signs in, signs out, and uses tokens that must be dead by then.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag of the command line.
pub struct Selftest {
    /// Where the gateway is, such as https://app.example.com
    pub url: String,
    /// Take paths, header names and the place of our endpoints from this configuration file
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A path that everybody may see [default: /]
    #[arg(long, value_name = "PATH")]
    pub public: Option<String>,
    /// A path that only signed-in people may see
    #[arg(long, value_name = "PATH")]
    pub protected: Option<String>,
    /// Sign in with this e-mail address; the account must be allowed to see --protected
    #[arg(long, value_name = "ADDRESS", requires = "password_stdin")]
    pub email: Option<String>,
    /// Read the password of --email from the first line of stdin
    #[arg(long, requires = "email")]
    pub password_stdin: bool,
    /// Read an access token from the first line of stdin instead of signing in
    #[arg(long, conflicts_with = "email")]
    pub token_stdin: bool,
    /// Take any certificate
    #[arg(long, conflicts_with = "ca")]
    pub insecure: bool,
    /// Trust the certificates in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The app behind shows the request it received, as the demo's does: see what arrives there
    #[arg(long)]
    pub echo: bool,
    /// Print the results as JSON
    #[arg(long)]
    pub json: bool,
}
