/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pvschedctl below its main(): questions to a fake daemon, and its answers as text.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/print.h"
#include "ctl/table.h"
#include "ctl/value.h"

#include "ctl_render_fixture.h"

static const char status_json[] =
        "{\"version\":\"0.1.0\",\"enabled\":true,\"breaker\":\"closed\",\"sources\":{\"libvirt\":"
        "{\"ok\":true,\"detail\":\"\"},\"bpf\":{\"ok\":false,\"detail\":\"no BTF\"}},"
        "\"levers\":{\"rt\":{\"available\":true,\"detail\":\"\"},\"uclamp\":{\"available\":false,"
        "\"detail\":\"no \\u001b[31m\"}},\"caps\":"
        "{\"cpu_share_permille\":300,\"cpu_burst_us\":3000,\"domain_share_permille\":500,"
        "\"domain_burst_us\":2000,\"max_changes_per_s\":500,\"sheet_permille\":700},"
        "\"slots\":{\"total\":4096,\"used\":4096,\"without\":7},\"cpus\":[{\"cpu\":0,\"burst_used_"
        "permille\":250,\"sheet_used_permille\":431,\"rt_permille\":"
        "12,"
        "\"rt_run_ns\":1500000}],\"events\":{\"received\":10,\"lost\":1,\"deadlines_missed\":2,"
        "\"deadlines_refused\":3},"
        "\"vcpus\":[{\"domain\":"
        "\"a "
        "b:1\\u001b[31m\",\"uuid\":\"u\",\"vcpu\":0,\"tid\":123,\"profile\":\"latency\",\"state\":"
        "\"armed\",\"reason\":\"within budget\",\"boosts_total\":7,\"would_boost_total\":0,"
        "\"denied_total\":{\"budget\":2,\"rate\":1},\"boosted_ns\":12300000000,\"run_ns\":1,"
        "\"wait_us\":{\"p50\":4,\"p99\":12,\"p999\":90,\"max\":100}}]}";

static void test_status(void)
{
	const char *text = rendered(CTL_STATUS, status_json);

	CHECK_CONTAINS(text, "pvschedd 0.1.0: boosting is enabled\n");
	CHECK_CONTAINS(text, "Levers: rt; no uclamp: no \\x1b[31m\n");
	CHECK_CONTAINS(text, "Caps: a host CPU 30.0 % (burst 3.00 ms), a domain 50.0 % of one CPU "
	                     "(burst 2.00 ms), a vCPU 500 changes/s; real time of a CPU in any "
	                     "second 70.0 %\n");
	CHECK_CONTAINS(text, "The 4096 slots are taken: 7 vCPUs are neither");
	CHECK_CONTAINS(text, "Events: 10 received, 1 lost; 2 deadlines missed; 3 timers "
	                     "refused by the kernel\n");
	CHECK_CONTAINS(text, "SOURCE   STATE   DETAIL\n"
	                     "libvirt  ok      \n"
	                     "bpf      FAILED  no BTF\n");
	CHECK_CONTAINS(text, "CPU  BURST USED  LAST SECOND  RT SHARE  RT TOTAL\n"
	                     "  0      25.0 %       43.1 %     1.2 %   1.50 ms\n");
	CHECK_CONTAINS(text, "a b:1\\x1b[31m     0  123  latency  armed       7      0       3   "
	                     "12.3 s         4   12     90     100  within budget\n");
}

static void test_what_is_missing(void)
{
	CHECK_CONTAINS(rendered(CTL_STATUS, "{}"), "No vCPU is known");
	CHECK_CONTAINS(rendered(CTL_STATUS, "{\"breaker\":\"open\"}"), "circuit breaker is open");
	CHECK_CONTAINS(rendered(CTL_STATUS, "{\"vcpus\":[{}],\"caps\":{},\"events\":{}}"), "-");
	CHECK_CONTAINS(rendered(CTL_STATUS, "{\"vcpus\":[3],\"caps\":1,\"sources\":[1,{}]}"), "-");
	CHECK_CONTAINS(rendered(CTL_LIST, "{}"), "No domain");
	CHECK_STR(rendered(CTL_SHOW, "null"), "");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{}}"), "Domain:  -\n");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"state\":\"running\","
	                                  "\"discovered_by\":\"procfs\"}}"),
	               "State:   running, found by procfs\n");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"vcpus\":[{}],\"helpers\":[{}]}}"), "-");
	CHECK_CONTAINS(rendered(CTL_EXPLAIN, "{\"vcpus\":[{}]}"), "vCPU");
	CHECK_CONTAINS(rendered(CTL_EXPLAIN, "[]"), "No vCPU");
	CHECK_STR(rendered(CTL_RELOAD, "null"), "done\n");
	for (int verb = 0; verb < _CTL_VERB_MAX; verb++)
		rendered((enum ctl_verb)verb, "\"x\"");
}

