#!/usr/bin/env bash
# The units under a real systemd: one container, its checks as lines "ok N what (figures)" or "not ok N what (figures)".
#
# The container has /tmp, /run and /var of its own (--volatile=yes) and sees the machine only read-only. Never boot a
# systemd that shares one of them: it deletes everything below /tmp when it starts.
set -uo pipefail
cd "$(dirname "$0")/.."

skip() { echo "skipped: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "the units are tested as root only"
for program in systemd-nspawn systemd-analyze nsenter pgrep setpriv; do
  command -v "$program" >/dev/null || skip "$program is not installed"
done
binary="${CARGO_TARGET_DIR:-target}/debug/jobs"
[ -x "$binary" ] || { echo "$binary is missing: run cargo build" >&2; exit 1; }

# --- the container -----------------------------------------------------------------------------------------------

stage=$(mktemp -d "${TMPDIR:-/tmp}/frontmonth-systemd.XXXXXX")
machine="jobstest-$$"
outer='' leader=''

finish() {
  local code=$?
  if [ -n "$outer" ]; then
    kill "$outer" 2>/dev/null
    wait "$outer" 2>/dev/null
  fi
  rm -rf --one-file-system -- "$stage"
  rmdir "/run/systemd/nspawn/propagate/$machine" 2>/dev/null
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

chmod 755 "$stage"
mkdir -p "$stage"/usr/bin "$stage"/usr/lib/sysusers.d "$stage"/units "$stage"/etcjobs/schedules
ln "$binary" "$stage/usr/bin/jobs" 2>/dev/null || cp "$binary" "$stage/usr/bin/jobs"
cp systemd/sysusers.d/frontmonth.conf "$stage/usr/lib/sysusers.d/"
cp -r systemd/*.service systemd/*.timer systemd/jobs@*.service.d "$stage/units/"
cat > "$stage/units/jobs-test.target" <<'UNIT'
[Unit]
Requires=basic.target
After=basic.target
AllowIsolate=yes
UNIT

export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 # for a machine with both hierarchies of control groups
timeout -k 5 240 systemd-nspawn --quiet --directory=/ --volatile=yes \
  --machine="$machine" --register=no --keep-unit --private-network --console=pipe --link-journal=no \
  --overlay-ro=/usr:"$stage"/usr:/usr \
  --bind-ro="$stage"/units:/etc/systemd/system --bind-ro="$stage"/etcjobs:/etc/jobs \
  --boot systemd.unit=jobs-test.target systemd.log_target=journal </dev/null >"$stage/nspawn.log" 2>&1 &
outer=$!

# Runs a command inside.
ex() { nsenter -t "$leader" -a -- "$@"; }

is_up=''
for _ in $(seq 150); do
  inner=$(pgrep -P "$outer" | head -1)
  [ -n "$inner" ] && leader=$(pgrep -P "$inner" | head -1)
  [ -n "$leader" ] && [ "$(ex systemctl is-active basic.target 2>/dev/null)" = active ] && { is_up=yes; break; }
  kill -0 "$outer" 2>/dev/null || break
  sleep 0.1
done
[ -n "$is_up" ] || skip "no container comes up here: $(grep -v '^$' "$stage/nspawn.log" | tail -1)"

# --- words of the checks -----------------------------------------------------------------------------------------

number=0 failures=0 began=''

# Tells a check: its result, what it is about, its figures.
tell() {
  number=$((number + 1))
  if [ "$1" = 0 ]; then
    echo "ok $number $2 ($3)"
    return
  fi
  failures=$((failures + 1))
  echo "not ok $number $2 ($3)"
  ex journalctl --no-pager -o cat -n 12 -u jobs.service -u jobs@snapshot.service 2>/dev/null |
    cut -c1-300 | sed 's/^/    /'
}

# Tells whether a command holds.
check() {
  local what=$1 figures=$2
  shift 2
  "$@"
  tell $? "$what" "$figures"
}

now_ms() { date +%s%3N; }
mark() { began=$(now_ms); }
took() { echo "$(($(now_ms) - began)) ms"; }

# Waits until a command holds, at most so many seconds.
within() {
  local until=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(now_ms)" -lt "$until" ] || return 1
    sleep 0.05
  done
}

property() { ex systemctl show --value -p "$1" "${2:-jobs.service}"; }
is() { [ "$(property "$1")" = "$2" ]; }
is_another_process() { is ActiveState active && [ "$(property MainPID)" != "$1" ] && ! is MainPID 0; }
as_jobs() { ex setpriv --reuid=jobs --regid=jobs --init-groups jobs --config /etc/jobs/jobs.yaml "$@"; }
journal_has() { ex journalctl --no-pager -o cat -u "$1" 2>/dev/null | grep -q -- "$2"; }
num_alerts() { ex journalctl --no-pager -o cat -u 'jobs-alert@*' 2>/dev/null | grep -c 'the unit failed'; }
alerts_are() { [ "$(num_alerts)" -ge "$1" ]; }

# Whether exactly so many alerts have come since there were $2, also a second later.
alerted_exactly() {
  within 10 alerts_are $(($2 + $1)) || [ "$1" = 0 ] || return 1
  sleep 1
  [ "$(num_alerts)" = $(($2 + $1)) ]
}

# A configuration with lake and state of its own, and schedules from stdin.
configure() {
  local name=$1 gateway=$2 futures=$3
  cat > "$stage/etcjobs/schedules/jobs.yaml"
  cat > "$stage/etcjobs/jobs.yaml" <<YAML
gateway: $gateway
market: { futures: $futures, spot: [] }
lake: { uri: /var/lib/jobs/$name/lake }
paths: { state: /var/lib/jobs/$name/state, logs: /var/log/jobs, schedules: /etc/jobs/schedules }
YAML
}

readonly embedded='{ kind: simulated }' outside='{ kind: simulated, address: "127.0.0.1:4004" }'
idle() {
  cat <<'YAML'
jobs:
  backfill:
    schedule: { at: cme_equity.close + 15m }
YAML
}

# Ends the daemon and forgets its failures.
quiet() {
  ex systemctl stop jobs.service 2>/dev/null
  ex systemctl reset-failed 2>/dev/null
}

# Runs a simulated gateway inside with these faults.
gateway() {
  ex systemctl stop gateway.service 2>/dev/null
  ex systemd-run --quiet --collect --unit=gateway jobs gateway simulate --port 4004 "$@"
  within 10 ex bash -c 'exec 3<>/dev/tcp/127.0.0.1/4004' 2>/dev/null
}

# Whether the ledger has a run of the job in this state.
ledger_has() { as_jobs history "$1" --status "$2" --format jsonl 2>/dev/null | grep -q .; }
is_newest() { as_jobs history "$1" -n 1 --format jsonl 2>/dev/null | grep -q "\"state\":\"$2\""; }
has_rows() { as_jobs show futures_snapshots --last 1 --format jsonl 2>/dev/null | grep -q .; }

newest_slot() { echo $(($(date +%s) / 300 * 300)); }
iso() { date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ; }
# A slot belongs to a session whose open lies before it.
is_open() { as_jobs calendar is-open cme_equity --at "$(iso $(($(newest_slot) - 1)))" >/dev/null 2>&1; }

# Counts for each symbol, from the oldest row to $1, the slots without a row, and all rows whose key is there before.
# Prints "HOLES holes, DOUBLES doubled, ROWS rows"; holds if there are rows, and no hole and no double.
is_whole() {
  local until=$1 rows="$stage/rows" spans="$stage/spans" first
  as_jobs show futures_snapshots --last 1000000 --format jsonl > "$rows.jsonl" || return 1
  sed -E 's/.*"symbol":"([^"]+)".*/\1/' "$rows.jsonl" > "$rows.symbols"
  sed -E 's/.*"timestamp":"([^"]+)".*/\1/' "$rows.jsonl" | date -u -f - +%s | paste -d' ' "$rows.symbols" - > "$rows"
  first=$(sed -E 's/.*"date":"([^"]+)".*/\1/' "$rows.jsonl" | sort | head -1)
  [ -n "$first" ] || { printf 'no rows'; return 1; }
  as_jobs calendar sessions cme_equity --from "$first" --to "$(date -u -d tomorrow +%F)" --format jsonl > "$spans.jsonl"
  for edge in open close; do
    sed -E "s/.*\"${edge}_utc\":\"([^\"]+)\".*/\1/" "$spans.jsonl" | date -u -f - +%s > "$spans.$edge"
  done
  paste -d' ' "$spans.open" "$spans.close" > "$spans"
  awk -v until="$until" '
    FNR == NR { doubled += ($1 " " $2 in seen); seen[$1 " " $2] = 1; symbols[$1] = 1; rows++; next }
    { for (at = $1 + 300; at <= $2 && at <= until; at += 300) for (s in symbols) holes += !((s " " at) in seen) }
    END { printf "%d holes, %d doubled, %d rows", holes, doubled, rows; exit holes + doubled > 0 || rows == 0 }
  ' "$rows" "$spans"
}

# --- the checks --------------------------------------------------------------------------------------------------

# Shorter waits; what they bound stays the same.
ex mkdir -p /run/systemd/system/jobs.service.d
ex tee /run/systemd/system/jobs.service.d/test.conf >/dev/null <<'UNIT'
[Service]
WatchdogSec=3s
TimeoutAbortSec=2s
RestartSec=300ms
UNIT
ex systemctl daemon-reload

verified=$(ex systemd-analyze verify --man=no jobs.service jobs@snapshot.service jobs@backfill.service \
  jobs@compaction.service jobs-alert@x.service $(cd systemd && echo *.timer) 2>&1)
check "all units pass systemd-analyze verify" "${verified:-no complaint}" test $? = 0 -a -z "$verified"

idle | configure steady "$embedded" '[ES]'
mark
ex systemctl start jobs.service
check "the start returns when the daemon is ready" "$(took)" is ActiveState active
status=$(property StatusText)
check "the status tells the next firing" "$status" grep -q 'backfill' <<<"$status"

pid=$(property MainPID)
mark
ex systemctl kill --signal=KILL --kill-whom=main jobs.service
within 15 is_another_process "$pid"
tell $? "a killed daemon is started again" "$(took), $(property NRestarts) restart"

pid=$(property MainPID)
mark
ex systemctl kill --signal=STOP --kill-whom=main jobs.service
within 20 is_another_process "$pid" && journal_has jobs.service "Watchdog timeout"
tell $? "the watchdog ends a daemon that hangs, and it is started again" "$(took) with WatchdogSec=3s"
check "restarts alert nobody" "$(num_alerts) alerts" alerted_exactly 0 0

pid=$(property MainPID)
cp "$stage/etcjobs/jobs.yaml" "$stage/sound.yaml"
echo 'gatewy: {}' > "$stage/etcjobs/jobs.yaml"
ex systemctl reload jobs.service
within 5 journal_has jobs.service gatewy && is ActiveState active && is MainPID "$pid"
tell $? "a reload with a broken file is told, and the daemon goes on" "$(property ActiveState), the same process"
cp "$stage/sound.yaml" "$stage/etcjobs/jobs.yaml"

quiet
before=$(num_alerts)
cp systemd/jobs.yaml "$stage/etcjobs/jobs.yaml"
ex systemctl start jobs.service 2>/dev/null
within 5 is ActiveState failed && is ExecMainStatus 78 && is NRestarts 0 && alerted_exactly 1 "$before"
tell $? "the sample without a decided gateway.kind fails at once, and one alert comes" \
  "exit $(property ExecMainStatus), $(property NRestarts) restarts, $(($(num_alerts) - before)) alert"

quiet
before=$(num_alerts)
echo 'gatewy: {}' > "$stage/etcjobs/jobs.yaml"
ex systemctl start jobs.service 2>/dev/null
within 5 is ActiveState failed && is ExecMainStatus 78 && is NRestarts 0 && alerted_exactly 1 "$before"
tell $? "a broken configuration fails at once, and one alert comes" \
  "exit $(property ExecMainStatus), $(property NRestarts) restarts, $(($(num_alerts) - before)) alert"
check "the alert keeps the failed unit's journal in its log" "/var/log/jobs/alert.log" \
  ex grep -q 'the unit.s journal.*gatewy' /var/log/jobs/alert.log

quiet
before=$(num_alerts)
idle | configure shared "$embedded" '[ES]'
ex systemd-run --quiet --collect --unit=other --uid=jobs -p WorkingDirectory=/var/lib/jobs -p Type=notify \
  jobs --config /etc/jobs/jobs.yaml serve
mark
ex systemctl start jobs.service 2>/dev/null
within 30 is ActiveState failed && is ExecMainStatus 75 && alerted_exactly 1 "$before"
tell $? "a second daemon fails five times, reaches the start limit, and one alert comes" \
  "$(took), exit $(property ExecMainStatus), $(property NRestarts) restarts, $(($(num_alerts) - before)) alert"
ex systemctl stop other.service

quiet
gateway --fault slow:1@after=3,first=6
filled_at_start() { printf 'jobs:\n'; backfill_at_start; }
backfill_at_start() { printf '  backfill:\n    schedule: { on: start }\n    timeout: 5m\n'; }
filled_at_start | configure filled "$outside" '[ES]'
ex systemctl start jobs.service
within 20 has_rows && ledger_has backfill running
caught=$?
pid=$(property MainPID)
ex systemctl kill --signal=KILL --kill-whom=main jobs.service
at_kill=$(as_jobs show futures_snapshots --last 1000000 --format jsonl | wc -l)
restarted=$(date +%s)
within 10 is_another_process "$pid"
mark
within 60 is_newest backfill done
ended=$?
figures=$(is_whole $((restarted - 60)))
tell $((caught + ended + $?)) "a backfill killed half-way is completed by the next start" \
  "$at_kill rows at the kill; $figures, $(took)"

quiet
at_start() {
  cat <<'YAML'
jobs:
  snapshot:
    schedule: [{ on: start }, { every: 5m, during: cme_equity }]
    misfire: { catch_up: none, start_deadline: 60s }
    timeout: 90s
YAML
}
if is_open; then
  gateway --fault slow:2@first=6
  { at_start; backfill_at_start; } | configure live "$outside" '[ES]'
  ex systemctl start jobs.service
  within 10 ledger_has snapshot running
  caught=$?
  slot=$(newest_slot)
  pid=$(property MainPID)
  ex systemctl kill --signal=KILL --kill-whom=main jobs.service
  mark
  within 10 is_another_process "$pid"
  within 60 is_newest backfill done && within 30 is_newest snapshot done
  ended=$?
  figures=$(is_whole "$slot")
  tell $((caught + ended + $?)) "a killed capture leaves no hole and no double after the next start" "$figures, $(took)"
  quiet
else
  echo "skipped: a killed capture, since cme_equity is closed now"
fi

job=backfill
is_open && job=snapshot
gateway --fault slow:1@first=5
if [ "$job" = snapshot ]; then at_start; else filled_at_start; fi | configure drained "$outside" '[ES]'
ex systemctl start jobs.service
within 10 ledger_has "$job" running
caught=$?
mark
ex systemctl stop jobs.service
stopped=$(took)
is_newest "$job" done && is Result success && is ActiveState inactive
tell $((caught + $?)) "a stop lets the running $job finish" "$stopped, Result=$(property Result)"

quiet
idle | configure steady "$embedded" '[ES]'
ex systemctl start jobs-snapshot.timer jobs.service 2>/dev/null
ex systemctl start jobs.service
[ "$(ex systemctl is-active jobs-snapshot.timer)" = inactive ] && is ActiveState active
there=$?
ex systemctl start jobs-snapshot.timer
within 10 is ActiveState inactive
tell $((there + $?)) "the daemon and the timers displace each other" \
  "timer $(ex systemctl is-active jobs-snapshot.timer), daemon $(property ActiveState)"
ex systemctl start jobs@snapshot.service
tell $? "one run under the unit of the timers" \
  "$(ex journalctl --no-pager -o cat -u jobs@snapshot.service | grep -m1 '^snapshot ' | cut -c1-90)"

echo "$((number - failures)) of $number checks hold ($SECONDS s)"
[ "$failures" = 0 ]
