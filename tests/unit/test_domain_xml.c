/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "virt/domain_xml.h"

#include "test.h"

#define UUID "0e5a9f3c-3a7e-4a53-8d1c-1f6b0f1d2c3b"
#define NS   "http://libvirt.org/schemas/domain/qemu/1.0"

#define BEGIN_VCPUS(attributes, vcpus)                                                             \
	"<domain" attributes " type=\"kvm\">\n  <name>a&amp;b</name>\n  <uuid>" UUID "</uuid>\n"   \
	"  <vcpu placement=\"static\" current=\"1\">" vcpus "</vcpu>\n  <devices>\n"
#define BEGIN BEGIN_VCPUS("", "2")
#define PC    "    <controller type=\"pci\" index=\"0\" model=\"pci-root\"/>\n"
#define Q35                                                                                        \
	"    <controller type=\"pci\" index=\"0\" model=\"pcie-root\"/>\n"                         \
	"    <controller type=\"pci\" index=\"1\" model=\"pcie-root-port\"/>\n"
#define MIDDLE "  </devices>\n"
#define END    MIDDLE "</domain>"

#define OBJECT(mib)       "memory-backend-memfd,id=pvsched,size=" mib "M,share=on,seal=on"
#define DEVICE(bus, addr) "ivshmem-plain,id=pvsched,memdev=pvsched,master=on,bus=" bus ",addr=" addr
#define ARG(value)        "<qemu:arg value=\"" value "\"/>"

static struct domain_xml_edit edit;

typedef int edit_fn(const char *text, size_t size, struct domain_xml_edit *ret);

static int run(edit_fn *function, const char *text)
{
	domain_xml_edit_cleanup(&edit);
	return function(text, strlen(text), &edit);
}

static void refuse(edit_fn *function, const char *text, const char *why)
{
	CHECK_INT(run(function, text), DOMAIN_XML_REFUSED);
	CHECK_CONTAINS(edit.note, why);
	CHECK(!edit.xml && !edit.added && !edit.removed);
}

/** Attaches; it must be attached then; takes it away again; what is left must be as it was. */
static void check_round(const char *text, const char *object, const char *device)
{
	char *attached;

	CHECK_INT(run(domain_xml_attach, text), 0);
	CHECK_CONTAINS(edit.xml, object);
	CHECK_CONTAINS(edit.xml, device);
	CHECK_CONTAINS(edit.added, object);
	CHECK_CONTAINS(edit.added, device);
	CHECK(!edit.removed);
	attached = edit.xml;
	edit.xml = NULL;
	CHECK_INT(run(domain_xml_attach, attached), DOMAIN_XML_UNCHANGED);
	CHECK_STR(edit.note, "it has the memfd already");
	CHECK(!edit.xml);
	CHECK_INT(run(domain_xml_plug, attached), DOMAIN_XML_UNCHANGED);
	refuse(domain_xml_unplug, attached, "cannot be unplugged");
	CHECK_INT(run(domain_xml_detach, attached), 0);
	CHECK_CONTAINS(edit.removed, object);
	CHECK_STR(edit.xml, text);
	free(attached);
	CHECK_INT(run(domain_xml_detach, text), DOMAIN_XML_UNCHANGED);
	domain_xml_edit_cleanup(&edit);
}

static void test_pc_and_q35(void)
{
	check_round(BEGIN PC END, OBJECT("1"), DEVICE("pci.0", "0x1c"));
	check_round(BEGIN Q35 END, OBJECT("1"), DEVICE("pcie.0", "0x1c"));
	CHECK_INT(run(domain_xml_attach, BEGIN PC END), 0);
	CHECK_STR(edit.xml, "<domain xmlns:qemu=\"" NS "\" type=\"kvm\">\n  <name>a&amp;b</name>\n"
	                    "  <uuid>" UUID "</uuid>\n"
	                    "  <vcpu placement=\"static\" current=\"1\">2</vcpu>\n"
	                    "  <devices>\n" PC MIDDLE
	                    "<qemu:commandline>" ARG("-object") ARG(OBJECT("1")) ARG("-device")
	                            ARG(DEVICE("pci.0", "0x1c")) "</qemu:commandline></domain>");
	domain_xml_edit_cleanup(&edit);
}

