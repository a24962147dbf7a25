//! `vestibule user import` and `export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ConfigFile;

#[derive(Debug, Args)]
#[command(after_help = IMPORT_HELP)]
pub struct ImportUsers {
    #[command(flatten)]
    pub file: ConfigFile,
    /// How the users are written
    #[arg(long, value_enum)]
    pub format: Format,
    /// The table or collection that they are in
    #[arg(long, value_name = "NAME", default_value = "users", visible_alias = "collection")]
    pub table: String,
    /// A ready map for a system that they come from
    #[arg(long, value_enum)]
    pub profile: Option<Origin>,
    /// Where a field of ours is found there: a name, a path such as name.first, several with `|`, or nothing; repeat it
    #[arg(long, value_name = "FIELD=PATH")]
    pub map: Vec<String>,
    /// Say what would happen and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write why rows were refused to this file, as JSON lines, instead of to stderr
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// A file, or - for stdin; with mongodb a URI that names the database, or env:NAME for the variable that holds it
    #[arg(value_name = "FILE|URI")]
    pub source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A JSON object a line, as `vestibule user export` and mongoexport write it
    Jsonl,
    /// With a header, as PostgreSQL's COPY … CSV HEADER writes it
    Csv,
    /// A table of an SQLite file
    Sqlite,
    /// A collection of a MongoDB database
    Mongodb,
}

/// Systems whose fields are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Origin {
    RavynMongoz,
    RavynEdgy,
    AuthJwt,
    Zentra,
}

const IMPORT_HELP: &str = "\
Fields: id external_id email username first_name last_name full_name phone roles role.NAME is_active email_verified
password_hash created_at profile profile.NAME. What [auth.user_fields] declares is found under its own name.

Passwords come as hashes: argon2i, argon2id, bcrypt (2a, 2b, 2y), PBKDF2 and scrypt, as passlib, Django and the PHC string
format write them. Each becomes argon2id at its owner's next sign-in. bcrypt looks at the first 72 bytes of a password alone.

A row that can't be used is reported with its line and field, the rest come, and the exit code is 1. Who is here already stays as
they are, so the same import can be run again.

Examples:
  vestibule user import --format jsonl --profile ravyn-mongoz users.jsonl --dry-run
  vestibule user import --format csv --map email=mail --map password_hash=pw users.csv --report refused.jsonl
  vestibule user import --format sqlite --table auth_user --map password_hash=password app.db";

#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub struct ExportUsers {
    #[command(flatten)]
    pub file: ConfigFile,
}

const EXPORT_HELP: &str = "\
Writes a JSON object a line to stdout, with password hashes: keep it as you keep the store.

Example:
  (umask 077; vestibule user export > users.jsonl)";
