# Sourced by the findings: a temporary folder that goes away, a virtual environment in it, and pinned packages.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
install() {
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}
python() { "$folder/venv/bin/python" -W ignore "$@"; }
