/* SPDX-License-Identifier: Apache-2.0 */
/* What a decoder found at the front of its input. */
#ifndef GENTAP_WIRE_PARSE_H
#define GENTAP_WIRE_PARSE_H

enum parse {
	PARSE_ITEM,	/* one item, now in *ret; *in advanced past it */
	PARSE_MORE,	/* what is left of *in begins an item: bring more bytes behind it */
	PARSE_BAD,	/* not this protocol, or a limit was hit: give up on it */
};

#endif
