// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/request_parts.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>

int answer_no(struct answer *answer, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(answer->error, answer->size, format, args);
	va_end(args);
	return code;
}

int answer_sentence(struct answer *answer, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	*answer->result = cJSON_CreateObject();
	cJSON_AddStringToObject(*answer->result, "message", text);
	return 0;
}
