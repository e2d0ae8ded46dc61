#!/bin/sh
# The container's health. A worker that a signal has frozen keeps the connections it has: it is killed, and nginx starts
# another. An nginx that does not answer at all ends, and the engine starts the container again.
children() { cat "/proc/$1/task/$1/children" 2> /dev/null; }

master=$(cat /run/pilot-light/nginx.pid) || exit 1
for worker in $(children "$master"); do
    if grep -q '^State:.T' "/proc/$worker/status"; then
        # The second time in a row.
        if [ "$(cat /tmp/frozen 2> /dev/null)" = "$worker" ]; then kill -KILL "$worker"; else echo "$worker" > /tmp/frozen; fi
    fi
done
curl --silent --show-error --fail --max-time 3 --output /dev/null http://127.0.0.1:9145/nginx/metrics
code=$?
if [ $code -ne 28 ]; then  # 28: no answer in time
    rm -f /tmp/unanswered
    [ $code -eq 0 ]
elif [ "$(wc -c < /tmp/unanswered)" -lt 2 ] 2> /dev/null || [ ! -e /tmp/unanswered ]; then
    printf . >> /tmp/unanswered
    exit 1
else
    rm -f /tmp/unanswered
    kill -KILL "$master" $(children "$master")
    exit 1
fi