static void test_sizes(void)
{
	check_round(BEGIN_VCPUS("", "255") PC END, OBJECT("1"), "addr");
	check_round(BEGIN_VCPUS("", "256") PC END, OBJECT("2"), "addr");
	check_round(BEGIN_VCPUS("", "512") PC END, OBJECT("4"), "addr");
	refuse(domain_xml_attach, BEGIN_VCPUS("", "513") PC END, "from 1 to 512");
	refuse(domain_xml_attach, BEGIN_VCPUS("", "0") PC END, "from 1 to 512");
	refuse(domain_xml_attach, BEGIN_VCPUS("", "-1") PC END, "from 1 to 512");
	refuse(domain_xml_attach, BEGIN_VCPUS("", "99999999999999999999") PC END, "from 1 to 512");
	CHECK_INT(run(domain_xml_plug, BEGIN_VCPUS("", "300") PC END), 0);
	CHECK_CONTAINS(edit.added, "<size unit='M'>2</size>");
}

#define OTHERS "  <qemu:commandline>\n    " ARG("-cpu") "\n    " ARG("x") "\n"

static void test_other_arguments_stay(void)
{
	static const char text[] = BEGIN_VCPUS(" xmlns:qemu=\"" NS "\"", "2") PC MIDDLE OTHERS
	        "    <qemu:env name=\"A\" value=\"B\"/>\n  </qemu:commandline>\n</domain>";

	check_round(text, OBJECT("1"), DEVICE("pci.0", "0x1c"));
	CHECK_INT(run(domain_xml_attach, text), 0);
	CHECK_CONTAINS(edit.xml, ARG("x") ARG("-object") ARG(OBJECT("1")) ARG("-device"));
	CHECK_CONTAINS(edit.xml, "\n    <qemu:env name=\"A\" value=\"B\"/>");
	/* with nothing but an <env> */
	check_round(BEGIN_VCPUS(" xmlns:qemu=\"" NS "\"", "2") PC MIDDLE
	            "<qemu:commandline><qemu:env name=\"A\"/></qemu:commandline></domain>",
	            OBJECT("1"), DEVICE("pci.0", "0x1c"));
	/* another user of the namespace keeps it */
	check_round(BEGIN_VCPUS(" xmlns:qemu=\"" NS "\"", "2") PC MIDDLE
	            "<qemu:capabilities><qemu:del capability=\"x\"/></qemu:capabilities></domain>",
	            OBJECT("1"), DEVICE("pci.0", "0x1c"));
	domain_xml_edit_cleanup(&edit);
}

static void test_other_prefixes(void)
{
	check_round(BEGIN_VCPUS(" xmlns:q=\"" NS "\"", "2") PC MIDDLE
	            "<q:commandline><q:arg value=\"-S\"/></q:commandline></domain>",
	            OBJECT("1"), DEVICE("pci.0", "0x1c"));
	check_round(BEGIN PC MIDDLE "<commandline xmlns=\"" NS "\"><arg value=\"-S\"/>"
	                            "</commandline></domain>",
	            OBJECT("1"), DEVICE("pci.0", "0x1c"));
	/* "qemu" means something else here */
	check_round(BEGIN_VCPUS(" xmlns:qemu=\"urn:x\"", "2") PC END, OBJECT("1"),
	            DEVICE("pci.0", "0x1c"));
	CHECK_INT(run(domain_xml_attach, BEGIN_VCPUS(" xmlns:qemu=\"urn:x\"", "2") PC END), 0);
	CHECK_CONTAINS(edit.xml, "xmlns:pvsched-qemu=\"" NS "\"");
	CHECK_CONTAINS(edit.xml, "<pvsched-qemu:commandline>");
	CHECK_INT(run(domain_xml_attach, BEGIN_VCPUS(" xmlns:q=\"" NS "\"", "2") PC END), 0);
	CHECK_CONTAINS(edit.xml, "<q:commandline><q:arg ");
	domain_xml_edit_cleanup(&edit);
}

#define AT(bus, slot)                                                                              \
	"    <disk><address type=\"pci\" domain=\"0x0000\" bus=\"" bus "\" slot=\"" slot           \
	"\" function=\"0x0\"/></disk>\n"