static void test_windows(void)
{
	const char *text = rendered(
	        CTL_SHOW,
	        "{\"domain\":{\"vcpus\":[{\"vcpu\":3,\"windows\":{\"now\":{\"seconds\":12,"
	        "\"wait_us\":{\"p50\":4,\"p99\":20,\"p999\":32,\"max\":40},"
	        "\"run_permille\":105,\"ready_permille\":7,\"boosted_permille\":98,"
	        "\"wakeups\":12000,\"boosted_wakeups\":11990,\"boosts\":70,\"denied\":3},"
	        "\"10min\":{\"seconds\":80},\"before\":{\"profile\":\"observe\",\"seconds\":"
	        "604800,\"wait_us\":{\"p99\":3328}}}},"
	        "{\"vcpu\":4,\"windows\":{}},{\"vcpu\":5,\"windows\":7}]}}");

	CHECK_CONTAINS(text,
	               "VCPU  WINDOW                LENGTH  WAIT us p50   p99  p99.9  max     RUN"
	               "  READY  BOOSTED  WAKEUPS   FAST  BOOSTS  DENIED\n");
	CHECK_CONTAINS(text,
	               "   3  now                   12.0 s            4    20     32   40  10.5 %"
	               "  0.7 %    9.8 %    12000  11990      70       3\n");
	CHECK_CONTAINS(text, "   3  10min             1 min 20 s            -");
	CHECK_CONTAINS(text, "   3  before: observe  168 h 0 min            -  3328      -    -");
	CHECK(!strstr(rendered(CTL_SHOW, "{\"domain\":{\"vcpus\":[{}]}}"), "WINDOW"));
}

static void test_policies(void)
{
	const char *text = rendered(
	        CTL_POLICY_LIST,
	        "{\"policies\":[{\"domain\":\"web\",\"uuid\":\"u1\",\"runs\":true,\"profile\":"
	        "\"latency\",\"persist\":false,\"in_force\":true,\"age_s\":61,\"expires_s\":539},"
	        "{\"domain\":\"web\",\"uuid\":\"u1\",\"runs\":true,\"profile\":\"fast\","
	        "\"persist\":true,\"in_force\":false,\"why_not\":\"no such\\u001bprofile\"},"
	        "{\"domain\":\"db\",\"uuid\":\"u3\",\"runs\":true,\"policy\":\"urgent-only@1\","
	        "\"persist\":true,\"in_force\":true},"
	        "{\"uuid\":\"u2\",\"runs\":false,\"profile\":\"off\",\"persist\":true,"
	        "\"in_force\":false,\"why_not\":\"the domain does not run\",\"age_s\":864000,"
	        "\"ran_ago_s\":777600}],\"released\":[{\"domain\":\"a\"},{\"domain\":\"b\"}]}");

	CHECK_CONTAINS(text, "DOMAIN  PROFILE  POLICY         SET BY");
	CHECK_CONTAINS(
	        text,
	        "web     latency  -              command     1 min 1 s  8 min 59 s  yes       runs "
	        "     u1\n");
	CHECK_CONTAINS(text, "db      -        urgent-only@1  persistent          -       never  "
	                     "yes       runs      u3\n");
	CHECK_CONTAINS(
	        text,
	        "web     fast     -              persistent          -       never  no        runs "
	        "     u1\n");
	CHECK_CONTAINS(
	        text,
	        "-       off      -              persistent    10 days       never  no        9 "
	        "days    u2\n");
	CHECK_CONTAINS(text, "web, profile fast: no such\\x1bprofile\n");
	CHECK(!strstr(text, "does not run"));
	CHECK_CONTAINS(text, "Released, so not boosted: a, b\n");
	CHECK_STR(rendered(CTL_POLICY_LIST, "{\"policies\":[],\"released\":[]}"),
	          "No policy is set by command.\n");
	rendered(CTL_POLICY_LIST, "{}");
}

