/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct whole wholes[] = {
	{ "an image by address, less what signs it", "{\"model\":\"dall-e-3\",\"prompt\":\"A fjord\",\"n\":1}",
	  "{\"created\":1,\"data\":[{\"url\":\"https://images.example/a.png?sig=secret#x\",\"revised_prompt\":\"A deep fjord\"}]}",
	  "\"A fjord\"", "{\"url\":\"https://images.example/a.png\",\"revised_prompt\":\"A deep fjord\"}",
	  NULL, NULL },
	{ "two, with usage", "{\"model\":\"gpt-image-1\",\"prompt\":\"A fjord\",\"n\":2}",
	  "{\"created\":1,\"data\":[{\"b64_json\":\"AAAA\"},{\"b64_json\":\"BBBB\"}],\"usage\":{\"input_tokens\":50,\"input_tokens_details\":{\"text_tokens\":10,\"image_tokens\":40},\"output_tokens\":1000,\"total_tokens\":1050}}",
	  "\"A fjord\"", "[{\"b64_json\":\"AAAA\"},{\"b64_json\":\"BBBB\"}]",
	  "{\"input\":50,\"output\":1000,\"total\":1050}", "{\"tokenDetails\":{\"input_tokens_details\":{\"text_tokens\":10,\"image_tokens\":40}}}" },
	{ "an edit has its image beside the prompt", "{\"prompt\":\"Add snow\",\"image\":[{\"image_url\":\"https://x.example/a.png\"}]}",
	  "{\"created\":1,\"data\":[]}",
	  "{\"prompt\":\"Add snow\",\"image\":[{\"image_url\":\"https://x.example/a.png\"}]}", NULL,
	  NULL, NULL },
	{ "a variation has no prompt", "{\"image\":{\"filename\":\"a.png\",\"bytes\":3}}",
	  "{\"created\":1,\"data\":[{\"b64_json\":\"AAAA\"}]}",
	  "{\"image\":{\"filename\":\"a.png\",\"bytes\":3}}", "{\"b64_json\":\"AAAA\"}",
	  NULL, NULL },
};

Test(openai_images, a_whole_answer_gives_its_fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		expect_whole(&openai_images, &wholes[i]);
}

Test(openai_images, a_stream_ends_when_all_images_are_there)
{
	static const char events[] =
		"{\"type\":\"image_generation.partial_image\",\"b64_json\":\"AAAA\",\"partial_image_index\":0}\n"
		"{\"type\":\"image_generation.completed\",\"b64_json\":\"BBBB\",\"size\":\"1024x1024\",\"usage\":{\"input_tokens\":5,\"output_tokens\":7,\"total_tokens\":12}}";
	static const struct { const char *request; enum call_end end; } asked[] = {
		{ "{\"prompt\":\"x\",\"stream\":true}", CALL_DONE },
		{ "{\"prompt\":\"x\",\"stream\":true,\"n\":2}", CALL_OPEN },
		{ "{\"prompt\":\"x\",\"stream\":\"true\",\"n\":\"1\"}", CALL_DONE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_images, asked[i].request);

		feed_events(call, events);
		cr_expect_eq(call->end, asked[i].end, "%s", asked[i].request);
		expect_json(dialect_output(&openai_images, call), "{\"b64_json\":\"BBBB\"}", asked[i].request, "output");
		expect_json(usage_json(&call->usage), "{\"input\":5,\"output\":7,\"total\":12}", asked[i].request, "usage");
		cr_expect_eq(call->times.first_token_ns, EVENT_NS, "a partial image is the first content");
		cr_expect_eq(call->chunks, 2);
	}
}
