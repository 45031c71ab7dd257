/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms in the field: {"error":{message,type,param,code}}, {"error":"text"},
 * {"object":"error",message,…} (vLLM once), {"detail":…} (FastAPI), {"message"}.
 */
#include "llm/error.h"

#include "llm/json.h"

static void set(struct call *call, struct buf *buf, const char *text)
{
	if (!text)
		return;
	buf_reset(buf);
	call_add(call, buf, text);
}

/* A code or a type: text, or a number. */
static bool set_type(struct call *call, const cJSON *object, const char *name)
{
	const cJSON *item = json_get(object, name);
	char text[32];

	if (cJSON_IsString(item)) {
		set(call, &call->error_type, item->valuestring);
	} else if (cJSON_IsNumber(item)) {
		snprintf(text, sizeof(text), "%.15g", item->valuedouble);
		set(call, &call->error_type, text);
	}
	return call->error_type.len > 0;
}

/* Mistral's codes are numbers, as text. */
static bool has_word(const cJSON *object, const char *name)
{
	const char *text = json_string(object, name);

	return text && text[strspn(text, "0123456789")];
}

bool error_read_object(struct call *call, const cJSON *error)
{
	const char *message = json_string(error, "message");

	set(call, &call->error_message, message);
	/* The code is the finer word (rate_limit_exceeded), where it is a word; Google's is the status. */
	if ((!has_word(error, "code") || !set_type(call, error, "code")) &&
	    !set_type(call, error, "type") &&
	    (!cJSON_IsString(json_get(error, "status")) || !set_type(call, error, "status")))
		set_type(call, error, "code");
	call->is_error = true;
	return true;
}

bool error_read(struct call *call, const cJSON *body)
{
	const cJSON *error = json_get(body, "error");
	const char *object = json_string(body, "object");

	if (cJSON_IsObject(error) && error->child)
		return error_read_object(call, error);
	if (cJSON_IsString(error) && *error->valuestring) {
		set(call, &call->error_message, error->valuestring);
		set_type(call, body, "error_type");	/* TGI */
		call->is_error = true;
		return true;
	}
	if (object && strcmp(object, "error") == 0)
		return error_read_object(call, body);
	return false;
}

/* FastAPI: {"detail": "text"} or {"detail": [{"msg": "text", …}, …]}. */
static bool read_detail(struct call *call, const cJSON *detail)
{
	if (!detail)
		return false;
	if (cJSON_IsArray(detail) && detail->child)
		detail = detail->child;
	if (cJSON_IsString(detail))
		set(call, &call->error_message, detail->valuestring);
	else if (json_string(detail, "msg"))
		set(call, &call->error_message, json_string(detail, "msg"));
	else
		return false;
	return true;
}

bool error_read_http(struct call *call, const cJSON *body)
{
	/* Gemini's compatible endpoint wraps its object in an array. */
	if (cJSON_IsArray(body) && body->child)
		body = body->child;
	if (error_read(call, body) || read_detail(call, json_get(body, "detail")))
		return true;
	if (json_string(body, "Message")) {	/* AWS has both */
		set(call, &call->error_message, json_string(body, "Message"));
		return call->is_error = true;
	}
	return json_string(body, "message") && error_read_object(call, body);
}
