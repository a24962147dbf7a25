#!/bin/sh
# Fuzzes on a stable compiler, with no tool but cargo and a C++ compiler. A cold build takes 8 minutes of one core; after
# that a change of the product takes what a release build of its own code takes, and a change of a target some seconds.
#
#   run.sh TARGET [SECONDS [LIBFUZZER_OPTION …]]   one target, 60 s unless said otherwise
#   run.sh all [SECONDS]                           every target in turn, 5 s each unless said otherwise
#   run.sh TARGET FILE                             one input once more, to see why it failed
#   run.sh build                                   nothing but the build
#
# rules/TARGET.rs is what a target holds its input to; `cargo test --test fuzz` (smoke.rs) asks the same of some thousand inputs
# each, with every other test.
#
# seeds/TARGET (and seeds/TARGET.dict) are where a target begins. What it finds on its way goes to corpus/TARGET, so that
# the next run goes on from there; an input that breaks a rule is left in artifacts/TARGET, and the exit status is not 0.
set -eu
if [ -f "${2:-}" ]; then input=$(realpath "$2"); else input=; fi
cd "$(dirname "$0")"

host=$(rustc -vV | sed -n 's/^host: //p')
built=../../target/fuzz
# What cargo-fuzz passes, less its sanitizers, which need a nightly compiler, and less `--cfg fuzzing`, which changes what
# some crates do. Without `--target` build scripts would be instrumented too, and not link.
flags='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4'
for option in inline-8bit-counters pc-table trace-compares; do flags="$flags -Cllvm-args=-sanitizer-coverage-$option"; done

build() {
    # The same versions as in the product: what is not in its lock file is only what fuzzing needs.
    cp ../../Cargo.lock Cargo.lock
    CARGO_TARGET_DIR=$built RUSTFLAGS=$flags cargo build --release --target "$host" "$@"
}

fuzz() {
    target=$1 seconds=$2
    shift 2
    mkdir -p "corpus/$target" "artifacts/$target"
    dictionary=
    if [ -f "seeds/$target.dict" ]; then dictionary="-dict=seeds/$target.dict"; fi
    echo "== $target, $seconds s"
    "$built/$host/release/$target" "corpus/$target" "seeds/$target" $dictionary -artifact_prefix="artifacts/$target/" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "$@" </dev/null
}

case ${1:-} in
'' | -h | --help) sed -n '2,14s/^# \{0,1\}//p' run.sh ;;
build) build ;;
all)
    build
    failed=
    for file in fuzz_targets/*.rs; do
        name=$(basename "$file" .rs)
        fuzz "$name" "${2:-5}" -verbosity=0 || failed="$failed $name"
    done
    if [ -n "$failed" ]; then echo "failed:$failed" >&2 && exit 1; fi
    ;;
*)
    target=$1
    shift
    build --bin "$target"
    if [ -n "$input" ]; then exec "$built/$host/release/$target" "$input"; fi
    seconds=${1:-60}
    if [ $# -gt 0 ]; then shift; fi
    fuzz "$target" "$seconds" "$@"
    ;;
esac
