#!/bin/sh
# Makes sure a Docker engine with compose and buildx runs on this Debian machine; for CI and bare hosts, as root.
# Debian bookworm has the engine but not compose v2: that and buildx come from trixie, pinned so that nothing else does.
set -eu

if ! docker compose version > /dev/null 2>&1 || ! command -v dockerd > /dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends docker.io iptables debootstrap ca-certificates > /dev/null
    if ! apt-cache show docker-compose 2> /dev/null | grep -q '^Version: 2'; then
        mirror=$(apt-cache policy | awk '$2 ~ /^https?:/ && $3 == "bookworm/main" { print $2; exit }')
        echo "deb $mirror trixie main" > /etc/apt/sources.list.d/pilot-light-trixie.list
        printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' > /etc/apt/preferences.d/pilot-light-trixie
        apt-get update -qq
    fi
    apt-get install -y -qq --no-install-recommends -t trixie docker-compose docker-buildx > /dev/null
fi
docker info > /dev/null 2>&1 && exit 0

# No init system here: start it ourselves.
nohup dockerd > /var/log/pilot-light-dockerd.log 2>&1 &
deadline=$(($(date +%s) + 60))
until docker info > /dev/null 2>&1; do
    [ "$(date +%s)" -lt "$deadline" ] || {
        echo "The Docker engine did not start within 60 s; see /var/log/pilot-light-dockerd.log" >&2
        exit 1
    }
    sleep 0.2
done