static void test_kinds(void)
{
	const char *text = rendered(
	        CTL_POLICIES,
	        "{\"policies\":[{\"name\":\"pvschedd\",\"version\":1,\"default\":true,\"brief\":"
	        "\"arms\",\"events\":[\"halted\",\"ordinary\"],\"domains\":[{\"domain\":\"web\"},"
	        "{\"domain\":\"d\\u001bb\"}]},{\"name\":\"urgent-only\",\"version\":1,\"default\":"
	        "false,\"brief\":\"does not\",\"events\":[],\"domains\":[]}]}");

	CHECK_CONTAINS(text, "POLICY       VERSION  EVENTS            DOMAINS");
	CHECK_CONTAINS(text, "pvschedd           1  halted, ordinary  web, d\\x1bb\n");
	CHECK_CONTAINS(text, "urgent-only        1  -                 -\n");
	CHECK_CONTAINS(text, "\npvschedd arms; the default one.\nurgent-only does not.\n");
	CHECK_STR(rendered(CTL_POLICIES, "{}"), "");
	rendered(CTL_POLICIES, "{\"policies\":[{\"events\":1,\"domains\":[1]}]}");
}

static void test_policy_of_a_domain(void)
{
	CHECK_CONTAINS(rendered(CTL_SHOW,
	                        "{\"domain\":{\"policy\":\"guest\",\"sources\":{\"policy\":"
	                        "\"built in: profile latency\"},\"vcpus\":[{\"policy\":"
	                        "\"urgent-only@1\"}]}}"),
	               "Policy:  guest, so urgent-only@1, from built in: profile latency\n");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"policy\":\"pvschedd@1\"}}"),
	               "Policy:  pvschedd@1, from -\n");
}

static void test_dry_run(void)
{
	static const char json[] =
	        "{\"domain\":\"web\",\"profile\":\"latency\",\"share_permille\":200,\"host_"
	        "reason\":"
	        "\"disabled\",\"domains\":[{\"domain\":\"web\",\"vcpus\":2,\"share_now_permille\":"
	        "0,"
	        "\"share_then_permille\":150,\"domain_share_now_permille\":500,"
	        "\"domain_share_then_permille\":500,\"reason\":\"within-budget\"}]}";
	CLEANUP(json_cleanup) struct json_doc *doc = parse(json);
	struct ctl_args args = {.verb = CTL_POLICY_SET, .dry_run = true};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ctl_render(&args, json_root(doc), out, &(struct terminal){0});
	fclose(out);
	CHECK_CONTAINS(text,
	               "web: profile latency asks for 20.0 % of a CPU for each vCPU. Nothing was "
	               "changed: --dry-run.\n");
	CHECK_CONTAINS(text, "no vCPU of this host is boosted: disabled.");
	CHECK_CONTAINS(text, "web         2  0.0 %  15.0 %    50.0 %  50.0 %  within-budget\n");
	CHECK_CONTAINS(text, "No other domain gains or loses a share.\n");
	free(text);
}

static void test_config(void)
{
	CHECK_STR(rendered(CTL_CONFIG,
	                   "{\"files\":[],\"settings\":[{\"key\":\".enabled\",\"value\":true,"
	                   "\"text\":\"true\",\"source\":\"a.json:2\"}],\"left_out\":3}"),
	          "KEY       SOURCE    VALUE\n.enabled  a.json:2  true\n3 more are not shown.\n");
}

