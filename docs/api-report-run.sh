#!/bin/sh
# Reports a run from outside: no library, only curl. Any engine can do the same.
#
#   URL=http://127.0.0.1:8000 KEY=rd_… sh docs/api-report-run.sh [flow] [items]
#
# Prints the run's id. Ends by itself after the items, or at once when somebody presses Stop on the run's page.
set -eu

flow=${1:-shipping}
items=${2:-60}
run=$flow-$(date +%s)-$$
api=$URL/api/v1/flow-runs/$run

call() {  # method path [body]
    curl --silent --show-error --fail --retry 5 --retry-connrefused --request "$1" "$api$2" \
        --header "Authorization: Bearer $KEY" --header "Content-Type: application/json" --data "${3:-{\}}"
}
say() {  # line: a resend with the same key appends nothing
    printf '%s\n' "$2" | curl --silent --show-error --fail --retry 5 --output /dev/null "$api/flow-run-logs" \
        --header "Authorization: Bearer $KEY" --header "Content-Type: text/plain" \
        --header "Idempotency-Key: $run-$1" --data-binary @-
}
finish() {  # phase
    call PUT /actions/pack "{\"phase\": \"$1\"}" > /dev/null
    call PATCH "" "{\"phase\": \"$1\", \"outputs\": {\"packed\": $item}}" > /dev/null
    exit "$2"
}

item=0
call PUT "" "{\"flowId\": \"$flow\", \"phase\": \"running\", \"trackedData\": {\"parcel\": \"$run\"}}" > /dev/null
echo "$run"
call PUT /actions/pack '{"name": "Pack the parcels", "component": "shell", "phase": "running"}' > /dev/null
while [ "$item" -lt "$items" ]; do
    item=$((item + 1))
    say "$item" "packed parcel $item of $items"
    case $(call POST /heartbeat) in
        *true*) say stop "WARNING asked to stop after $item"; finish stopped 0 ;;
    esac
    sleep "${PAUSE:-1}"
done
finish succeeded 0
