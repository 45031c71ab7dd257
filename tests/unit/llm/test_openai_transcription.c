/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct whole wholes[] = {
	{ "a text, tokens by modality", "{\"file\":{\"filename\":\"a.wav\",\"bytes\":9},\"model\":\"gpt-4o-transcribe\",\"language\":\"no\"}",
	  "{\"text\":\"Hei\",\"logprobs\":[{\"token\":\"Hei\",\"logprob\":-0.1}],\"usage\":{\"type\":\"tokens\",\"input_tokens\":14,\"input_token_details\":{\"text_tokens\":4,\"audio_tokens\":10},\"output_tokens\":2,\"total_tokens\":16}}",
	  "{\"file\":{\"filename\":\"a.wav\",\"bytes\":9}}", "\"Hei\"",
	  "{\"input\":4,\"input_audio_tokens\":10,\"output\":2,\"total\":16}", NULL },
	{ "seconds", "{\"file\":{\"filename\":\"a.wav\",\"bytes\":9},\"model\":\"gpt-4o-transcribe\"}",
	  "{\"text\":\"Hei\",\"usage\":{\"type\":\"duration\",\"seconds\":9}}",
	  "{\"file\":{\"filename\":\"a.wav\",\"bytes\":9}}", "\"Hei\"",
	  NULL, "{\"audioSeconds\":9}" },
	{ "with its segments", "{\"file\":{\"filename\":\"a.wav\",\"bytes\":9},\"model\":\"gpt-4o-transcribe\",\"prompt\":\"Ibsen\"}",
	  "{\"task\":\"transcribe\",\"language\":\"no\",\"duration\":1.5,\"text\":\"Hei\",\"segments\":[{\"id\":0,\"text\":\"Hei\"}]}",
	  "{\"file\":{\"filename\":\"a.wav\",\"bytes\":9},\"prompt\":\"Ibsen\"}", "{\"task\":\"transcribe\",\"language\":\"no\",\"duration\":1.5,\"text\":\"Hei\",\"segments\":[{\"id\":0,\"text\":\"Hei\"}]}",
	  NULL, NULL },
};

Test(openai_transcription, a_whole_answer_gives_its_fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		expect_whole(&openai_transcription, &wholes[i]);
}

static const char *const texts[] = {
	"Hei på deg", "1\n00:00:00,000 --> 00:00:01,500\nHei\n", "WEBVTT\n\n00:00.000 --> 00:01.500\nHei\n", "true", "[music]",
};

Test(openai_transcription, an_answer_may_be_a_text)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_transcription, "{\"file\":{\"bytes\":9},\"response_format\":\"text\"}");
		_cleanup_(json_freep) cJSON *output = NULL;

		feed_response(call, 200, texts[i]);
		output = dialect_output(&openai_transcription, call);
		cr_expect_str_eq(cJSON_GetStringValue(output), texts[i]);
		cr_expect_eq(call->marks, 0, "that it is no JSON is no loss: %s", texts[i]);
		cr_expect(call_is_recognised(call));
	}
}

Test(openai_transcription, parts_of_a_form_are_its_request)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_transcription, LIMIT_CONTENT);
	struct stream_note note = { .filename = SLICE("a.wav"), .content_type = SLICE("audio/wav"), .size = 3, .sha256 = "ab" };
	struct stream_event file = { .type = SLICE("file"), .note = &note };
	struct stream_event model = { .type = SLICE("model"), .data = SLICE("whisper-1") };
	struct stream_event first = { .type = SLICE("timestamp_granularities[]"), .data = SLICE("word") };
	struct stream_event second = { .type = SLICE("timestamp_granularities[]"), .data = SLICE("segment") };

	call_read_part(call, &file);
	call_read_part(call, &model);
	call_read_part(call, &first);
	call_read_part(call, &second);
	call_read_request(call, SLICE(""), /* is_truncated */ false);
	expect_json(openai_transcription.input(call), "{\"file\":{\"filename\":\"a.wav\",\"type\":\"audio/wav\",\"bytes\":3,\"sha256\":\"ab\"}}", "form", "input");
	expect_json(dialect_parameters(&openai_transcription, call), "{\"timestamp_granularities[]\":[\"word\",\"segment\"]}", "form", "parameters");
	cr_expect_str_eq(call_model(call), "whisper-1");
	cr_expect(call_is_recognised(call));
}

static const struct { const char *name, *events, *output; enum call_end end; } streams[] = {
	{ "OpenAI's", "{\"type\":\"transcript.text.delta\",\"delta\":\"Hei \"}\n{\"type\":\"transcript.text.delta\",\"delta\":\"du\"}\n"
	  "{\"type\":\"transcript.text.done\",\"text\":\"Hei du\",\"usage\":{\"type\":\"tokens\",\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5}}",
	  "\"Hei du\"", CALL_DONE },
	{ "OpenAI's, cut", "{\"type\":\"transcript.text.delta\",\"delta\":\"Hei \"}\n{\"type\":\"transcript.text.delta\",\"delta\":\"du\"}", "\"Hei du\"", CALL_OPEN },
	{ "vLLM's", "{\"object\":\"transcription.chunk\",\"choices\":[{\"delta\":{\"content\":\"Hei \"}}]}\n"
	  "{\"object\":\"transcription.chunk\",\"choices\":[{\"delta\":{\"content\":\"du\"},\"finish_reason\":\"stop\"}]}\n[DONE]", "\"Hei du\"", CALL_DONE },
};

Test(openai_transcription, streams_are_joined)
{
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_transcription, "{\"file\":{\"bytes\":9}}");

		feed_events(call, streams[i].events);
		expect_json(dialect_output(&openai_transcription, call), streams[i].output, streams[i].name, "output");
		cr_expect_eq(call->end, streams[i].end, "%s", streams[i].name);
		cr_expect_eq(call->chunks, 2, "%s", streams[i].name);
	}
}