static void test_recommend(void)
{
	static const char boost[] =
	        "{\"domain\":\"web\",\"uuid\":\"u\",\"profile\":\"latency\",\"verdict\":\"boost\","
	        "\"text\":\"They wait.\",\"burst_us\":700,\"share_permille\":250,"
	        "\"covered_permille\":992,\"used_permille\":210,\"wakeups\":1234567,\"vcpus\":["
	        "{\"vcpu\":0,\"verdict\":\"boost\",\"burst_us\":700,\"wakeups\":9},"
	        "{\"vcpu\":1,\"verdict\":\"held\",\"reason\":\"quota\"}]}";
	const char *text = rendered(CTL_RECOMMEND, boost);

	CHECK_CONTAINS(text, "web: recommended. They wait.\n");
	CHECK_CONTAINS(text,
	               "burst 700 us, share 25.0 % of a CPU: covers 99.2 % of 1.2 M wake-ups");
	CHECK_CONTAINS(text, "boosted for 21.0 % of a CPU");
	CHECK_CONTAINS(text, "pvschedctl policy set web latency --burst 700us --share 250\n");
	CHECK_CONTAINS(text, "1  quota ");
	text = rendered(CTL_RECOMMEND, "{\"domain\":\"a b\",\"uuid\":\"u\",\"verdict\":\"boost\"}");
	CHECK_CONTAINS(text, "policy set u latency");
	text = rendered(CTL_RECOMMEND, "{\"domain\":\"web\",\"verdict\":\"held\",\"text\":\"No.\","
	                               "\"reason\":\"quota\",\"explanation\":\"A quota.\"}");
	CHECK_STR(text, "web: not worth it. No. A quota.\n");
	text = rendered(CTL_RECOMMEND, "{\"domain\":\"web\",\"verdict\":\"over-limits\","
	                               "\"limits\":{\"burst_us\":2000,\"share_permille\":300}}");
	CHECK_CONTAINS(text, "it may have burst 2.00 ms, share 30.0 % of a CPU");
	text = rendered(CTL_SHOW,
	                "{\"domain\":{\"lacks_tokens\":[{\"vcpu\":1,\"late_permille\":123,"
	                "\"burst_us\":700,\"share_permille\":250}]}}");
	CHECK_CONTAINS(text, "vCPU 1 at 12.3 % of its wake-ups, for want of tokens; burst 700 us, "
	                     "share 25.0 % of a CPU would cover 99 %");
	text = rendered(CTL_SHOW,
	                "{\"domain\":{\"lacks_tokens\":[{\"vcpu\":1,\"late_permille\":123,"
	                "\"burst_us\":700,\"share_permille\":0}]}}");
	CHECK_CONTAINS(text, "for want of tokens; not even a whole CPU would cover 99 %");
}

static void test_auto(void)
{
	const char *text = rendered(CTL_RECOMMEND, "{\"domain\":\"web\",\"verdict\":\"boost\","
	                                           "\"automatic\":true}");

	CHECK_CONTAINS(text, "by itself: pvschedctl show web\n");
	CHECK(!strstr(text, "policy set"));
	text = rendered(CTL_SHOW, "{\"domain\":{\"auto\":{\"applies\":\"boost\",\"burst_us\":700,"
	                          "\"share_permille\":99,\"covered_permille\":992,\"wakeups\":5000,"
	                          "\"since_s\":90,\"looked_s\":20,\"text\":\"It is.\",\"limits\":"
	                          "{\"burst_us\":2000,\"share_permille\":300}}}}");
	CHECK_CONTAINS(text, "Learned: boosted, burst 700 us, share 9.9 % of a CPU: covers 99.2 % "
	                     "of 5000 wake-ups; for 1 min 30 s\n");
	CHECK_CONTAINS(text, " 20.0 s ago: It is.\n");
	CHECK_CONTAINS(text, "most burst 2.00 ms, share 30.0 % of a CPU\n");
	text = rendered(CTL_SHOW, "{\"domain\":{\"auto\":{\"text\":\"No.\"}}}");
	CHECK_CONTAINS(text, "Learned: observed\n         No.\n");
}

