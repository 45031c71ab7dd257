#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The API by curl(1), one process a call: children that come after the attach.
# Same start and end as client.py; prints only how many calls it made. PAUSE is
# how long a child lives before it becomes curl: probes need some 20 ms.
set -eu
base=$1 plan=$2
echo READY
read -r _
# Each line of the plan is "path<TAB>body".
made=0
while IFS='	' read -r path body; do
	printf '%s' "$body" | (
		[ "${PAUSE:-0}" = 0 ] || sleep "$PAUSE"
		exec curl ${CURL_OPTIONS:-} -sS --max-time 60 -o /dev/null \
		-H 'content-type: application/json' -H 'authorization: Bearer GTCANARY-key' \
		-H 'cookie: session=GTCANARY-cookie' --data-binary @- "$base/$path"
	)
	made=$((made + 1))
done < "$plan"
echo "$made"
read -r _ || :
