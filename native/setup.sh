#!/bin/sh
# Installs what is missing, and only that: nginx and a compiler from the distribution, uv, the locked Python environment.
set -eu
cd "$(dirname "$0")/.."

say() { echo "$*" >&2; }

missing=
command -v nginx > /dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx"
command -v c++ > /dev/null || missing="$missing g++"
if ! command -v uv > /dev/null && [ ! -x .uv/bin/uv ]; then
    python3 -c 'import ensurepip' 2> /dev/null || missing="$missing python3-venv"
fi
if [ -n "$missing" ]; then
    command -v apt-get > /dev/null || {
        say "Pilot Light needs$missing. Install them with this system's package manager, then run this again."
        exit 1
    }
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        say "Pilot Light needs$missing from the distribution. Installing them takes root: sudo may ask for your password."
        as_root=sudo
    fi
    say "Installing$missing ..."
    $as_root apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null
    case $missing in
        # The package starts a web server on port 80; nobody asked for that one.
        *nginx*) [ ! -d /run/systemd/system ] || $as_root systemctl disable --quiet --now nginx ;;
    esac
fi

uv=$(command -v uv || echo .uv/bin/uv)
if [ ! -x "$uv" ]; then
    say "Installing uv into .uv ..."
    python3 -m venv .uv
    .uv/bin/pip install --quiet uv
fi

# Silent when there is nothing to do, or when all is in uv's cache: asked offline, it takes its own build of llama.cpp
# from there even where the package index sends no cache headers, and does not build it anew.
# Otherwise uv says what it does; only in its verbose log does a build show its steps.
if ! "$uv" sync --frozen --offline --quiet --check 2> /dev/null &&
    ! "$uv" sync --frozen --offline --quiet --compile-bytecode 2> /dev/null; then
    say "Installing the Python environment into .venv ..."
    failed=.venv-failed
    { "$uv" sync --locked --compile-bytecode --verbose 2>&1 || touch "$failed"; } | awk '
        match($0, /^DEBUG \[[0-9]+\/[0-9]+\]/) {
            split(substr($0, 8, RLENGTH - 8), step, "/")
            if (step[1] == 1) print "Building llama.cpp, this once (about 6 minutes on 2 cores)"
            if (step[1] % 10 == 0 || step[1] == step[2]) printf "  %d of %d files\n", step[1], step[2]
            fflush()
            next
        }
        /^(DEBUG|TRACE|INFO|WARN)/ { next }
        /^ [+~-] / { next }
        { print; fflush() }
    ' >&2
    if [ -e "$failed" ]; then
        rm "$failed"
        say "The Python environment could not be installed; uv says why above."
        exit 1
    fi
fi
