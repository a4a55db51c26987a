#!/bin/sh
# Settings and identity of a node in a container, from its environment, then the node itself in this process.
#   BITDUST_SETTINGS   lines "key=value"; written at every start, so that the compose file is what counts
#   BITDUST_IDENTITY   a user name, registered once the node runs, unless it has an identity already
# Other commands (`docker run … bitdust services`) are passed on as they are.
set -eu

if [ "${1:-start}" = start ]; then
    printf '%s\n' "${BITDUST_SETTINGS:-}" | while IFS='=' read -r key value; do
        [ -z "$key" ] || bitdust set "$key" "$value"
    done
    if [ -n "${BITDUST_IDENTITY:-}" ]; then
        (
            until bitdust id >/dev/null 2>&1 || bitdust identity create "$BITDUST_IDENTITY" >/dev/null 2>&1; do
                sleep 1
                kill -0 $$ 2>/dev/null || exit 0 # the node is gone
            done
        ) &
    fi
fi
exec bitdust "$@"