static void test_addresses(void)
{
	char text[8192] = BEGIN PC;

	check_round(BEGIN PC AT("0x00", "0x1c") AT("0x00", "0x1b") END, OBJECT("1"),
	            DEVICE("pci.0", "0x1a"));
	check_round(BEGIN Q35 AT("0x01", "0x1c") END, OBJECT("1"), DEVICE("pcie.0", "0x1c"));
	check_round(BEGIN PC AT("0", "28") END, OBJECT("1"), DEVICE("pci.0", "0x1b"));
	/* the host's address of a passed-through device is none of the guest's */
	check_round(BEGIN PC "<hostdev><source><address type=\"pci\" bus=\"0\" slot=\"0x1c\"/>"
	                     "</source></hostdev>" END,
	            OBJECT("1"), DEVICE("pci.0", "0x1c"));
	/* those that other arguments of QEMU name, in both notations */
	check_round(BEGIN_VCPUS(" xmlns:qemu=\"" NS "\"", "2") PC MIDDLE
	            "<qemu:commandline>" ARG("-device") ARG("edu,addr=1c.0") ARG("-device") ARG(
	                    "edu,addr=0x1b") "<qemu:arg value=\"-device\"/>"
	                                     "<qemu:arg "
	                                     "value=\"{&quot;driver&quot;:&quot;edu&quot;,&quot;"
	                                     "addr&quot;: "
	                                     "&quot;0x1a&quot;}\"/></qemu:commandline></domain>",
	            OBJECT("1"), DEVICE("pci.0", "0x19"));
	for (unsigned int slot = 0x10; slot <= 0x1c; slot++) {
		char one[128];

		snprintf(one, sizeof(one), "<disk><address type='pci' bus='0' slot='0x%x'/></disk>",
		         slot);
		strcat(text, one);
	}
	strcat(text, END);
	refuse(domain_xml_attach, text, "no PCI slot from 0x10 to 0x1c");
	CHECK_INT(run(domain_xml_plug, text), 0); /* libvirt finds one */
	domain_xml_edit_cleanup(&edit);
}

#define WITH(object, device)                                                                       \
	BEGIN_VCPUS(" xmlns:qemu=\"" NS "\"", "300")                                               \
	PC MIDDLE "<qemu:commandline>" ARG("-object") ARG(object) ARG("-device") ARG(device)       \
	        ARG("-S") "</qemu:commandline></domain>"

static void test_another_one_of_ours(void)
{
	/* grown too small: replaced, at its place */
	CHECK_INT(run(domain_xml_attach, WITH(OBJECT("1"), DEVICE("pci.0", "0x11"))), 0);
	CHECK_CONTAINS(edit.removed, OBJECT("1"));
	CHECK_CONTAINS(edit.added, OBJECT("2"));
	CHECK_CONTAINS(edit.xml, "<qemu:commandline>" ARG("-S") ARG("-object") ARG(OBJECT("2"))
	                                 ARG("-device") ARG(DEVICE("pci.0", "0x11")));
	CHECK(!strstr(edit.xml, OBJECT("1")));
	CHECK_INT(run(domain_xml_attach, WITH(OBJECT("2"), DEVICE("pci.0", "0x11"))),
	          DOMAIN_XML_UNCHANGED);
	/* not made by us */
	refuse(domain_xml_attach, WITH(OBJECT("2"), "virtio-rng-pci,id=pvsched"), "something else");
	refuse(domain_xml_attach, WITH("rng-random,id=pvsched", "edu"), "something else");
	refuse(domain_xml_attach,
	       WITH("{&quot;qom-type&quot;:&quot;x&quot;,&quot;id&quot;:&quot;pvsched&quot;}",
	            "edu"),
	       "something else");
	refuse(domain_xml_detach, WITH("rng-random,id=pvsched", "edu"), "attach did not make");
	CHECK_INT(run(domain_xml_attach, WITH("rng-random,id=pvsched2", "edu,id=xpvsched")), 0);
	domain_xml_edit_cleanup(&edit);
}

#define SHMEM(name, role)                                                                          \
	"    <shmem name=\"" name "\" role=\"" role "\"><model type=\"ivshmem-plain\"/>"           \
	"<size unit=\"M\">1</size></shmem>\n"

