#!/usr/bin/env bash
# quantstats 0.0.86, empyrical-reloaded 0.7.1, ffn 1.4.1: the Sharpe ratio of 250 daily returns of 10 bp each.
# Expected: not defined, in one way, since there is no dispersion: what is left is the rounding error of the mean.
# Seen: quantstats divides by that rounding error and gives about 2.4e16, empyrical gives infinity, ffn gives NaN. A comparison of rules
# that sorts by it has a winner, or none, by the package.
source "$(dirname "$0")/lib.sh"
install quantstats==0.0.86 empyrical-reloaded==0.7.1 ffn==1.4.1 pandas==3.1.1 numpy==2.4.6
python - <<'PYTHON'
import empyrical, ffn, math, pandas as pd, quantstats

returns = pd.Series(0.001, index=pd.bdate_range("2025-01-01", periods=250))
by = {
    "quantstats": float(quantstats.stats.sharpe(returns)),
    "empyrical": float(empyrical.sharpe_ratio(returns)),
    "ffn": float(ffn.calc_sharpe(returns)),
}
for package, ratio in by.items():
    print(f"{package}: {ratio}")
assert by["quantstats"] > 1e15 and math.isfinite(by["quantstats"]), "this has changed"
assert math.isinf(by["empyrical"]) and math.isnan(by["ffn"]), "this has changed"
PYTHON
