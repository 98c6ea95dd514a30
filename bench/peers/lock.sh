#!/bin/sh
# Pins the newest versions of the peers' packages, with hashes, in bench/peers.lock.
set -eu
cd "$(dirname "$0")/../.."
test -x .venv-lock/bin/uv || { python3 -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv; }
.venv-lock/bin/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url --python-version 3.11 \
    --custom-compile-command bench/peers/lock.sh bench/peers/requirements.in --output-file bench/peers.lock
