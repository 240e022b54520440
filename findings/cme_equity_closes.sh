#!/usr/bin/env bash
# pandas_market_calendars 5.5.0 and exchange_calendars 4.13.2: when trading of CME's equity index futures ended, on days out of the common.
# Expected: three calendars of one market give one close, or at least two of them are right.
# Seen: three answers for a day, and on the national day of mourning 2025-01-09 (trading ended at 09:30 New York) none is right: two say
# closed, one says a full day. The two calendars of one package differ by 15 minutes on the days after Thanksgiving and before
# Christmas and Independence Day (13:15 is right, by the exchange's holiday notices).
source "$(dirname "$0")/lib.sh"
install pandas_market_calendars==5.5.0 exchange_calendars==4.13.2
python - <<'PYTHON'
import exchange_calendars, pandas as pd, pandas_market_calendars

right = {"2025-01-09": "09:30", "2026-11-27": "13:15", "2026-12-24": "13:15", "2024-07-03": "13:15", "2026-04-03": "09:15"}
expected = {
    "2025-01-09": ("closed", "17:00", "closed"),
    "2026-11-27": ("13:00", "13:15", "13:00"),
    "2026-12-24": ("13:00", "13:15", "13:00"),
    "2024-07-03": ("13:00", "13:15", "18:00"),
    "2026-04-03": ("09:15", "09:15", "closed"),
}
names = ["CME_Equity", "CME Globex Equity"]
schedules = [pandas_market_calendars.get_calendar(name).schedule("2024-01-01", "2026-12-31") for name in names]
cmes = exchange_calendars.get_calendar("CMES", start="2024-01-01", end="2026-12-31")
clock = lambda instant: instant.tz_convert("America/New_York").strftime("%H:%M")

seen = {}
for text, close in right.items():
    day = pd.Timestamp(text)
    by = [clock(s.loc[day, "market_close"]) if day in s.index else "closed" for s in schedules]
    by.append(clock(cmes.session_close(day)) if cmes.is_session(day) else "closed")
    seen[text] = tuple(by)
    print(text, "trading ended", close, "|", ", ".join(f"{name}: {at}" for name, at in zip(names + ["CMES"], by)))
assert seen == expected, "this has changed"
PYTHON
