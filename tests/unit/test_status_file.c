/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt's status file: what is read of it, and from which places. */
#include "virt/status_file.h"

#include <errno.h>

#include "test.h"

#define UUID "6c34795f-f1f3-4451-b711-d6beefbb3011"

#define STATUS(vcpus)                                                                              \
	"<!--\nWARNING\n-->\n<domstatus state='running' reason='booted' pid='5879'>\n"             \
	"<vcpus>" vcpus "</vcpus><domain type='qemu'><name>a</name><uuid>" UUID                    \
	"</uuid></domain></domstatus>\n"

static int parse_status(const char *text, struct status_file **ret)
{
	struct xml_error error;

	status_file_free(*ret);
	*ret = NULL;
	return status_file_parse(text, strlen(text), ret, &error);
}

static void test_valid(void)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;

	CHECK_INT(parse_status(STATUS("<vcpu id='0' pid='5886'/>\n<vcpu id='3' pid='5887'/>"
	                              "<vcpu id='1'/><vcpu id='-1' pid='2'/><vcpu id='4' pid='0'/>"
	                              "<vcpu id='512' pid='2'/><vcpu id='5' pid='2x'/>"),
	                       &status),
	          0);
	CHECK_STR(status->uuid, UUID);
	CHECK_INT(status->qemu, 5879);
	CHECK_U64(status->n_vcpus, 2);
	CHECK_U64(status->vcpus[1].index, 3);
	CHECK_INT(status->vcpus[1].tid, 5887);
}

/** Of elements that are there twice the first counts, and only in its place. */
static void test_places(void)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;

	CHECK_INT(parse_status("<domstatus><vcpu id='1' pid='1'/><x><vcpus><vcpu id='2' pid='2'/>"
	                       "</vcpus></x><vcpus><vcpu id='3' pid='3'><vcpu id='4' pid='4'/>"
	                       "</vcpu></vcpus><vcpus><vcpu id='5' pid='5'/></vcpus></domstatus>",
	                       &status),
	          0);
	CHECK_U64(status->n_vcpus, 1);
	CHECK_INT(status->vcpus[0].tid, 3);
	CHECK_INT(status->qemu, 0);
	CHECK_INT(parse_status("<domstatus><uuid>" UUID "</uuid><domain><metadata><uuid>" UUID
	                       "</uuid></metadata><uuid>x</uuid><uuid>" UUID
	                       "</uuid></domain></domstatus>",
	                       &status),
	          0);
	CHECK_STR(status->uuid, "");
	CHECK_INT(parse_status("<domstatus><domain><uuid>" UUID "<b/></uuid></domain></domstatus>",
	                       &status),
	          0);
	CHECK_STR(status->uuid, "");
	CHECK_INT(parse_status("<domstatus><domain><uuid>" UUID "0</uuid></domain></domstatus>",
	                       &status),
	          0);
	CHECK_STR(status->uuid, "");
	/* an element of somebody's namespace is not libvirt's */
	CHECK_INT(parse_status("<domstatus><vcpus xmlns='urn:x'><vcpu id='1' pid='1'/></vcpus>"
	                       "<n:domain xmlns:n='urn:x'><uuid>" UUID
	                       "</uuid></n:domain></domstatus>",
	                       &status),
	          0);
	CHECK_U64(status->n_vcpus, 0);
	CHECK_STR(status->uuid, "");
}

#define CID_OF(cid) "<vsock model='virtio'><cid auto='yes' address='" cid "'/></vsock>"

/** Of all vsock devices that the domain has now, and only in their place. */
static void test_cids(void)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;

	CHECK_INT(parse_status(
	                  "<domstatus><domain><cid address='9'/><devices><cid address='9'/>" CID_OF(
	                          "3") "<disk><cid address='9'/></disk>" CID_OF("4294967295")
	                          CID_OF("0x5") "<vsock><cid auto='yes'/><alias/></vsock>" CID_OF(
	                                  "12") "</devices><uuid>" UUID
	                                        "</uuid></domain><devices>" CID_OF(
	                                                "9") "</devices></domstatus>",
	                  &status),
	          0);
	CHECK_U64(status->cids.n, 2);
	CHECK_U64(status->cids.of[0], 3);
	CHECK_U64(status->cids.of[1], 12);
	CHECK_STR(status->uuid, UUID);
	CHECK_INT(parse_status(STATUS(""), &status), 0);
	CHECK_U64(status->cids.n, 0);
}

/** Metadata of others keeps whole documents in CDATA sections and comments. */
static void test_no_doctype(void)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;

	CHECK_INT(parse_status("<domstatus pid='5'><domain><metadata><n:d xmlns:n='urn:x'>"
	                       "<![CDATA[<!DOCTYPE html><p>note</p>]]><!-- <!DOCTYPE html> -->"
	                       "</n:d></metadata><uuid>" UUID "</uuid></domain></domstatus>",
	                       &status),
	          0);
	CHECK_STR(status->uuid, UUID);
	CHECK_INT(status->qemu, 5);
}

static void test_refused(void)
{
	CLEANUP(status_file_cleanup) struct status_file *status = NULL;
	struct xml_error error;

	CHECK_INT(status_file_parse("<domstatus>\n</domain>", 21, &status, &error), -EBADMSG);
	CHECK_STR(error.text, "is not well-formed XML: mismatched tag (line 2, column 3)");
	CHECK_INT(status_file_read("/proc/self/root", &status, &error), -ELOOP);
	CHECK_STR(error.text, "");
	CHECK_INT(parse_status("", &status), -EBADMSG);
	CHECK_INT(parse_status("<domstatus", &status), -EBADMSG);
	CHECK_INT(parse_status("<other/>", &status), -EBADMSG);
	CHECK_INT(parse_status("<!DOCTYPE d [<!ENTITY a 'b'>]><domstatus pid='&a;'/>", &status),
	          -EBADMSG);
	CHECK_INT(parse_status("<domstatus pid='&#49;'/>", &status), 0);
	CHECK_U64(status->n_vcpus, 0);
	CHECK_STR(status->uuid, "");
}

TEST_MAIN({"valid", test_valid}, {"places", test_places}, {"no-doctype", test_no_doctype},
          {"refused", test_refused}, {"cids", test_cids})
