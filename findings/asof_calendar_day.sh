#!/usr/bin/env bash
# polars 2.1.0: the tolerance "1d" of join_asof is 24 hours on a column with a zone.
# Expected: a calendar day, as the documentation of the argument says ("the corresponding time on the next day, which may not be 24
# hours") and as rolling(period="1d") of the same release takes it. So the price of yesterday 18:00 is found for today 18:00, always.
# Seen: over the end of daylight time it is not found (25 hours apart); over its beginning a price of yesterday 17:30 is (23.5 hours).
source "$(dirname "$0")/lib.sh"
install polars==2.1.0
python - <<'PYTHON'
from datetime import datetime
from zoneinfo import ZoneInfo
import polars as pl

zone = "America/New_York"
at = lambda *parts: pl.Series("at", [datetime(*parts, tzinfo=ZoneInfo(zone))]).dt.convert_time_zone(zone)

def found(now, then):
    prices = pl.DataFrame({"at": then, "price": [7000.0]})
    joined = pl.DataFrame({"at": now}).join_asof(prices, on="at", tolerance="1d")
    return joined["price"].to_list() == [7000.0]

autumn = found(at(2026, 11, 1, 18), at(2026, 10, 31, 18))
spring = found(at(2026, 3, 8, 18), at(2026, 3, 7, 17, 30))
hours = pl.datetime_range(at(2026, 10, 31)[0], at(2026, 11, 1, 18)[0], "1h", time_zone=zone, eager=True)
rolled = pl.DataFrame({"at": hours, "one": 1}).rolling("at", period="1d").agg(pl.len())["len"][-1]
before = at(2026, 11, 1, 18).dt.offset_by("-1d").to_list()[0].strftime("%Y-%m-%d %H:%M")

print("offset_by('-1d') of 2026-11-01 18:00:", before)
print("hours in rolling(period='1d') at 2026-11-01 18:00:", rolled, "(a calendar day: 25)")
print("join_asof, 2026-11-01 18:00 against 2026-10-31 18:00, found:", autumn, "(expected: True)")
print("join_asof, 2026-03-08 18:00 against 2026-03-07 17:30, found:", spring, "(expected: False)")
assert (before, rolled, autumn, spring) == ("2026-10-31 18:00", 25, False, True), "this has changed"
PYTHON
