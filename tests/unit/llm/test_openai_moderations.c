/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct whole wholes[] = {
	{ "one text", "{\"model\":\"omni-moderation-latest\",\"input\":\"x\"}",
	  "{\"id\":\"modr-1\",\"model\":\"omni-moderation-2026\",\"results\":[{\"flagged\":false,\"categories\":{\"hate\":false},\"category_scores\":{\"hate\":0.01}}]}",
	  "\"x\"", "{\"flagged\":false,\"categories\":{\"hate\":false},\"category_scores\":{\"hate\":0.01}}",
	  NULL, NULL },
	{ "two", "{\"input\":[\"x\",\"y\"]}",
	  "{\"results\":[{\"flagged\":true,\"categories\":{}},{\"flagged\":false,\"categories\":{}}]}",
	  "[\"x\",\"y\"]", "[{\"flagged\":true,\"categories\":{}},{\"flagged\":false,\"categories\":{}}]",
	  NULL, NULL },
};

Test(openai_moderations, a_whole_answer_gives_its_fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		expect_whole(&openai_moderations, &wholes[i]);
}
