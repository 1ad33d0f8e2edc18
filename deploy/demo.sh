#!/usr/bin/env bash
# A walk through the platform that `make run` started here: every command is shown, run, and answered for real.
# `make demo`; what it printed once is docs/demo.md. It leaves a file, a few sessions and one revoked key behind.
set -euo pipefail
cd "$(dirname "$0")/.."
FIRST="${LOCAL_DIR:-.local}/first-run.json"
[ -e "$FIRST" ] || { echo "$FIRST is missing: start the platform first, in another terminal: make run"; exit 1; }
PYTHON="$PWD/.venv/bin/python"
QKD_URL=$("$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["api_url"].removesuffix("/api/v1"))' "$FIRST")
QKD_API_KEY=$("$PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["api_key"])' "$FIRST")
QKD_URL="${DEMO_URL:-$QKD_URL}" # where a proxy stands in front
export QKD_URL QKD_API_KEY
PLACE=$(mktemp -d)
trap 'rm -rf "$PLACE"' EXIT

qkdclient() { "$PYTHON" -m qkdclient "$@"; }
# The named fields of the JSON on standard input, one a line
pick() { "$PYTHON" -c '
import json, sys
found = json.loads(sys.stdin.read().splitlines()[-1])
for name in sys.argv[1:]:
    print(f"{name}: {found[name]}" if len(sys.argv) > 2 else found[name])' "$@"; }
# Ask until a field is no longer what it is while there is work
settled() { while :; do
    local now
    now=$("${@:2}" --json | pick status)
    case "$now" in "$1") sleep 0.5 ;; *) echo "$now"; return ;; esac
done; }
say() { printf '\n%s\n\n' "$*"; }
run() { printf '$ %s\n' "$1"; eval "$1"; }

say "1. A quantum key: BB84 over a channel with 2 % errors, judged before anything may use it."
run 'SESSION=$(qkdclient sessions generate --key-length 1024 --error-rate 0.02 --json | pick session_id)'
run 'settled pending qkdclient sessions get $SESSION'
run 'qkdclient sessions get $SESSION --json | pick sifted_key_length estimated_qber final_key_length keys_total'

say "2. The same, with somebody who measures every photon and sends another one on."
run 'TAPPED=$(qkdclient sessions generate --key-length 1024 --eavesdropper "{\"kind\": \"intercept_resend\", \"fraction\": 1.0}" --json | pick session_id)'
run 'settled pending qkdclient sessions get $TAPPED'
run 'qkdclient detections get $TAPPED --json | pick is_compromised qber_calculated confidence_level'

say "3. A message, under a pool key (X-Wing) and a quantum key that is used once; its context is needed to open it."
run 'echo -n "attack at dawn" > "$PLACE/order"'
run 'qkdclient messages encrypt "$PLACE/order" --context orders > "$PLACE/package.json"'
run 'qkdclient messages decrypt "$PLACE/package.json" --context orders; echo'
run 'qkdclient messages decrypt "$PLACE/package.json" --context lunch || echo "exit code $?"'

say "4. A file: encryption starts when it arrives."
run 'head -c 3000000 /dev/urandom > "$PLACE/report.bin"'
run 'FILE=$(qkdclient upload "$PLACE/report.bin" --type report --json | pick file_id)'
run 'qkdclient files get $FILE --json | pick status size pool_key_id quantum_key_id'
run 'qkdclient download $FILE -o - | cmp - "$PLACE/report.bin" && echo "the same bytes"'

say "5. Its pool key may be compromised: revoked, it encrypts nothing any more, and a job re-encrypts what was under it."
run 'KEY=$(qkdclient files get $FILE --json | pick pool_key_id)'
run 'qkdclient keys revoke $KEY --reason "laptop lost" --below-low-water --json > "$PLACE/revoked.json"; echo done'
run 'until [ "$(qkdclient files get $FILE --json | pick pool_key_id)" != "$KEY" ]; do sleep 0.5; done; echo "under another key"'
run 'qkdclient download $FILE -o - | cmp - "$PLACE/report.bin" && echo "the same bytes"'

say "6. Nothing of this changed without its entry in the trail, which verifies."
run 'JOB=$(qkdclient audit verify --json | pick job_id)'
run 'qkdclient jobs wait $JOB --json | pick state'
run 'qkdclient jobs get $JOB --json | pick results'
