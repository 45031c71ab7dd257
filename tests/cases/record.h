/* SPDX-License-Identifier: Apache-2.0 */
/* A case as files: a capture that must replay to its lines, and what fuzzers start from. */
#ifndef GENTAP_TESTS_CASES_RECORD_H
#define GENTAP_TESTS_CASES_RECORD_H

#include "case.h"

/* Writes FOLDER/NAME.gtcap and, with the lines wanted of it, FOLDER/NAME.jsonl; over
 * HTTP/2 the same as NAME.h2. False with a word on stderr. */
bool record_case(const struct test_case *test, const char *folder);

/* Writes one file for each thing that a decoder may be given, in a folder of FOLDER for
 * each decoder: http1, http2, websocket, json, sse, ndjson, eventstream, multipart, a coding's name;
 * events: the events of a pipeline, one behind the other, each at a multiple of 8 bytes;
 * gtcap: capture files; wires: moves of both sides, as fuzz_conn has them; calls: request and
 * answer, as fuzz_dialect has them; lanes: messages of a WebSocket, as fuzz_lanes has them. */
bool seed_case(const struct test_case *test, const char *folder);

#endif
