#!/bin/sh
# Fills in nginx.conf from the environment and becomes nginx. `start.sh --check` only says whether it could, and
# `start.sh --where` only where nginx is. Plain sh and sed, because the container has nothing else and both must read the
# settings alike.
set -eu

# Debian keeps nginx in /usr/sbin, which is not on an ordinary user's PATH.
nginx=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx) || {
    echo "nginx: it is not installed. Install it with: make setup" >&2
    exit 1
}
[ "${1:-}" != --where ] || { echo "$nginx" && exit; }

umask 077  # whoever reaches the sockets needs no key
here=$(cd "$(dirname "$0")" && pwd)
run_dir=$(mkdir -p "${PILOT_RUN_DIR:-.run}" && cd "${PILOT_RUN_DIR:-.run}" && pwd)
bind=${PILOT_BIND:-127.0.0.1}
listen=${PILOT_LISTEN:-$bind}  # a container listens on all its addresses; PILOT_BIND is then the host's
metrics_listen=${PILOT_LISTEN:-127.0.0.1}  # no key protects the metrics, so they stay on this machine
port=${PILOT_PORT:-8080}
metrics_port=${PILOT_METRICS_PORT:-9145}
keys=${PILOT_KEYS:-}
concurrency=${PILOT_CONCURRENCY:-64}
key_concurrency=${PILOT_KEY_CONCURRENCY:-}
status_public=${PILOT_STATUS_PUBLIC:-0}
origins=${PILOT_ORIGINS:-}

refuse() {
    echo "nginx: $1" >&2
    exit 1
}

for pair in "PILOT_PORT=$port" "PILOT_METRICS_PORT=$metrics_port"; do
    case ${pair#*=} in
        *[!0-9]* | '') refuse "$pair is not a port number. Set it to a number from 1 to 65535." ;;
    esac
    [ "${pair#*=}" -ge 1 ] && [ "${pair#*=}" -le 65535 ] || refuse "$pair is not a port number. Set it to a number from 1 to 65535."
done
case $concurrency in
    *[!0-9]* | '' | 0*) refuse "PILOT_CONCURRENCY=$concurrency is not a number above 0. It is how many requests are answered at once." ;;
esac
case $key_concurrency in
    *[!0-9]* | 0*) refuse "PILOT_KEY_CONCURRENCY=$key_concurrency is not a number above 0. It is how many requests of one key are answered at once." ;;
esac
case $status_public in
    0 | 1) ;;
    *) refuse "PILOT_STATUS_PUBLIC=$status_public is neither 0 nor 1. 1 shows who answers, since when and ready to callers without a key." ;;
esac
case $bind in
    *[!0-9a-fA-F.:]*) refuse "PILOT_BIND=$bind is not an IP address. Use 127.0.0.1, or 0.0.0.0 together with PILOT_KEYS." ;;
esac
case $bind in
    127.* | ::1) ;;
    *) [ -n "$keys" ] || refuse "PILOT_BIND=$bind lets other machines in, and PILOT_KEYS is empty, so anyone could spend your credit. Set PILOT_KEYS, or bind to 127.0.0.1." ;;
esac
# A Unix socket's path may have 107 characters; the longest of ours is supervisor.sock.
[ ${#run_dir} -le 88 ] || refuse "the path $run_dir is too long for a socket. Set PILOT_RUN_DIR to a shorter one, such as /tmp/pilot-light."

# nginx compares map strings without regard to case; a regular expression does not.
keys_conf() {
    echo "map \$host \$status_public { default $status_public; }"
    echo "map \$host \$anybody { default $([ -n "$keys" ] && echo 0 || echo 1); }"
    echo 'map "$http_authorization" $name_by_bearer { default "";'
    key_lines '~^(?i:bearer) +%s$'
    echo '} map "$http_x_api_key" $name_by_api_key { default "";'
    key_lines '~^%s$'
    echo '} map "$name_by_bearer" $name_by_key { default $name_by_bearer; "" $name_by_api_key; }'
    echo 'map "$cookie_pilot_session" $name_by_cookie { default "";'
    each_key | while read -r name key; do echo "    \"~^$(session_of "$key")\$\" \"$name\";"; done
    echo '} map "$http_x_posted_key" $session_of_posted_key { default "";'
    # A form writes ~ as %7E.
    each_key | while read -r _ key; do
        echo "    \"~^$(echo "$key" | sed -e 's/\./\\./g' -e 's/~/(~|%7[Ee])/g')\$\" $(session_of "$key");"
    done
    echo '}'
}

# Lines of a name and a key: what stands before the colon, or key1, key2 … by its place.
each_key() {
    echo "$keys" | tr ', ' '\n\n' | grep . | awk -F : '{ print (NF > 1 ? $1 : "key" NR), $NF }' | sort -u -k 2
}

session_of() { printf 'pilot-light session of %s' "$1" | sha256sum | cut -c 1-64; }

key_lines() {
    each_key | while read -r name key; do
        printf "    \"$1\" \"$name\";\n" "$(echo "$key" | sed 's/[.~]/\\&/g')"
    done
}

echo "$keys" | tr ', ' '\n\n' | while read -r key; do
    name=key
    case $key in
        *:*) name=${key%%:*} key=${key#*:} ;;
    esac
    case $name in
        *[!A-Za-z0-9_-]* | '' | ?????????????????????????????????*) refuse "a name in PILOT_KEYS is not 1 to 32 letters, digits, _ or -. Write each key by itself or as name:key." ;;
    esac
    case $key in
        '') [ "$name" = key ] || refuse "there is no key behind the name $name in PILOT_KEYS. Make one with: openssl rand -hex 24" ;;
        *[!A-Za-z0-9._~-]*) refuse "a key in PILOT_KEYS has a character other than letters, digits and . _ ~ -. Make one with: openssl rand -hex 24" ;;
        ????????????????*) ;;
        *) refuse "a key in PILOT_KEYS is shorter than 16 characters. Make one with: openssl rand -hex 24" ;;
    esac
