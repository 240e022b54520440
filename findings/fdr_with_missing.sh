#!/usr/bin/env bash
# statsmodels 0.15.0: p-values of several rules, one of which never fired and has none (NaN).
# Expected: an error, or the missing one left out, so that the others are corrected as three tests.
# Seen: "fdr_bh" gives NaN for every corrected p-value and still marks a rejection; "fdr_tsbh" marks one more; "holm" and "bonferroni"
# multiply as for four tests. scipy's false_discovery_control refuses the same input.
source "$(dirname "$0")/lib.sh"
install statsmodels==0.15.0 scipy==1.17.1
python - <<'PYTHON'
import numpy as np
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

given = np.array([0.001, np.nan, 0.03, 0.2])
present = given[~np.isnan(given)]
seen = {}
for method in ["holm", "bonferroni", "fdr_bh", "fdr_tsbh"]:
    rejected, corrected = multipletests(given, method=method)[:2]
    _, alone = multipletests(present, method=method)[:2]
    seen[method] = (rejected.tolist(), corrected.tolist())
    print(f"{method}: rejected {rejected.tolist()}, corrected {corrected.tolist()}; the three alone: {alone.tolist()}")
try:
    false_discovery_control(given)
    refused = False
except ValueError as error:
    refused = True
    print("scipy refuses:", error)

assert np.isnan(seen["fdr_bh"][1]).all() and any(seen["fdr_bh"][0]), "this has changed"
assert sum(seen["fdr_tsbh"][0]) == 2 and np.isnan(seen["fdr_tsbh"][1]).all(), "this has changed"
assert seen["holm"][1][0] == 0.004 and seen["bonferroni"][1][0] == 0.004, "this has changed"
assert refused, "this has changed"
PYTHON
