/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of HTTP/2 for tests: frames (RFC 9113), and header blocks by libnghttp2's deflater. */
#ifndef GENTAP_TESTS_WIRE_FRAMES_H
#define GENTAP_TESTS_WIRE_FRAMES_H

#include <criterion/criterion.h>
#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "limits.h"
#include "wire/http2.h"

static inline void add_frame(struct buf *out, uint8_t type, uint8_t flags, uint32_t id, struct slice payload)
{
	const uint8_t header[] = { payload.len >> 16, payload.len >> 8, payload.len, type, flags,
				   id >> 24, id >> 16, id >> 8, id };

	buf_add(out, header, sizeof(header));
	buf_add_slice(out, payload);
}

/* "name\0value\0...": @count fields, as a block of @deflater's. */
static inline void add_block(struct buf *out, nghttp2_hd_deflater *deflater, const char *const (*fields)[2],
			     size_t count)
{
	nghttp2_nv nv[64];
	uint8_t block[128 * 1024];
	ssize_t len;

	cr_assert_leq(count, ARRAY_SIZE(nv));
	for (size_t i = 0; i < count; i++)
		nv[i] = (nghttp2_nv){ (uint8_t *)fields[i][0], (uint8_t *)fields[i][1], strlen(fields[i][0]),
				      strlen(fields[i][1]), NGHTTP2_NV_FLAG_NONE };
	len = nghttp2_hd_deflate_hd(deflater, block, sizeof(block), nv, count);
	cr_assert_geq(len, 0);
	buf_add(out, block, (size_t)len);
}

#endif
