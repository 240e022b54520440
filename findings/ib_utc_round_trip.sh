#!/usr/bin/env bash
# ib_async 2.1.0: an instant in the gateway's own UTC notation, YYYYMMDD-HH:MM:SS, read and written again on a machine in Berlin.
# Expected: the same instant. The notation is UTC by definition, so it is read with that zone, as "20261102 06:30:00 UTC" is.
# Seen: it is read without a zone, and what has none is written as the machine's local time: one hour earlier in winter. A plain date,
# as the end of a request, becomes 23:59:59 of the machine's zone. On a machine in UTC neither shows.
source "$(dirname "$0")/lib.sh"
install ib_async==2.1.0
for zone in UTC Europe/Berlin; do
  TZ=$zone python - "$zone" <<'PYTHON'
import datetime, sys
from ib_async import util

zone = sys.argv[1]
read = util.parseIBDatetime("20261102-06:30:00")
named = util.parseIBDatetime("20261102 06:30:00 UTC")
again, day = util.formatIBDatetime(read), util.formatIBDatetime(datetime.date(2026, 11, 2))
print(f"{zone}: read {read!r}, written again {again!r}; with a named zone {util.formatIBDatetime(named)!r}; a date {day!r}")
expected = {"UTC": ("20261102 06:30:00 UTC", "20261102 23:59:59 UTC"), "Europe/Berlin": ("20261102 05:30:00 UTC", "20261102 22:59:59 UTC")}
assert read.tzinfo is None and util.formatIBDatetime(named) == "20261102 06:30:00 UTC", "this has changed"
assert (again, day) == expected[zone], "this has changed"
PYTHON
done
