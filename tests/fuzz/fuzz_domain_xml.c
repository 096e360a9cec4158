/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's XML: what attach writes is attached, and detach takes all of it away; a message is
 * always fit for people.
 */
#include "virt/domain_xml.h"

#include "fuzz.h"

static void check_edit(int outcome, const struct domain_xml_edit *edit)
{
	FUZZ_CHECK(outcome == 0 || outcome == DOMAIN_XML_UNCHANGED ||
	           outcome == DOMAIN_XML_REFUSED);
	if (outcome == 0) {
		FUZZ_CHECK(edit->added || edit->removed);
		return;
	}
	FUZZ_CHECK(!edit->xml && !edit->added && !edit->removed);
	fuzz_check_message(edit->note);
}

static int attach(const char *text, size_t size, char **xml)
{
	struct domain_xml_edit edit;
	int r = domain_xml_attach(text, size, &edit);

	check_edit(r, &edit);
	*xml = edit.xml;
	edit.xml = NULL;
	domain_xml_edit_cleanup(&edit);
	return r;
}

static int detach(const char *text, size_t size, char **xml)
{
	struct domain_xml_edit edit;
	int r = domain_xml_detach(text, size, &edit);

	check_edit(r, &edit);
	*xml = edit.xml;
	edit.xml = NULL;
	domain_xml_edit_cleanup(&edit);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct domain_xml_edit edit;
	char *once = NULL, *twice = NULL;

	if (attach(text, size, &once) == 0) {
		FUZZ_CHECK(attach(once, strlen(once), &twice) == DOMAIN_XML_UNCHANGED);
		FUZZ_CHECK(detach(once, strlen(once), &twice) == 0);
		free(once);
		FUZZ_CHECK(detach(twice, strlen(twice), &once) == DOMAIN_XML_UNCHANGED);
		free(twice);
	}
	if (detach(text, size, &once) == 0) {
		FUZZ_CHECK(detach(once, strlen(once), &twice) == DOMAIN_XML_UNCHANGED);
		free(once);
	}
	check_edit(domain_xml_attach_vsock(text, size, &edit), &edit);
	domain_xml_edit_cleanup(&edit);
	check_edit(domain_xml_detach_vsock(text, size, &edit), &edit);
	domain_xml_edit_cleanup(&edit);
	check_edit(domain_xml_plug_vsock(text, size, &edit), &edit);
	domain_xml_edit_cleanup(&edit);
	check_edit(domain_xml_unplug_vsock(text, size, &edit), &edit);
	domain_xml_edit_cleanup(&edit);
	check_edit(domain_xml_plug(text, size, &edit), &edit);
	domain_xml_edit_cleanup(&edit);
	check_edit(domain_xml_unplug(text, size, &edit), &edit);
	domain_xml_edit_cleanup(&edit);
	return 0;
}
