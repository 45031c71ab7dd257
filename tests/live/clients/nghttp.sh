#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The API by nghttp(1), one process a call, as curl.sh does it by curl(1).
set -eu
base=$1 plan=$2
echo READY
read -r _
made=0
while IFS='	' read -r path body; do
	printf '%s' "$body" | (
		[ "${PAUSE:-0}" = 0 ] || sleep "$PAUSE"
		exec nghttp ${NGHTTP_OPTIONS:-} --null-out --timeout=60 -H 'content-type: application/json' \
			-H 'authorization: Bearer GTCANARY-key' -H 'cookie: session=GTCANARY-cookie' \
			--data=- "$base/$path"
	)
	made=$((made + 1))
done < "$plan"
echo "$made"
read -r _ || :