static void test_other_verbs(void)
{
	CHECK_STR(rendered(CTL_LIST, "{\"domains\":[{\"name\":\"Gr\xc3\xb6\xc3\x9f"
	                             "e\",\"uuid\":\"u\","
	                             "\"state\":\"running\",\"profile\":\"off\",\"vcpus\":2,"
	                             "\"boosted_permille\":5,\"reason\":\"-\"}]}"),
	          "NAME   STATE    PROFILE  VCPUS  BOOSTED  REASON  UUID\n"
	          "Gr\xc3\xb6\xc3\x9f"
	          "e  running  off          2    0.5 %  -       u\n");
	CHECK_STR(rendered(CTL_EXPLAIN,
	                   "{\"vcpus\":[{\"domain\":\"web\",\"vcpu\":1,\"state\":\"throttled\","
	                   "\"reason\":\"debt\",\"explanation\":\"It ran more than its share.\","
	                   "\"since_ms\":1500,\"denied_total\":{\"budget\":3,\"rate\":0},"
	                   "\"next\":\"Armed again in 3 ms.\"}]}"),
	          "web vCPU 1: throttled for 1.5 s: debt\n"
	          "  It ran more than its share.\n"
	          "  denied: budget 3\n"
	          "  Armed again in 3 ms.\n");
	CHECK_STR(rendered(CTL_POLICY_GET, "{\"domain\":\"web\",\"profile\":\"latency\",\"source\":"
	                                   "\"pvschedctl\",\"expires_s\":570}"),
	          "web: profile latency, for 9 min 30 s more, from pvschedctl\n");
	CHECK_STR(rendered(CTL_RELEASE, "{\"message\":\"2 vCPUs released.\"}"),
	          "2 vCPUs released.\n");
	CHECK_CONTAINS(
	        rendered(CTL_SHOW,
	                 "{\"domain\":{\"name\":\"web\",\"uuid\":\"u\",\"state\":\"running\","
	                 "\"pid\":9,\"profile\":\"latency\",\"share_permille\":200,"
	                 "\"burst_us\":500,\"profile_source\":\"pvschedd.json:7\","
	                 "\"helpers\":[{\"tid\":10,\"role\":\"emulator\",\"watched\":false}],"
	                 "\"vcpus\":[{\"vcpu\":0,"
	                 "\"denied_total\":{\"budget\":2}}]}}"),
	        "Profile: latency, 20.0 % of a CPU, burst 500 us\n");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"helpers\":["
	                                  "{\"tid\":10,\"role\":\"iothread\",\"watched\":true,"
	                                  "\"waits_total\":7,\"wait_max_us\":900,"
	                                  "\"behind_max_us\":30,\"sheds_total\":2,"
	                                  "\"boosts_total\":40},"
	                                  "{\"tid\":12,\"role\":\"vhost\",\"watched\":false}]}}"),
	               "TID  HELPER    WAITS  MAX us  BEHIND us  UNBOOSTS  BOOSTS\n"
	               " 10  iothread      7     900         30         2      40\n"
	               " 12  vhost         -       -          -         -       -\n");
}

/* What is left out is one line, and none where nothing is. */
static void test_left_out(void)
{
	CHECK_CONTAINS(rendered(CTL_STATUS, "{\"left_out\":{\"domains\":0,\"vcpus\":12,"
	                                    "\"unproven_vcpus\":0,\"threads\":104}}"),
	               "\nLeft out: 12 vCPUs, 104 threads of QEMU: see pvschedctl doctor\n");
	CHECK(!strstr(rendered(CTL_STATUS, "{\"left_out\":{\"domains\":0,\"vcpus\":0}}"),
	              "Left out"));
	/* a uuid that is none of its own is said to be no identity */
	CHECK_CONTAINS(
	        rendered(CTL_SHOW, "{\"domain\":{\"uuid\":\"u\",\"uuid_kind\":\"made-up\"}}"),
	        "UUID:    u, made-up: no identity after a restart\n");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"uuid\":\"u\",\"uuid_kind\":\"own\"}}"),
	               "UUID:    u\n");
}

