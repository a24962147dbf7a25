#!/bin/sh
# Runs every public conformance suite that is installed, and our own, against the binary (VESTIBULE, else target/debug/vestibule).
# Ends with 1 if one fails; says how to install what is missing. README.md beside this file says what each one is.
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=$root/target/conformance
PATH=$tools/bin:$tools/venv/bin:$PATH:$tools/autobahn/bin
export PATH here
failed=0

run() {
    name=$1
    shift
    echo "== $name"
    "$@" || { echo "== $name FAILED"; failed=1; }
}

# Runs a command line with both gateways up; it finds their ports in its environment.
beside() { python3 "$here/harness.py" sh -c "$1"; }

have() {
    command -v "$1" >/dev/null && return 0
    echo "== $1 is missing: $2"
    return 1
}

run "HTTP/1.1 corpus" python3 "$here/http1_corpus.py"

if python3 -c 'import hpack, hyperframe' 2>/dev/null; then
    run "HTTP/2 corpus" python3 "$here/http2_corpus.py"
    run "floods" python3 "$here/floods.py"
else
    echo "== hpack and hyperframe are missing: python3 -m venv $tools/venv && $tools/venv/bin/pip install h2 sslyze websockets"
fi

if have h2spec "GOBIN=$tools/bin go install github.com/summerwind/h2spec/cmd/h2spec@latest"; then
    run "h2spec over TLS" beside 'h2spec -h 127.0.0.1 -p $TLS_PORT -t -k | tail -n 2 | tee /dev/stderr | grep -q " 0 failed"'
    run "h2spec in the clear" beside 'h2spec -h 127.0.0.1 -p $PLAIN_PORT | tail -n 2 | tee /dev/stderr | grep -q " 0 failed"'
fi

# The relay does the TLS, which this tool can't.
if have httpwg "cargo install --locked httpwg-cli --root $tools --target-dir $tools/cargo"; then
    run "httpwg in the clear" beside 'httpwg --frame-timeout 3000 --address 127.0.0.1:$PLAIN_PORT 2>&1 | grep -E "❌|Passed"'
    run "httpwg over TLS" beside 'httpwg --frame-timeout 3000 --address 127.0.0.1:$RELAY_PORT 2>&1 | grep -E "❌|Passed"'
fi

if have wstest "PyPI autobahntestsuite, under a Python 2.7; and websockets in $tools/venv"; then
    run "Autobahn" python3 "$here/autobahn.py"
fi

if have testssl "apt-get install testssl.sh"; then
    run "testssl.sh" beside '
        report=$(mktemp -d)/report.csv
        testssl --quiet --color 0 --warnings off --sneaky --nodns min --add-ca $CA_FILE --ip 127.0.0.1 --csvfile "$report" \
            https://localhost:$TLS_PORT >/dev/null
        ! grep -E "\"(LOW|MEDIUM|HIGH|CRITICAL|WARN)\"" "$report"'
fi

if have sslyze "$tools/venv/bin/pip install sslyze"; then
    run "sslyze" beside '
        said=$(sslyze --mozilla_config=intermediate --certinfo_ca_file=$CA_FILE localhost:$TLS_PORT | sed -n "/COMPLIANCE/,\$p")
        echo "$said"
        ! echo "$said" | grep "^ *\* " | grep -v certificate_path_validation'
fi

exit $failed
