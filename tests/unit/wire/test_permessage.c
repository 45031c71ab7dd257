/* SPDX-License-Identifier: Apache-2.0 */
/* What a server may agree to with Sec-WebSocket-Extensions. */
#include <criterion/criterion.h>

#include "wire/permessage.h"

/* Who looks back to messages before, "client", "server", both or nobody; "?" when it
 * is not understood. */
static void describe(const char *field, char *ret, size_t size)
{
	struct permessage_params client = {}, server = {};

	if (!permessage_read(slice_of(field), &client, &server))
		snprintf(ret, size, "?");
	else if (!client.is_agreed)
		snprintf(ret, size, "none");
	else
		snprintf(ret, size, "%s%s", client.has_no_takeover ? "" : "client ", server.has_no_takeover ? "" : "server ");
	cr_expect_eq(client.is_agreed, server.is_agreed);
}

Test(permessage, agreements_are_read)
{
	static const struct {
		const char *field, *want;
	} cases[] = {
		{ "permessage-deflate", "client server " },
		{ "", "none" },
		{ " , ", "none" },
		{ "Permessage-Deflate; Server_No_Context_Takeover", "client " },
		{ "permessage-deflate; client_no_context_takeover; server_max_window_bits=12", "server " },
		{ "permessage-deflate;client_max_window_bits=8;server_max_window_bits=9;", "client server " },
		{ "permessage-deflate; client_max_window_bits = \"10\" ; server_no_context_takeover", "client " },
		{ ",permessage-deflate,", "client server " },
		{ "permessage-deflate; client_no_context_takeover; server_no_context_takeover", "" },
		{ "permessage-deflate; client_max_window_bits", "?" },
		{ "permessage-deflate; client_max_window_bits=7", "?" },
		{ "permessage-deflate; server_max_window_bits=16", "?" },
		{ "permessage-deflate; server_max_window_bits=1x", "?" },
		{ "permessage-deflate; server_max_window_bits=015", "?" },
		{ "permessage-deflate; other", "?" },
		{ "permessage-deflate, permessage-deflate", "?" },
		{ "permessage-bzip2", "?" },
		{ "permessage-deflate, x-other", "?" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];

		describe(cases[i].field, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].want, "'%s'", cases[i].field);
	}
}

Test(permessage, fields_are_one_list)
{
	struct permessage_params client = {}, server = {};

	cr_expect(permessage_read(SLICE(""), &client, &server));
	cr_expect(permessage_read(SLICE("permessage-deflate"), &client, &server));
	cr_expect_not(permessage_read(SLICE("permessage-deflate"), &client, &server), "agreed twice");
}
