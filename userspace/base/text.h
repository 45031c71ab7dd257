/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from elsewhere made safe: for a terminal, for JSON, for people.
 */
#ifndef GENTAP_BASE_TEXT_H
#define GENTAP_BASE_TEXT_H

#include "base/buf.h"

/* Length of the longest prefix of @s that is at most @max bytes and does not
 * cut a UTF-8 sequence (RFC 3629). */
size_t utf8_prefix(struct slice s, size_t max);

/* Length of the longest prefix of @s that is UTF-8 (RFC 3629) without a NUL. */
size_t utf8_len(struct slice s);

/* Appends @s with every byte that is not valid UTF-8 (RFC 3629; surrogates and
 * overlong forms included) and every NUL replaced by U+FFFD. Returns how many
 * were replaced. */
size_t text_add_utf8(struct buf *buf, struct slice s);

/* Appends @s for a terminal, on one line: C0 and C1 controls, DEL, bidi
 * controls and invalid UTF-8 become U+FFFD, line ends and tabs a space. */
void text_add_scrubbed(struct buf *buf, struct slice s);

/* "90s", "10m", "1h", "250ms"; a bare number is seconds. 0, or -EINVAL. */
int text_parse_duration_ns(const char *text, uint64_t *ret_ns);
/* "262144", "256k", "256KiB", "1M", "1MiB". 0, or -EINVAL. */
int text_parse_bytes(const char *text, uint64_t *ret_bytes);

/* "2026-11-18T11:06:40.310000000Z" of a CLOCK_REALTIME reading; @ret holds 31 bytes. */
#define TEXT_TIME_SIZE 31
void text_time_utc(uint64_t realtime_ns, char ret[TEXT_TIME_SIZE]);

#endif
