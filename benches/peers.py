#!/usr/bin/env python3
"""Times the operations of `cargo bench --bench reads` in other engines, over the tables which that bench made.

    peers.py SCRATCH DESCRIPTION...

A description is a JSON object: the layout's name, the Delta table's folder, and for each range its first and last
instant (seconds) and its rows. Each figure is a line of JSON on stdout. Answers are checked for their number of rows;
three rounds are not timed; rounds end after a second and a half or at a number, whichever is first, but not before five.
Engines that write do so to a copy. Whatever package is missing leaves its engine out, with a line that says so.
"""

import datetime as dt
import json
import shutil
import sqlite3
import sys
import time
from pathlib import Path

RANGES = ["one session", "three sessions", "the symbol's year"]
SYMBOLS = ["ES", "NQ", "RTY"]
AFTER_THE_END = dt.datetime(2026, 1, 2, 14, 0, tzinfo=dt.timezone.utc)
WARMUPS, FEWEST, LONGEST_SECONDS = 3, 5, 1.5


class Table:
    """One layout's table, and new rows for it."""

    def __init__(self, description, scratch):
        self.layout, self.path, self.scratch = description["layout"], description["table"], scratch
        self.ranges = {name: description[name] for name in RANGES if description.get(name)}
        self.num_new = 0

    def is_own_copy_wanted(self):
        """Engines with files of their own do not depend on how ours lie."""
        return "as captured" not in self.layout

    def copy(self):
        path = self.scratch / "copy"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(self.path, path)
        return str(path)

    def rows(self):
        from deltalake import DeltaTable

        return DeltaTable(self.path).to_pyarrow_table()

    def new_rows(self, schema):
        """Three rows of a slot that no engine has seen, in the columns of a frame of the table."""
        import pyarrow as pa

        self.num_new += 1
        at = AFTER_THE_END + dt.timedelta(minutes=5 * self.num_new)
        row = {
            "timestamp": at, "captured_at": at, "date": at.date(), "expiry": dt.date(2026, 3, 20), "volume": 1,
            "open_interest": 2, "con_id": 3, "contract": "ESH6", "source": "live", "gateway": "simulated",
        }
        rows = [{field.name: row.get(field.name, 1.5) for field in schema} | {"symbol": symbol} for symbol in SYMBOLS]
        return pa.Table.from_pylist(rows, schema=schema)


def instant(seconds):
    return dt.datetime.fromtimestamp(seconds, dt.timezone.utc)


def num_rows(answer):
    return answer.num_rows if hasattr(answer, "num_rows") else len(answer)