static void test_shmem(void)
{
	CHECK_INT(run(domain_xml_plug, BEGIN PC END), 0);
	CHECK_STR(edit.added, "<shmem name='pvsched-" UUID "' role='master'>\n"
	                      "  <model type='ivshmem-plain'/>\n"
	                      "  <size unit='M'>1</size>\n</shmem>\n");
	CHECK(!edit.xml);
	CHECK_INT(run(domain_xml_plug, BEGIN PC SHMEM("pvsched-" UUID, "master") END),
	          DOMAIN_XML_UNCHANGED);
	CHECK_INT(run(domain_xml_attach, BEGIN PC SHMEM("pvsched-" UUID, "master") END),
	          DOMAIN_XML_UNCHANGED);
	CHECK_CONTAINS(edit.note, "detach that first");
	CHECK_INT(run(domain_xml_unplug, BEGIN PC SHMEM("pvsched-" UUID, "master") END), 0);
	CHECK_STR(edit.removed, "<shmem name=\"pvsched-" UUID
	                        "\" role=\"master\">\n  <model type=\"ivshmem-plain\"/>\n  <size "
	                        "unit=\"M\">1</size>\n</shmem>\n");
	CHECK(!edit.xml);
	CHECK_INT(run(domain_xml_unplug, BEGIN PC END), DOMAIN_XML_UNCHANGED);
	CHECK_INT(run(domain_xml_detach, BEGIN PC SHMEM("pvsched-" UUID, "master") END), 0);
	CHECK(!strstr(edit.xml, "shmem"));
	refuse(domain_xml_plug, BEGIN PC SHMEM("pvsched-x", "master") END, "name='pvsched-x'");
	refuse(domain_xml_attach, BEGIN PC SHMEM("pvsched-" UUID, "peer") END, "role='master'");
	CHECK_INT(run(domain_xml_plug, BEGIN PC SHMEM("other", "master") END), 0);
	domain_xml_edit_cleanup(&edit);
}

#define VSOCK(address, alias)                                                                      \
	"<vsock model='virtio'><cid auto='yes' address='" address "'/><alias name='" alias         \
	"'/></vsock>"
#define OUR_VSOCK    VSOCK("7", "ua-pvsched-agent")
#define OTHERS_VSOCK VSOCK("9", "vsock0")

/* The device of an agent: added once, removed alone, and another one serves and stays. */
static void test_vsock(void)
{
	static const char none[] = BEGIN PC MIDDLE "</domain>";
	static const char ours[] = BEGIN PC OUR_VSOCK MIDDLE "</domain>";
	static const char other[] = BEGIN PC OTHERS_VSOCK MIDDLE "</domain>";
	char *defined;

	CHECK_INT(run(domain_xml_plug_vsock, none), 0);
	CHECK_STR(edit.added, "<vsock model='virtio'>\n  <cid auto='yes'/>\n"
	                      "  <alias name='ua-pvsched-agent'/>\n</vsock>\n");
	CHECK(!edit.xml && !edit.removed);
	CHECK_INT(run(domain_xml_attach_vsock, none), 0);
	CHECK_CONTAINS(edit.xml, "<vsock model=\"virtio\"><cid auto=\"yes\"/>"
	                         "<alias name=\"ua-pvsched-agent\"/></vsock></devices>");
	defined = strdup(edit.xml);
	CHECK_INT(run(domain_xml_attach_vsock, defined), DOMAIN_XML_UNCHANGED);
	CHECK_STR(edit.note, "it has a vsock device already");
	CHECK_INT(run(domain_xml_detach_vsock, defined), 0);
	CHECK(!strstr(edit.xml, "vsock"));
	free(defined);
	CHECK_INT(run(domain_xml_plug_vsock, ours), DOMAIN_XML_UNCHANGED);
	CHECK_STR(edit.note, "it has a vsock device already (CID 7)");
	CHECK_INT(run(domain_xml_unplug_vsock, ours), 0);
	CHECK_CONTAINS(edit.removed, "address=\"7\"");
	CHECK_INT(run(domain_xml_plug_vsock, other), DOMAIN_XML_UNCHANGED);
	CHECK_STR(edit.note, "it has a vsock device already (CID 9)");
	CHECK_INT(run(domain_xml_unplug_vsock, other), DOMAIN_XML_UNCHANGED);
	CHECK_STR(edit.note, "its vsock device is not one that attach made, so it stays");
	CHECK_INT(run(domain_xml_detach_vsock, other), DOMAIN_XML_UNCHANGED);
	CHECK_INT(run(domain_xml_unplug_vsock, none), DOMAIN_XML_UNCHANGED);
	CHECK_STR(edit.note, "it has none");
	/* the memory of guest pages is another matter */
	CHECK_INT(run(domain_xml_unplug, ours), DOMAIN_XML_UNCHANGED);
	refuse(domain_xml_plug_vsock, "<domain type='xen'/>",
	       "it is of type \"xen\": only guests of qemu and kvm have agents");
	refuse(domain_xml_attach_vsock, "<domain", "its XML is not that of a domain");
}