static void test_show_sources(void)
{
	CHECK_CONTAINS(rendered(CTL_SHOW,
	                        "{\"domain\":{\"profile_source\":\"f:1: .x\",\"sources\":{"
	                        "\"profile\":\"f:1: .a\",\"burst_us\":\"g:2: .b\\u001b\"},"
	                        "\"metadata\":{\"state\":\"none\"}}}"),
	               "From:    f:1: .x\n"
	               "         profile         f:1: .a\n"
	               "         share_permille  -\n"
	               "         burst_us        g:2: .b\\x1b\n");
	CHECK(!strstr(rendered(CTL_SHOW, "{\"domain\":{\"metadata\":{\"state\":\"none\"}}}"),
	              "Wants:"));
	CHECK_CONTAINS(rendered(CTL_SHOW,
	                        "{\"domain\":{\"carrier\":{\"state\":\"open\",\"kind\":\"memfd\","
	                        "\"sealed\":true,\"generation\":\"0x7\",\"detail\":\"\"}}}"),
	               "Pages:   open, memfd (sealed), generation 0x7\n");
	CHECK_CONTAINS(
	        rendered(CTL_SHOW,
	                 "{\"domain\":{\"carrier\":{\"state\":\"absent\",\"detail\":\"none\"}}}"),
	        "Pages:   absent: none\n");
	CHECK_CONTAINS(
	        rendered(CTL_SHOW,
	                 "{\"domain\":{\"agent\":{\"state\":\"served\",\"detail\":\"\","
	                 "\"version\":\"0.1.0\",\"kernel\":\"6.1\\u001b\",\"policy\":\"pvschedd\","
	                 "\"policy_version\":1,\"pages\":2,\"cpus\":4,\"generation\":\"0x9\","
	                 "\"hellos_total\":3,\"refusals_total\":{\"no-domain\":2}}}}"),
	        "Agent:   served, version 0.1.0 on Linux 6.1\\x1b, policy pvschedd 1, pages of 2 "
	        "of 4 "
	        "CPUs, generation 0x9; hellos 3; refused so far: no-domain 2\n");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"agent\":{\"state\":\"absent\","
	                                  "\"detail\":\"no device\"}}}"),
	               "Agent:   absent: no device\n");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"avoid\":{\"vcpus\":\"2-3\"}}}"),
	               "Avoid:   vCPUs 2-3, by command\n");
	CHECK_CONTAINS(rendered(CTL_SHOW,
	                        "{\"domain\":{\"avoid\":{\"governed\":true,\"vcpus\":\"\","
	                        "\"contention_permille\":123,"
	                        "\"entitled_permille\":1500}}}"),
	               "Avoid:   none, 12.3 % of its demand waits, entitled to 1.5 CPUs\n");
	CHECK(!strstr(rendered(CTL_SHOW, "{\"domain\":{\"avoid\":{\"vcpus\":\"\"}}}"), "Avoid:"));
	CHECK_CONTAINS(rendered(CTL_SHOW,
	                        "{\"domain\":{\"vcpus\":[{\"vcpu\":2,\"yields_total\":5,\"page\":{"
	                        "\"status\":\"enabled\",\"request\":\"urgent\","
	                        "\"read_by\":\"tracer\",\"invalid_total\":9}}]}}"),
	               "   2  enabled  urgent   tracer  ");
	CHECK_CONTAINS(rendered(CTL_SHOW,
	                        "{\"domain\":{\"vcpus\":[{\"vcpu\":2,\"interrupt_paths\":{"
	                        "\"delivered\":11,\"delivered_own\":5,\"delivered_waiting\":3,"
	                        "\"injected\":8,"
	                        "\"injected_unseen\":1},\"interrupt_boosts_total\":2,"
	                        "\"spin_signs\":0,\"spins_total\":0}]}}"),
	               "   2     8  87.5 %         11    5       3       2      0          0      "
	               "-       -\n");
	CHECK_CONTAINS(rendered(CTL_EXPLAIN,
	                        "{\"vcpus\":[{\"vcpu\":2,\"denied_total\":{\"spin\":1},"
	                        "\"interrupt_boosts_total\":4,\"spins_total\":1,"
	                        "\"pushed_total\":3,\"help\":{\"named\":1,\"sent\":2,"
	                        "\"pending\":0,\"relaxed\":4,\"none\":5,\"no_pulse\":6,"
	                        "\"pulses\":7,\"holds\":8}}]}"),
	               "  boosted for interrupts that came while it waited: 4\n"
	               "  unboosted because its guest spun: 1\n"
	               "  pushed from a CPU that had used up its share to another CPU: 3\n"
	               "  waited for another vCPU: 3 known, 4 guessed, 5 not found; could not be "
	               "helped: 6\n"
	               "  boosted for another vCPU that waited for it: 7\n"
	               "  held because its guest spun: 8\n");
	CHECK_CONTAINS(
	        rendered(CTL_STATUS,
	                 "{\"events\":{\"deliveries\":30,\"deliveries_own\":20,"
	                 "\"deliveries_unattributed\":4,\"deliveries_in_handler\":3,"
	                 "\"deliveries_by_hardware\":0,\"injections_seen_permille\":998}}"),
	        "Interrupts: 30 delivered to managed vCPUs (20 by themselves), 4 to others, 3 by "
	        "interrupt handlers, 0 left to the hardware; 99.8 % of those that KVM injected "
	        "were seen at delivery\n");
	CHECK(!strstr(rendered(CTL_SHOW, "{\"domain\":{\"vcpus\":[{\"vcpu\":2}]}}"), "DELIVERED"));
	CHECK_CONTAINS(rendered(CTL_BOOST, "{\"vcpus\":[{\"vcpu\":1,\"boosted\":false,\"reason\":"
	                                   "\"budget\",\"text\":\"Later.\"}]}"),
	               "vCPU 1: not boosted (budget): Later.\n");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"metadata\":{\"state\":\"honoured\","
	                                  "\"profile\":\"latency\",\"burst_us\":300}}}"),
	               "Wants:   profile latency, burst_us 300, by its metadata: honoured\n");
	CHECK_CONTAINS(rendered(CTL_SHOW, "{\"domain\":{\"metadata\":{\"state\":\"invalid\","
	                                  "\"error\":\"is empty\"}}}"),
	               "Wants:   by its metadata: invalid: is empty\n");
}

