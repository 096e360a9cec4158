// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_check.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>

void report_check(cJSON *array, const char *name, const char *status, const char *fix,
                  const char *format, ...)
{
	cJSON *object = cJSON_CreateObject();
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cJSON_AddStringToObject(object, "name", name);
	cJSON_AddStringToObject(object, "status", status);
	cJSON_AddStringToObject(object, "detail", text);
	cJSON_AddStringToObject(object, "fix", fix);
	cJSON_AddItemToArray(array, object);
}
