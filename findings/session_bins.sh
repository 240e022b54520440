#!/usr/bin/env bash
# pandas 3.1.1 and polars 2.1.0: trading days that begin at 18:00 in New York, over the clock change of 2026-03-08.
# Expected of resample("1D", offset="18h") on a zoned index: bins from 18:00 to 18:00 local time, 23 hours over the change; or an error.
# Seen: the offset is left out (a RuntimeWarning, no error) and days are cut at midnight; "24h" with the same offset begins at 18:00 and
# stays on 24 hours, so that it cuts at 19:00 from the change on. polars' group_by_dynamic cuts at 18:00 throughout.
source "$(dirname "$0")/lib.sh"
install pandas==3.1.1 polars==2.1.0
python - <<'PYTHON'
import pandas as pd
import polars as pl

zone = "America/New_York"
index = pd.date_range("2026-03-06 23:00", periods=24 * 4, freq="h", tz="UTC").tz_convert(zone)
hours = pd.Series(1, index=index)

def cuts(bins):
    return sorted({start.strftime("%H:%M") for start in bins.index})

day, fixed = hours.resample("1D", offset="18h").sum(), hours.resample("24h", offset="18h").sum()
frame = pl.DataFrame({"at": index.to_pydatetime().tolist()}).with_columns(pl.col("at").dt.convert_time_zone(zone)).sort("at")
dynamic = frame.group_by_dynamic("at", every="1d", offset="18h").agg(pl.len())
dynamic_cuts = sorted({start.strftime("%H:%M") for start in dynamic["at"].to_list()})

print("pandas 1D, offset 18h, cuts at:", cuts(day), "hours:", day.tolist())
print("pandas 24h, offset 18h, cuts at:", cuts(fixed), "hours:", fixed.tolist())
print("polars 1d, offset 18h, cuts at:", dynamic_cuts, "hours:", dynamic["len"].to_list())
assert cuts(day) == ["00:00"] and cuts(fixed) == ["18:00", "19:00"] and dynamic_cuts == ["18:00"], "this has changed"
assert 23 in dynamic["len"].to_list() and 23 not in fixed.tolist(), "this has changed"
PYTHON