/** A daemon that answers one question with @answer, in pieces; the question goes to @question. */
static pid_t fake_daemon(const char *path, const char *answer, const char *question)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t half = strlen(answer) / 2;
	char buffer[4096];
	pid_t child;
	ssize_t n;
	int fd;

	strcpy(address.sun_path, path);
	unlink(path);
	CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	CHECK(listen(listener, 1) == 0);
	child = fork();
	CHECK(child >= 0);
	if (child > 0) {
		close(listener);
		return child;
	}
	fd = accept(listener, NULL, NULL);
	n = recv(fd, buffer, sizeof(buffer) - 1, 0);
	buffer[n > 0 ? n : 0] = '\0';
	if (strcmp(buffer, question) != 0)
		_exit(1);
	send(fd, answer, half, MSG_NOSIGNAL);
	usleep(10000);
	send(fd, answer + half, strlen(answer) - half, MSG_NOSIGNAL);
	_exit(0);
}

static int wait_for(pid_t child)
{
	int status = -1;

	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int ask(const struct ctl_args *args, const char *answer, const char *question,
               struct ctl_reply *reply)
{
	pid_t child = fake_daemon(args->socket, answer, question);
	int r = ctl_ask(args, reply);

	CHECK_INT(wait_for(child), 0);
	return r;
}

static char directory[] = "/tmp/pvsched-ctl-XXXXXX";
static char socket_path[64];

static void test_requests(void)
{
	struct ctl_args args = {.verb = CTL_POLICY_SET,
	                        .socket = socket_path,
	                        .domain = "a \"b\":1",
	                        .profile = "latency",
	                        .vcpu = -1,
	                        .for_s = 600};
	static const char question[] = "{\"verb\":\"policy-set\",\"domain\":\"a \\\"b\\\":1\","
	                               "\"profile\":\"latency\",\"for_s\":600}\n";
	struct ctl_reply reply = CTL_REPLY_NULL;
	const char *text;
	size_t size;

	CHECK(mkdtemp(directory));
	snprintf(socket_path, sizeof(socket_path), "%s/sock", directory);
	CHECK_INT(ctl_ask(&args, &reply), -ENOENT);
	CHECK_INT(ask(&args, "{\"ok\":true,\"result\":{\"message\":\"set\", \"x\":1.50}}\n",
	              question, &reply),
	          0);
	CHECK(reply.ok);
	CHECK_STR(value_text(reply.result, "message", ""), "set");
	text = ctl_reply_result_text(&reply, &size);
	CHECK_INT(size, strlen("{\"message\":\"set\", \"x\":1.50}"));
	CHECK(strncmp(text, "{\"message\":\"set\", \"x\":1.50}", size) == 0);
	ctl_reply_cleanup(&reply);
	CHECK_INT(ask(&args, "{\"ok\":false,\"error\":\"no\",\"code\":\"ENOENT\"}\n", question,
	              &reply),
	          0);
	CHECK(!reply.ok);
	CHECK_STR(reply.error, "no");
	CHECK_STR(reply.code, "ENOENT");
	ctl_reply_cleanup(&reply);
	CHECK_INT(ask(&args, "hello\n", question, &reply), -EBADMSG);
	CHECK_INT(ask(&args, "{\"result\":1}\n", question, &reply), -EBADMSG);
	CHECK_INT(ask(&args, "{\"ok\":true", question, &reply), -ECONNRESET);
	CHECK_INT(ctl_ask(&args, &reply), -ECONNREFUSED);
	unlink(socket_path);
	rmdir(directory);
}

TEST_MAIN({"show-sources", test_show_sources}, {"status", test_status}, {"left-out", test_left_out},
          {"what_is_missing", test_what_is_missing}, TEST(test_windows), TEST(test_recommend),
          TEST(test_auto), TEST(test_policies), TEST(test_kinds), TEST(test_policy_of_a_domain),
          TEST(test_dry_run), TEST(test_config), {"other_verbs", test_other_verbs},
          {"requests", test_requests})