static void test_pcie_needs_a_bridge(void)
{
	refuse(domain_xml_plug, BEGIN Q35 END, "Use --persist");
	CHECK_INT(run(domain_xml_plug, BEGIN Q35
	              "<controller type='pci' index='2' model='pcie-to-pci-bridge'/>" END),
	          0);
	domain_xml_edit_cleanup(&edit);
}

static void test_unfit(void)
{
	refuse(domain_xml_attach, BEGIN END, "has no PCI");
	refuse(domain_xml_plug, BEGIN END, "has no PCI");
	refuse(domain_xml_attach, "<domain type='xen'/>", "type \"xen\"");
	refuse(domain_xml_attach, "<domain/>", "type \"\"");
	refuse(domain_xml_attach, "<network/>", "not that of a domain");
	refuse(domain_xml_attach, "<q:domain xmlns:q='urn:x' type='kvm'/>", "not that of a domain");
	refuse(domain_xml_plug,
	       "<domain type='kvm'><uuid>../../../etc/a</uuid><vcpu>1</vcpu><devices>" PC END,
	       "no valid uuid");
	refuse(domain_xml_attach, "<domain type='k\xc3\xa9&#10;vm'/>", "type \"k???vm\"");
}

/** Metadata of others keeps whole documents in CDATA sections and comments: they stay as they are.
 */
static void test_no_doctype(void)
{
#define METADATA                                                                                   \
	"<metadata><n:d xmlns:n=\"urn:x\"><![CDATA[<!DOCTYPE html><p>]]>"                          \
	"<!-- <!DOCTYPE html> --></n:d></metadata>"
	static const char text[] = BEGIN PC MIDDLE METADATA "</domain>";

	CHECK_INT(domain_xml_attach(text, strlen(text), &edit), 0);
	CHECK_CONTAINS(edit.xml, METADATA);
	domain_xml_edit_cleanup(&edit);
}

static void test_hostile(void)
{
	size_t size = 10 * 1024 * 1024, depth = 100000;
	char *text = malloc(size + 1), *p = text;

	CHECK(text);
	refuse(domain_xml_attach, "", "not that of a domain");
	refuse(domain_xml_attach, "<domain", "not that of a domain");
	refuse(domain_xml_attach,
	       "<!DOCTYPE d [<!ENTITY x \"kvm\">]><domain type=\"kvm\">&x;</domain>",
	       "has a document type");
	refuse(domain_xml_attach, "<!DOCTYPE d SYSTEM \"file:///etc/passwd\"><domain type='kvm'/>",
	       "has a document type");
	refuse(domain_xml_attach, "<!DOCTYPE d [<!ENTITY x \"kvm\"><!ENTITY y \"&x;&x;\"",
	       "has a document type");
	refuse(domain_xml_attach, "<domain type=\"&x;\"/>", "not that of a domain");
	refuse(domain_xml_attach, "<domain type=\"kvm\"><q:a/></domain>", "not that of a domain");
	for (size_t i = 0; i < depth; i++)
		p = stpcpy(p, "<domain>");
	refuse(domain_xml_attach, text, "not that of a domain");
	memset(text, ' ', size);
	text[size] = '\0';
	memcpy(text, "<domain type='kvm'/>", strlen("<domain type='kvm'/>"));
	refuse(domain_xml_attach, text, "larger than 8388608 bytes");
	text[DOMAIN_XML_MAX] = '\0';
	refuse(domain_xml_attach, text, "has no PCI"); /* read, whatever its size */
	free(text);
}

TEST_MAIN({"pc_and_q35", test_pc_and_q35}, {"sizes", test_sizes},
          {"other_arguments_stay", test_other_arguments_stay},
          {"other_prefixes", test_other_prefixes}, {"addresses", test_addresses},
          {"another_one_of_ours", test_another_one_of_ours}, {"shmem", test_shmem},
          {"vsock", test_vsock}, {"pcie_needs_a_bridge", test_pcie_needs_a_bridge},
          {"unfit", test_unfit}, {"no-doctype", test_no_doctype}, {"hostile", test_hostile})
