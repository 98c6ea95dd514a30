#!/usr/bin/env bash
# Install the packages of a lock file into a virtual environment, with a line of progress.
# Usage: scripts/install.sh VENV LOCK
set -euo pipefail
venv=$1 lock=$2
total=$(grep -cE '^[a-z0-9]' "$lock") # some of them may be for other systems
[ -t 1 ] && is_terminal=1 || is_terminal=0
"$venv/bin/python" -m pip install --disable-pip-version-check --no-color --progress-bar off \
    --require-hashes --requirement "$lock" 2>&1 | awk -v total="$total" -v is_terminal="$is_terminal" '
    function show(text) {
        if (is_terminal) printf "\r\033[K  %s", text
        else if (text ~ /^Install/ || count % 20 == 0) print "  " text
        fflush()
    }
    /^(Collecting|Requirement already satisfied)/ { count++; show("Downloading: " count " of at most " total " packages ...") }
    /^Installing collected packages/ { show("Installing " count " packages ...") }
    /^ *(ERROR|error)/ { is_failed = 1 }
    is_failed { print; fflush() }
    END { if (is_terminal) printf "\r\033[K" }
'
