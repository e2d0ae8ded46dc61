#!/bin/sh
# Makes debian:trixie-slim, or another suite's (`base-image.sh bookworm`), out of Debian's packages, for a host that
# reaches no container registry; as root.
# The host's CA bundle goes in, because such a host often reaches the package indexes through a proxy with its own CA.
set -eu
suite=${1:-trixie}
tag=debian:$suite-slim
docker image inspect "$tag" > /dev/null 2>&1 && exit 0

mirror=$(apt-cache policy | awk '$2 ~ /^https?:/ && $3 ~ /\/main$/ && $2 !~ /security/ { print $2; exit }')
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "${mirror:-http://deb.debian.org/debian}" > /dev/null

cat "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" > "$root/etc/ssl/certs/ca-certificates.crt"
# What the slim image leaves out too.
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* \
    "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/usr/share/info/*
# And, as it does, let apt keep neither packages nor its index cache, which is as large as the rest.
cat > "$root/etc/apt/apt.conf.d/pilot-light" << 'APT'
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Binary::apt::APT::Keep-Downloaded-Packages "false";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };
APT
tar -C "$root" -c . | docker import --change 'CMD ["bash"]' - "$tag" > /dev/null