def timed(table, engine, operation, action, expect=None, most=100, durable="", prepare=None):
    """Times an action; what `prepare` makes for it is not part of the time."""
    run = (lambda: action(prepare())) if prepare else action
    answer = run()
    if expect is not None and num_rows(answer) != expect:
        sys.exit(f"{engine}, {operation}, {table.layout}: {num_rows(answer)} rows instead of {expect}")
    for _ in range(WARMUPS - 1):
        run()
    began, taken = time.perf_counter(), []
    while len(taken) < most and (len(taken) < FEWEST or time.perf_counter() - began < LONGEST_SECONDS):
        given = [prepare()] if prepare else []
        start = time.perf_counter()
        action(*given)
        taken.append((time.perf_counter() - start) * 1e3)
    taken.sort()
    at = lambda percent: taken[min(len(taken) * percent // 100, len(taken) - 1)]
    figure = {"operation": operation, "layout": table.layout, "engine": engine, "durable": durable}
    print(json.dumps(figure | {"p50_ms": at(50), "p99_ms": at(99), "rounds": len(taken)}), flush=True)


def whole_table(table):
    """As a collection in Python does it: read the whole table, anti-join, append; reads filter what was read."""
    import polars as pl

    name, path, key = "polars, whole table read at each call", table.copy(), ["symbol", "timestamp"]
    schema = table.rows().slice(0, 0).schema

    columns = dict(pl.read_delta(path).schema)
    new_rows = lambda: pl.from_arrow(table.new_rows(schema)).cast(columns)

    def write(new):
        absent = new.join(pl.read_delta(path), on=key, how="anti")
        if len(absent):
            absent.write_delta(path, mode="append")

    es = lambda: pl.read_delta(table.path).filter(pl.col("symbol") == "ES")
    timed(table, name, "latest", lambda: es().sort("timestamp").tail(1), 1)
    for operation, (first, last, rows) in table.ranges.items():
        between = pl.col("timestamp").is_between(instant(first), instant(last))
        timed(table, name, operation, lambda: es().filter(between), rows)
    timed(table, name, "write one slot", write, most=40, durable="not flushed", prepare=new_rows)


def polars_lazy(table):
    import polars as pl

    name = "polars, lazy scan"
    es = lambda: pl.scan_delta(table.path).filter(pl.col("symbol") == "ES")
    timed(table, name, "latest", lambda: es().sort("timestamp").tail(1).collect(), 1)
    for operation, (first, last, rows) in table.ranges.items():
        between = pl.col("timestamp").is_between(instant(first), instant(last))
        timed(table, name, operation, lambda: es().filter(between).collect(), rows)


def duckdb_files(table):
    """Warm: the files that the log names are looked up once, outside of the times."""
    import duckdb
    from deltalake import DeltaTable

    name, connection = "DuckDB, warm, over the table's files", duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    files = [uri.removeprefix("file://") for uri in DeltaTable(table.path).file_uris()]
    connection.execute(f"create view v as select * from read_parquet({files!r}, hive_partitioning = true)")
    fetch = lambda text: connection.execute(text).fetchall()
    latest = "select * from v where symbol = 'ES' order by \"timestamp\" desc limit 1"
    timed(table, name, "latest", lambda: fetch(latest), 1)
    for operation, (first, last, rows) in table.ranges.items():
        between = f"\"timestamp\" between '{instant(first)}' and '{instant(last)}'"
        timed(table, name, operation, lambda: fetch(f"select * from v where symbol = 'ES' and {between}"), rows)


def sqlite(table):
    """A file of its own, clustered on the key; each commit is flushed."""
    import pyarrow as pa

    if not table.is_own_copy_wanted():
        return
    name, path = "SQLite, own file", table.scratch / "lite.db"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = full")
    full = table.rows()
    columns = ", ".join(f'"{column}"' for column in full.column_names)
    marks = ", ".join("?" * full.num_columns)
    db.execute(f'create table t({columns}, primary key(symbol, "timestamp")) without rowid')

    def plain(column):
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.int32() if pa.types.is_date(column.type) else pa.int64())
        return column.to_pylist()

    def values(rows):
        return list(zip(*(plain(rows[column]) for column in full.column_names)))

    def insert(values):
        db.execute("begin immediate")
        db.executemany(f"insert or ignore into t values ({marks})", values)
        db.execute("commit")

    insert(values(full))
    fetch = lambda text, *values: db.execute(text, values).fetchall()
    es = "select * from t where symbol = 'ES'"
    timed(table, name, "latest", lambda: fetch(f'{es} order by "timestamp" desc limit 1'), 1)
    for operation, (first, last, rows) in table.ranges.items():
        micros = (first * 1_000_000, last * 1_000_000)
        timed(table, name, operation, lambda: fetch(f'{es} and "timestamp" between ? and ?', *micros), rows)
    schema = full.schema
    new_rows = lambda: values(table.new_rows(schema))
    timed(table, name, "write one slot", insert, durable="synchronous=FULL", prepare=new_rows)
    db.close()


def arctic(table):
    """A library of its own on LMDB, one item a symbol; it has no key, so a write looks at the item's end first."""
    import arcticdb
    import pandas as pd

    if not table.is_own_copy_wanted():
        return
    name, folder = "ArcticDB, own files on LMDB", table.scratch / "arctic"
    shutil.rmtree(folder, ignore_errors=True)
    library = arcticdb.Arctic(f"lmdb://{folder}").get_library("m", create_if_missing=True)
    naive = lambda seconds: pd.Timestamp(instant(seconds)).tz_convert(None)

    def item(rows, symbol):
        frame = rows.to_pandas().drop(columns=["date", "expiry", "captured_at"])
        frame = frame[frame.symbol == symbol].drop(columns="symbol").set_index("timestamp").sort_index()
        frame.index = frame.index.tz_convert(None).astype("datetime64[ns]")
        return frame[sorted(frame.columns)]

    full = table.rows()
    for symbol in SYMBOLS:
        library.write(symbol, item(full, symbol))

    def new_rows():
        new = table.new_rows(full.schema)
        return {symbol: item(new, symbol) for symbol in SYMBOLS}

    def write(frames):
        for symbol, frame in frames.items():
            if library.tail(symbol, 1).data.index[-1] < frame.index[0]:
                library.append(symbol, frame)

    timed(table, name, "latest", lambda: library.tail("ES", 1).data, 1)
    for operation, (first, last, rows) in table.ranges.items():
        bounds = (naive(first), naive(last))
        timed(table, name, operation, lambda: library.read("ES", date_range=bounds).data, rows)
    timed(table, name, "write one slot", write, most=40, durable="LMDB's own", prepare=new_rows)


def main():
    scratch = Path(sys.argv[1])
    scratch.mkdir(parents=True, exist_ok=True)
    for text in sys.argv[2:]:
        table = Table(json.loads(text), scratch)
        for engine in (whole_table, polars_lazy, duckdb_files, sqlite, arctic):
            try:
                engine(table)
            except ModuleNotFoundError as missing:
                print(f"{engine.__name__}: left out, no package {missing.name}", flush=True)


if __name__ == "__main__":
    main()
