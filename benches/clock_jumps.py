#!/usr/bin/env python3
"""The daemon and a simulated gateway under a clock that jumps, with every slot accounted for at the end.

Both processes run under libfaketime (Debian: apt-get install faketime) with one timestamp file, which this script writes
several times a second: the wall clock goes at a multiple of real time and is set forward and back by an hour and by a day,
while the monotonic clock is left alone. Once the daemon is killed while its clock is a day ahead. At the end the ledger is
compared with the calendar and the tables are searched for doubled keys.

    cargo build && benches/clock_jumps.py --jobs target/debug/jobs --minutes 30 --speed 15

It needs python3 and libfaketime, no network and no other data. Exit code 0: every slot in the covered time is accounted
for, no key is doubled, and outside of the jumps every slot was captured.
"""

import argparse
import datetime as dt
import glob
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

STEP_SECONDS = 0.2
UTC = dt.timezone.utc
HOUR, DAY = 3600, 86400

# When it begins (a share of the run), by how much the clock is off, for how many seconds of real time, and whether the
# daemon is killed and started again meanwhile.
JUMPS = [
    (0.12, DAY, 8, False),
    (0.26, HOUR, 20, False),
    (0.40, -HOUR, 20, False),
    (0.54, -DAY, 8, False),
    (0.68, DAY, 10, True),
    (0.84, -HOUR, 10, True),
]