done

# With several names none takes all places.
of_one_key=$concurrency large_of_key=4
[ "$(each_key | cut -d ' ' -f 1 | sort -u | wc -l)" -le 1 ] || of_one_key=$(((concurrency + 1) / 2)) large_of_key=2

each_origin() { echo "$origins" | tr ', ' '\n\n' | grep . | sort -u; }

each_origin | while read -r origin; do
    echo "$origin" | grep -Eqx 'https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?' ||
        refuse "PILOT_ORIGINS has $origin, which is no origin. Name pages as their browser does: https://chat.example or http://localhost:3000, without a path."
done

origins_conf() {
    [ -z "$origins" ] || vary=Origin
    echo "map \$host \$cors_vary { default \"${vary:-}\"; }"
    echo 'map $http_origin $cors_origin { default "";'
    each_origin | while read -r origin; do echo "    \"~^$(echo "$origin" | sed 's/[].[]/\\&/g')\$\" \$http_origin;"; done
    echo '}'
}

[ "${1:-}" != --check ] || exit 0

# A master that was killed leaves its workers on the port, in its process group. By name too, because the number may
# have gone to another program since. A container has neither leftovers nor pkill.
if [ -s "$run_dir/nginx.pid" ] && command -v pkill > /dev/null; then
    pkill -KILL -g "$(cat "$run_dir/nginx.pid")" nginx || true  # 1: there were none
fi
# Not its pid file: nginx overwrites it, and on a full disk what is removed may not find its place again.
rm -f "$run_dir/brains.sock" "$run_dir/measured.sock" "$run_dir/session.sock"

# Root's workers must be able to reach root's sockets; anyone else's nginx has no user to change to.
user=
[ "$(id -u)" -ne 0 ] || user='user root;'
case $listen in *:*) listen="[$listen]" ;; esac

mkdir -p "$run_dir/nginx"
# A full disk must not keep it from starting again, so nothing is written that stands there already.
write() {
    new=$(cat)
    [ -e "$1" ] && [ "$new" = "$(cat "$1")" ] || printf '%s\n' "$new" > "$1"
}
keys_conf | write "$run_dir/nginx/keys.conf"
origins_conf | write "$run_dir/nginx/origins.conf"
containers=$here/containers
[ -n "${PILOT_LISTEN:-}" ] || containers=/nonexistent  # only containers have Prometheus and Grafana beside nginx
sed -e "s|@USER@|$user|" -e "s|@HERE@|$here|g" -e "s|@CONTAINERS@|$containers|" -e "s|@RUN_DIR@|$run_dir|g" -e "s|@LISTEN@|$listen|g" \
    -e "s|@CONCURRENCY@|$concurrency|g" -e "s|@KEY_CONCURRENCY@|${key_concurrency:-$of_one_key}|g" -e "s|@METRICS_LISTEN@|$metrics_listen|g" \
    -e "s|@LARGE_OF_KEY@|$large_of_key|g" -e "s|@PORT@|$port|g" -e "s|@METRICS_PORT@|$metrics_port|g" \
    "$here/nginx.conf" | write "$run_dir/nginx/nginx.conf"
exec "$nginx" -p "$run_dir/nginx" -e stderr -c "$run_dir/nginx/nginx.conf"
