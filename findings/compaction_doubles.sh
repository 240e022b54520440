#!/usr/bin/env bash
# deltalake 1.6.6: two compactions that begin from one version, as of a cron job and a person.
# Expected: the second finds its files removed and is refused as a conflict, as a second DELETE would be; or rows stay as they are.
# Seen: both report success and every row is there twice. Files that a compaction removes are marked as no change of data, and the check
# for conflicts looks only at files removed as a change of data.
source "$(dirname "$0")/lib.sh"
install deltalake==1.6.6 pyarrow==26.0.1
python - "$folder/table" <<'PYTHON'
import sys
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

path = sys.argv[1]
for slot in range(6):
    write_deltalake(path, pa.table({"slot": [slot], "last": [7000.0 + slot]}), mode="append")
cron, person = DeltaTable(path), DeltaTable(path)
print("version of both:", cron.version(), person.version())
for name, table in {"cron": cron, "person": person}.items():
    print(name, "compacted, files removed:", table.optimize.compact()["numFilesRemoved"])
rows = DeltaTable(path).to_pyarrow_table()
print("rows:", rows.num_rows, "different slots:", len(set(rows["slot"].to_pylist())), "(expected: 6 and 6)")
assert rows.num_rows == 12 and len(set(rows["slot"].to_pylist())) == 6, "this has changed"
PYTHON
