#!/bin/sh
# Settings and identity of a node in a container, from its environment, then the node itself in this process.
#   BITDUST_SETTINGS   lines "key=value"; written at every start, so that the compose file is what counts
#   BITDUST_IDENTITY   a user name, registered once the node runs, unless it has an identity already; what keeps it from
#                      that is said, and tried again after a pause that grows to a minute
# Other commands (`docker run … bitdust services`) are passed on as they are.
set -eu

pause_for() {
    for _ in $(seq "$1"); do
        sleep 1
        kill -0 $$ 2>/dev/null || exit 0 # the node is gone
    done
}

if [ "${1:-start}" = start ]; then
    printf '%s\n' "${BITDUST_SETTINGS:-}" | while IFS= read -r line; do
        case "$line" in
            *=*) bitdust set "${line%%=*}" "${line#*=}" ;;
            ?*) bitdust set "$line" ;; # which says what is missing
        esac
    done
    if [ -n "${BITDUST_IDENTITY:-}" ]; then
        (
            until bitdust api process_health >/dev/null 2>&1; do pause_for 1; done
            pause=1
            until bitdust id >/dev/null 2>&1 || bitdust identity create "$BITDUST_IDENTITY" >/dev/null; do
                pause_for "$pause"
                [ "$pause" -ge 60 ] || pause=$((pause * 2))
            done
        ) &
    fi
fi
exec bitdust "$@"
