// SPDX-License-Identifier: Apache-2.0
// The official Anthropic client for Node; as sdk_anthropic.py.

import Anthropic from '@anthropic-ai/sdk';
import { KEY, SCHEMA, main, toolNames } from './sdk.mjs';

function whole(report, answer) {
	report.set({ id: answer.id, model: answer.model, finish: answer.stop_reason,
		usage: answer.usage });
	for (const block of answer.content) {
		if (block.type === 'text')
			report.fields.text += block.text;
		else if (block.type === 'thinking')
			report.fields.reasoning += block.thinking;
		else if (block.type === 'tool_use')
			report.fields.tools.push([block.id, block.name, block.input]);
	}
}

main({
	open: (base) => new Anthropic({ baseURL: base, apiKey: KEY, maxRetries: 0 }),
	start(client, call) {
		const body = { model: call.model, max_tokens: 2000, system: 'Be brief.',
			messages: [{ role: 'user', content: call.text }] };
		if (call.tools)
			body.tools = toolNames(call).map((name) => ({ name, input_schema: SCHEMA }));
		if (call.model.endsWith('reason'))
			body.thinking = { type: 'enabled', budget_tokens: 1024 };
		return call.stream ? client.messages.stream(body) : client.messages.create(body);
	},
	event(report, event) {
		if (event.type === 'content_block_delta' && event.delta.type !== 'signature_delta')
			report.mark();
	},
	last: async (report, stream) => whole(report, await stream.finalMessage()),
	whole,
});
