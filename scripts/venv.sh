#!/bin/sh
# Makes the virtual environment $1 with a Python that Raceline runs on, unless it is there and works.
# PYTHON names another interpreter than the first that fits.
set -eu
folder=$1
fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

if "$folder/bin/python" -c "$fits" 2>/dev/null && "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    exit 0
fi

for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c "$fits" 2>/dev/null; then
        "$candidate" -m venv --clear "$folder" && exit 0
        rm -rf "$folder"
        echo "$candidate cannot make a virtual environment. On Debian and Ubuntu the package python3-venv is missing." >&2
        exit 1
    fi
done
found=$("${PYTHON:-python3}" --version 2>&1 || true)
echo "Raceline needs Python 3.11, 3.12 or 3.13; found: ${found:-none}." >&2
echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2
exit 1
