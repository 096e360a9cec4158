// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report_config.h"

#include <cjson/cJSON.h>

#include "config/effective.h"
#include "daemon/report_json.h"

/* A configuration may have more entries than an answer has room for. */
#define SETTINGS_MAX 4096

static void add_setting(void *userdata, const struct config_setting *setting)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "key", setting->key);
	if (setting->entry)
		cJSON_AddStringToObject(object, "entry", setting->entry);
	cJSON_AddRawToObject(object, "value", setting->value);
	cJSON_AddStringToObject(object, "text", setting->value);
	cJSON_AddStringToObject(object, "source", setting->source);
	cJSON_AddBoolToObject(object, "built_in", setting->built_in);
	cJSON_AddItemToArray(userdata, object);
}

struct cJSON *report_config(const struct views *views)
{
	cJSON *root = cJSON_CreateObject();
	cJSON *files = cJSON_AddArrayToObject(root, "files");
	cJSON *settings = cJSON_AddArrayToObject(root, "settings");
	size_t left_out = 0;

	for (size_t i = 0; i < config_n_files(views->config); i++)
		cJSON_AddItemToArray(files, cJSON_CreateString(config_file(views->config, i)));
	if (config_each_setting(views->config, SETTINGS_MAX, add_setting, settings, &left_out) <
	    0) {
		cJSON_Delete(root);
		return NULL;
	}
	report_integer(root, "left_out", (int64_t)left_out);
	return root;
}
