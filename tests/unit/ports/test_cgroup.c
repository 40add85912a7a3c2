/* Which unit or container a cgroup's path names (ports/cgroup.c). */
#include "unit/unit.h"

#include "ports/cgroup.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *text, *unit, *runtime, *container;
} rows[] = {
	{"0::/\n", "", "", ""},
	{"", "", "", ""},
	{"0::/system.slice/unbound.service\n", "unbound.service", "", ""},
	{"0::/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", "", ""},
	{"0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-7.scope\n", "app-firefox-7.scope", "",
		""},
	{"0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope", "", ""},
	{"0::/system.slice/_cpu.service\n", "cpu.service", "", ""},
	{"0::/system.slice\n", "", "", ""},
	{"0::/.service\n", "", "", ""},
	/* both versions: what stands in any of the lines */
	{"9:name=systemd:/system.slice/nginx.service\n4:memory:/system.slice/nginx.service\n0::/\n", "nginx.service",
		"", ""},
	/* containers */
	{"0::/system.slice/docker-" ID ".scope\n", "docker-" ID ".scope", "docker", ID},
	{"4:memory:/docker/" ID "\n0::/\n", "", "docker", ID},
	{"0::/docker/" ID "/init.scope\n", "init.scope", "docker", ID},
	{"0::/machine.slice/libpod-" ID ".scope/container\n", "libpod-" ID ".scope", "podman", ID},
	{"0::/machine.slice/libpod-conmon-" ID ".scope\n", "libpod-conmon-" ID ".scope", "", ""},
	{"0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" ID ".scope\n", "cri-containerd-" ID ".scope",
		"containerd", ID},
	{"0::/kubepods.slice/crio-" ID ".scope\n", "crio-" ID ".scope", "cri-o", ID},
	{"0::/kubepods/burstable/pod1-2/" ID "\n", "", "kubernetes", ID},
	{"0::/lxc.payload.web/system.slice/nginx.service\n", "nginx.service", "lxc", "web"},
	{"1:cpu:/lxc/web\n", "", "lxc", "web"},
	{"0::/machine.slice/machine-blue.scope\n", "machine-blue.scope", "machine", "blue"},
	/* nearly */
	{"0::/docker/0123456789abcdef\n", "", "", ""},
	{"0::/system.slice/docker-0123.scope\n", "docker-0123.scope", "", ""},
	{"0::/system.slice/docker-.scope\n", "docker-.scope", "", ""},
	{"0::/machine-blue\n", "", "", ""},
	{"no colons at all", "", "", ""},
	{"0:/one/colon.service", "", "", ""},
	{"0::", "", "", ""},
	{":::::", "", "", ""},
	/* what somebody may call a cgroup to deceive a terminal */
	{"0::/evil\033[2J.service\n", "evil\\x1b[2J.service", "", ""},
};

static void test_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct cgroup_place place;
		memset(&place, 0xee, sizeof(place));
		cgroup_place_read(&place, rows[i].text);
		assert_string_equal(place.unit, rows[i].unit);
		assert_string_equal(place.runtime, rows[i].runtime);
		assert_string_equal(place.container, rows[i].container);
	}
}

/* A name longer than there is room for is cut, and ends. */
static void test_long_name(void **state)
{
	char text[4096] = "0::/";
	struct cgroup_place place;
	(void)state;
	memset(text + 4, 'a', 3000);
	strcpy(text + 3004, ".service\n");
	cgroup_place_read(&place, text);
	assert_true(strlen(place.unit) < sizeof(place.unit));
	assert_string_equal(place.unit + strlen(place.unit) - 3, "...");
}

/* Zero is a process that cannot be seen from here; a line that is no number is none. */
static void test_pids(void **state)
{
	struct pids pids = {0};
	(void)state;
	pids_add_lines(&pids, "812\n0\n1\n-5\nx\n99999999999999999999\n12x\n4194304");
	assert_int_equal(pids.count, 3);
	assert_int_equal(pids.pid[0], 812);
	assert_int_equal(pids.pid[1], 1);
	assert_int_equal(pids.pid[2], 4194304);
	pids_deinit(&pids);
	pids_add_lines(&pids, "");
	assert_int_equal(pids.count, 0);
	for (int i = 1; i <= 1000; i++)
		pids_add_lines(&pids, "7\n");
	assert_int_equal(pids.count, 1000);
	pids_deinit(&pids);
}

/* An id that no cgroup has, and a machine without cgroups, are errors and add nobody. */
static void test_no_such_cgroup(void **state)
{
	struct pids pids = {0};
	(void)state;
	assert_true(cgroup_pids(UINT64_MAX, &pids) < 0);
	assert_int_equal(pids.count, 0);
	pids_deinit(&pids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_pids),
		cmocka_unit_test(test_no_such_cgroup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
