//! Vestibule: the room in front of your apps. One process terminates TLS, signs people in, checks every request, and hands it
//! to the app behind with the caller's identity in headers. This page says how the inside is shaped: which room a line of code
//! belongs to, and what that room may touch. `tests/tidy.rs` holds the same rules as a test.
//!
//! # Threads and rooms
//!
//! ```text
//!   clients                     operators' probes                               commands (user, session, key, …)
//!      │                              │                                             │ another process, the same store
//! ┌────┼──────────────────────────────┼───────────────────────────────────────┐     │
//! │    │ the kernel spreads       ┌───┴────────┐ a thread each:               │     │
//! │    │ connections over the     │ ops        │ health, metrics;             │     │
//! │    │ workers; who has more    │ redirect   │ plain HTTP to https          │     │
//! │    │ than others hands on     └────────────┘                              │     │
//! │ ┌──┴─────────────────────────────────────┐ our own  ┌───────────────────┐ │     │
//! │ │ worker, one per core, single-threaded  │ paths    │ office            │ │     │
//! │ │                                        ├─────────►│ two threads       │ │     │
//! │ │ server   TLS, heads, deadlines         │◄─────────┤                   │ │     │
//! │ │ gateway  target → route → caller →     │ response │ api → account     │ │     │
//! │ │          policy → headers              │          │ reload, upkeep    │ │     │
//! │ │ upstream pool, retries, streams        │          └──┬─────────────┬──┘ │     │
//! │ └──┬──────────────────────────────────┬──┘             │             │    │     │
//! │    │        reads, never waits        │         ┌──────┴──────┐ ┌────┴──────────┴───┐
//! │    │    ┌─────────────────────────┐   │         │ hashers     │ │ store             │
//! │    │    │ rules · keys ·          │◄──┘         │ argon2id,   │ │ one writer thread,│
//! │    │    │ revocation state        │◄── told by ─┤ low priority│ │ group commit;     │
//! │    │    └─────────────────────────┘    account  └─────────────┘ │ reading threads   │
//! └────┼────────────────────────────────────────────────────────────┴───────────────────┘
//!      ▼
//!   the app behind
//! ```
//!
//! * Nothing on a worker blocks, hashes or touches the store. Workers share no lock of ours on the way of a proxied request but
//!   those of rate limits, where one is set; connections to upstreams belong to the worker that opened them.
//! * The office runs what may be slow. Requests for our own endpoints are handed to it with their bodies read; how many may be
//!   under way is bounded, and one more is refused rather than queued. So are the hashers' queue and the writer's.
//! * One thread owns stdout. Access and audit lines go to it through bounded buffers; when nobody reads, access lines are lost
//!   and counted before a worker would wait. The log of the process itself is on stderr.
//!
//! # Two stories
//!
//! *Serving* must be fast and can never change users. It is [`gateway::Gateway::serve`], one screen:
//! accept → TLS → HTTP → canonical target → route → who is asking → may they → identity headers → upstream → stream back.
//!
//! *Accounts* must be right and may be slow: endpoint → limits → store → password hash → session record → tokens → audit.
//! Every use case is a method of [`account::Accounts`]; [`api`] turns JSON into a call of it and its result into JSON.
//!
//! They meet in three values: the signing keys and what tokens are held against ([`auth::Trust`]), the revocation state
//! ([`auth::Revocations`]), and the live rules ([`server::dispatch::Edge`], swapped whole at a reload; a request keeps the snapshot
//! it began with). What an account's change means for serving goes one way, and always the same: committed to the store, read
//! back as a change by [`account::feed`], told to the revocation state, and only then answered. A task does the same four times a
//! second for changes that another process made.
//!
//! # Who may import whom
//!
//! | storey | rooms | |
//! |---|---|---|
//! | leaves | [`clock`] [`secret`] [`identity`] [`live`] [`http`] | small values; import only each other |
//! | pure | [`policy`] [`route`] [`token`] [`password`] [`limit`] | decide; no socket, no store, no clock: `now` comes in |
//! | world | [`telemetry`] [`tls`] [`mail`] [`store`] [`upstream`] | touch the machine; decide nothing about callers |
//! | | [`auth`] | credential → caller: bearer tokens, ours and trusted issuers', the cache, revocation |
//! | | [`account`] | use cases; no HTTP type |
//! | edges | [`gateway`] [`api`] | requests in, responses out |
//! | | [`server`] | listeners, connections; `dispatch` and `visit` join the edges to them |
//! | outside in | [`config`], [`app`], [`cli`] | text → settings; settings → running parts; commands |
//!
//! A room imports from its own storey, without circles, and from those above it in this table; never the other way. Beyond that:
//!
//! * `gateway` never imports `account`, `store` or `config`: serving traffic can't change users.
//! * `api` never imports `store` or `upstream`: no rule hides in a handler.
//! * `config` is imported by `app` and `cli` alone; `app::edge` and `app::parts` translate settings into each room's own.
//! * `store` holds no rule, and `http` knows no user.
//!
//! # What must stay true
//!
//! * **One canonical target.** [`http::target::Target`] is read once. The form by which the route is chosen is the form that is
//!   forwarded; what two parsers could read two ways is refused, not repaired.
//! * **One maker of a permit.** Only [`policy::decide`] makes a [`policy::Permit`], and [`upstream::forward`] asks for one.
//!   Claims are made and checked in [`token::claims`] alone.
//! * **Identity is ours alone.** [`gateway::identity_headers::replace`] strips whatever reads like an identity header and sets
//!   ours, on public routes too, after `Connection` had its say and trailers included.
//! * **The cache holds facts, not verdicts:** "this token's signature and times are good, and this is who it stands for". Policy
//!   is asked for every request, and `exp` and revocation are looked at on every hit.
//! * **An algorithm is a property of a key,** never of a token's header.
//! * **Store methods are whole intents,** each atomic: never get-then-put. An acknowledged write is on disk.
//! * **Time comes in as an argument.** Only [`clock`] reads it.
//! * **Refusals become responses in two places:** [`gateway::Refusal`] and `api::error`, each by one match without a catch-all.
//! * **Secrets are [`secret::Secret`]**, which can't be printed. No log line shows a header, a query or a body.
//!
//! # Choices that a newcomer may wonder about
//!
//! * *Our own JWS over aws-lc* instead of the usual crate: keys are parsed once and not on every signature, and what is lax elsewhere
//!   (a time that is a string counts as absent, leeway by default) is strict here.
//! * *A table of endpoints* in `api` instead of a router: look-up, `Allow`, `openapi.json` and the tests read the same
//!   table, and the serving path asks it whether a path is ours without allocating.
//! * *Our own HTTP* on both sides (`server::http1`, [`server::http2`], `upstream`; their grammar in [`http::wire`] and [`http::hpack`]):
//!   libraries accept what two parsers could read two ways (bare line feeds, repeated framing fields, a fragment that is cut off), and a
//!   check in front of one reads every head twice. Fields go from client to app as the lines that they came in. An idle connection has
//!   no buffer: over HTTP/2 that and the rest take a fifth of the memory, and three quarters of the time.
//! * *Every worker accepts, and hands on* what it has too many of: a thread that accepts for all of them wakes another one for each
//!   connection, and the kernel alone spreads them by hash (`server::acceptor` has the figures).
//! * *A mail's token is made when the mail is sent,* not when it is asked for: the outbox then holds no token, a request costs the
//!   same whether or not anybody has the address, and a mail that had to wait brings a link that works.
//! * *Unwinding stays on:* a panic costs its own request, not the process.

pub mod clock;
pub mod identity;
pub mod live;
pub mod secret;

pub mod http;
pub mod limit;
pub mod password;
pub mod policy;
pub mod route;
pub mod token;

pub mod mail;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod upstream;

pub mod account;
pub mod auth;

pub mod api;
pub mod gateway;
pub mod server;

pub mod app;
pub mod cli;
pub mod config;
