#!/bin/bash
# Every writer on a disk of one megabyte that is full and gets sixteen kilobytes more each time: append, --force, compaction,
# backup, restore, ledger, lock folder, logs and mail. One line for each run: the writer, its exit code, the rows that are
# readable after it, and whether it met the full disk. It fails where a row is lost or doubled, where a full disk is called
# a fault of the configuration (78) or of the usage (2), and where a writer never met the full disk or never got over it.
#
#   cargo build && benches/full_disk.sh target/debug/jobs
#
# It mounts small disks in a namespace of its own (unshare), so it leaves nothing behind and needs no rights but that.
set -u
JOBS=$(realpath "${1:?the program}")
export JOBS NO_COLOR=1
[ "${FULL_DISK_INSIDE:-}" ] || FULL_DISK_INSIDE=1 exec unshare --user --map-root-user --mount "$0" "$JOBS"

work=$(mktemp -d) && cd "$work" || exit 1
"$JOBS" gateway simulate --now 2026-11-18T17:00:10Z --speed 0 --format jsonl > gateway.out & gateway=$!
trap 'kill $gateway; cd /; umount -l "$work"/*/data "$work"/*/* 2> /dev/null; rm -rf "$work"' EXIT
until [ -s gateway.out ]; do sleep 0.1; done
address=$(sed 's/.*"address":"\([^"]*\)".*/\1/' gateway.out)
faults=0

fault() { echo "FAULT $*"; faults=$((faults + 1)); }
count() { "$JOBS" query "select count(*) as n, count(distinct symbol || cast(timestamp as varchar)) as k from futures_snapshots" \
  --format jsonl 2> /dev/null | sed 's/[^0-9]*\([0-9]*\)[^0-9]*\([0-9]*\).*/\1 \2/'; }

# desk NAME: a folder with a configuration, and seven slots in it.
desk() {
  mkdir "$work/$1" && cd "$work/$1" || exit 1
  printf 'gateway: { address: "%s", clock: gateway }\nmail: { folder: mail }\n' "$address" > jobs.yaml
  [ "${2:-}" = empty ] && return
  for minute in 00 05 10 15 20 25 30; do
    "$JOBS" run snapshot --at 2026-11-18T11:$minute > /dev/null 2>&1 || fault "$1: no slot captured at $minute"
  done
}

# small FOLDER: its contents on a disk of one megabyte.
small() {
  mkdir -p "$1" kept && cp -a "$1/." kept/
  mount -t tmpfs -o size=1m tmpfs "$1" || { echo "no small disk can be mounted"; exit 1; }
  cp -a kept/. "$1/" && rm -rf kept
}

fill() { dd if=/dev/zero of="$1/fill" bs=1k count=4000 2> /dev/null; dd if=/dev/zero of="$1/fill2" bs=1 count=8192 2> /dev/null; }

# through NAME FOLDER ROWS COMMAND...: runs it with ever more room until it is done with room to spare. ROWS: how many there
# are at the end.
through() {
  local name=$1 folder=$2 rows=$3 met=0 code n k told; shift 3
  rm -f "$folder/fill2.done"; fill "$folder"
  for step in $(seq 0 70); do
    "$@" > out 2> err; code=$?
    if grep -qiE "no space left|not recorded|nothing is logged|noted by whom" err; then told="met the full disk"; met=$((met + 1)); else told="had room"; fi
    read -r n k < <(count)
    echo "$name $code ${n:-0} rows, $told"
    [ "${n:-0}" = "${k:-0}" ] || fault "$name: ${n:-0} rows, ${k:-0} keys"
    case $code in 2|78) fault "$name: exit code $code: $(head -2 err)";; esac
    [ $code = 0 ] && [ "$told" = "had room" ] && break
    rm -f "$folder/fill2"; [ -s "$folder/fill" ] && truncate -s -16k "$folder/fill" || rm -f "$folder/fill"
  done
  [ $code = 0 ] && [ "$told" = "had room" ] || fault "$name: not done with room: exit code $code: $(head -3 err)"
  [ $met -gt 0 ] || fault "$name: it never met the full disk"
  [ "${n:-0}" = "$rows" ] || fault "$name: ${n:-0} rows at the end, $rows were expected"
}

at() { "$JOBS" run snapshot --at 2026-11-18T11:$1 "${@:2}"; }

desk append; small data; through append data 24 at 55
desk force; small data; through force data 21 at 30 --force
desk compaction; small data; through compaction data 21 "$JOBS" run compaction
desk backup; small copy; through backup copy 21 "$JOBS" table backup copy
desk restore; "$JOBS" table backup copy > /dev/null 2>&1; rm -rf data; mkdir data; small data
through restore data 21 "$JOBS" table restore --from copy

# What is written of a run stops no run: whatever the disk, each of these captures is done.
minute=30
next() { minute=$((minute + 5)); at $minute; }
captured() {
  local name=$1 folder=$2; minute=30; fill "$folder"
  for step in 0 1 2 3 4; do
    next > out 2> err; code=$?
    grep -qiE "not recorded|nothing is logged|noted by whom|no space left" err && told="met the full disk" || told="had room"
    read -r n k < <(count)
    echo "$name $code ${n:-0} rows, $told"
    [ $code = 0 ] && [ "$n" = "$k" ] && [ "$n" = $((21 + 3 * (step + 1))) ] || fault "$name: exit code $code, $n rows, $k keys: $(head -2 err)"
    [ $step = 0 ] && [ "$told" = "had room" ] && fault "$name: it never met the full disk"
    rm -f "$folder/fill2"; truncate -s -16k "$folder/fill"
  done
}
desk state; small state; captured state state
desk locks; rm -rf state/locks; mkdir state/locks; small state/locks; captured locks state/locks
desk logs; rm -rf logs; mkdir logs; small logs; captured logs logs
desk pause; small state; through ledger state 21 "$JOBS" pause compaction --reason "disk is grown"
desk mail; mkdir -p mail; small mail; through mail mail 21 "$JOBS" alert test

cd "$work" || exit 1
echo "$faults faults"
[ $faults = 0 ]