class World:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.clock_file = folder / "clock"
        self.start = dt.datetime.fromisoformat(options.start).astimezone(UTC)
        self.began = time.monotonic()
        self.offset = 0
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1")
        if not library:
            sys.exit("libfaketime is not installed: apt-get install faketime")
        ours = {name: value for name, value in os.environ.items() if not name.startswith("JOBS__")}
        self.plain = {**ours, "TZ": "UTC", "NO_COLOR": "1"}
        self.faked = {
            **self.plain,
            "LD_PRELOAD": library[0],
            "FAKETIME_TIMESTAMP_FILE": str(self.clock_file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.set_clock()

    def right(self):
        """The right time."""
        return self.start + dt.timedelta(seconds=(time.monotonic() - self.began) * self.options.speed)

    def set_clock(self):
        shown = self.right() + dt.timedelta(seconds=self.offset)
        staged = self.clock_file.with_suffix(".new")
        staged.write_text(shown.strftime("%Y-%m-%d %H:%M:%S\n"))
        staged.rename(self.clock_file)

    def wait(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.set_clock()
            time.sleep(STEP_SECONDS)

    def jobs(self, *arguments):
        command = [self.options.jobs, *arguments]
        return subprocess.run(command, cwd=self.folder, env=self.plain, capture_output=True, text=True)

    def lines(self, *arguments):
        ended = self.jobs(*arguments, "--format", "jsonl")
        if ended.returncode != 0:
            sys.exit(f"{' '.join(arguments)}: exit code {ended.returncode}: {ended.stderr}")
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def begin(self, *arguments, **more):
        return subprocess.Popen([self.options.jobs, *arguments], cwd=self.folder, env=self.faked, **more)

    def serve(self):
        log = open(self.folder / "serve.err", "a", encoding="utf-8")
        return self.begin("serve", stderr=log, stdout=subprocess.DEVNULL)


def instant(text):
    return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))


def configure(world, address):
    (world.folder / "schedules").mkdir()
    (world.folder / "schedules/all.yaml").write_text(
        "jobs:\n"
        "  snapshot: { schedule: { every: 5m, during: cme_equity }, live: true, timeout: 60s }\n"
        "  backfill: { schedule: [{ every: 1h, during: cme_equity }], overlap: queue_one, misfire: { catch_up: one } }\n"
        "  compaction: { schedule: { every: 1h, during: cme_equity }, misfire: { catch_up: one } }\n"
    )
    (world.folder / "jobs.yaml").write_text(
        f"gateway: {{ kind: simulated, address: \"{address}\" }}\npaths: {{ schedules: schedules }}\n"
    )


def run(world):
    """Lives through the jumps; gives the stretches of right time that they touch."""
    gateway = world.begin("gateway", "simulate", "--format", "jsonl", stdout=subprocess.PIPE, text=True)
    daemon = None
    touched = []
    try:
        configure(world, json.loads(gateway.stdout.readline())["address"])
        daemon = world.serve()
        total = world.options.minutes * 60
        for share, offset, seconds, is_killed in JUMPS:
            world.wait(max(0.0, share * total - (time.monotonic() - world.began)))
            at = world.right()
            world.offset = offset
            world.set_clock()
            print(f"{at:%H:%M:%S} the clock is set by {offset:+d} s for {seconds} s{', the daemon is killed' * is_killed}")
            if is_killed:
                world.wait(seconds / 2)
                daemon.kill()
                daemon.wait()
                world.wait(seconds / 2)
            else:
                world.wait(seconds)
            world.offset = 0
            world.set_clock()
            if is_killed:
                daemon = world.serve()
            # A start takes seconds of real time, and each of them is many on this clock.
            grace = dt.timedelta(seconds=world.options.speed * (10 if is_killed else 4))
            touched.append((at - dt.timedelta(seconds=90), world.right() + grace))
        world.wait(max(0.0, total - (time.monotonic() - world.began)))
        end = world.right()
        daemon.send_signal(signal.SIGTERM)
        while daemon.poll() is None:
            world.wait(STEP_SECONDS)
        return end, touched
    finally:
        for process in [daemon, gateway]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def slots(world, job, end):
    found, after = [], world.start
    while True:
        planned = world.lines("next", job, "--from", after.isoformat(), "-n", "500")
        instants = [instant(row["slot_utc"]) for row in planned]
        found += [at for at in instants if at <= end]
        if not instants or instants[-1] > end:
            return found
        after = instants[-1]


def check(world, end, touched):
    rows = world.lines("history", "-n", "1000000")
    faults = []
    first_tick = world.start + dt.timedelta(seconds=world.options.speed * 10)
    for job in ["snapshot", "backfill", "compaction"]:
        of_job = {instant(row["slot"]): row for row in rows if row["job"] == job}
        counts, beside = {}, 0
        wanted = [at for at in slots(world, job, end - dt.timedelta(seconds=120)) if at > first_tick]
        for at in wanted:
            row = of_job.get(at)
            state = row["state"] if row else "unaccounted"
            counts[state] = counts.get(state, 0) + 1
            has_reason = row and (row["reason"] or row["error"])
            if state in ("unaccounted", "planned", "running") or (state in ("missed", "failed", "skipped") and not has_reason):
                faults.append(f"{job} {at:%d. %H:%M} is {state} without a reason")
            is_touched = any(since <= at <= until for since, until in touched)
            if job == "snapshot" and not is_touched and state not in ("done", "recovered"):
                beside += 1
                faults.append(f"{job} {at:%d. %H:%M} is {state} though no jump touched it: {row and (row['reason'] or row['error'])}")
        later = sum(1 for at, row in of_job.items() if at > end and row["state"] in ("missed", "skipped", "planned"))
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        print(f"{job}: {len(wanted)} slots: {told}; {later} decisions of a clock ahead are left")
        if later:
            faults.append(f"{job}: {later} decisions of slots that have not come are left in the ledger")
    for table in ["futures_snapshots", "spot_snapshots"]:
        statement = f"select count(*) as n, count(distinct symbol || '|' || cast(timestamp as varchar)) as k from {table}"
        found = world.lines("query", statement)[0]
        print(f"{table}: {found['n']} rows, {found['k']} keys")
        if found["n"] != found["k"]:
            faults.append(f"{table}: {found['n'] - found['k']} rows are doubled")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--jobs", type=lambda path: str(pathlib.Path(path).resolve()), required=True)
    parser.add_argument("--minutes", type=float, default=30, help="real time")
    parser.add_argument("--speed", type=float, default=15, help="seconds of the clock in a second")
    parser.add_argument("--start", default="2026-11-18T09:32:00-05:00")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clock-jumps-") as folder:
        world = World(options, pathlib.Path(folder))
        end, touched = run(world)
        print(f"{world.start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC in {options.minutes} min of real time")
        faults = check(world, end, touched)
        for fault in faults:
            print(f"FAULT {fault}")
        print("every slot is accounted for, no key is doubled" if not faults else f"{len(faults)} faults")
        if faults:
            print((world.folder / "serve.err").read_text()[-4000:])
        return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
