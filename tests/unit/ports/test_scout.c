/* The process that finds owners: it finds ours, says nothing of what is nobody's, and its end is noticed. */
#include "unit/unit.h"

#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "ports/scout.h"

static struct scout_answer answers[SCOUT_MOST];

static struct owner_want socket_here(int *fd)
{
	struct stat st;
	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(fstat(*fd, &st), 0);
	return (struct owner_want){.inode = st.st_ino, .uid = geteuid()};
}

static void test_ours(void **state)
{
	(void)state;
	struct scout *scout;
	int fd;
	assert_int_equal(scout_start(&scout, NULL), 0);
	struct owner_want want[] = {socket_here(&fd), {.inode = 1}, {.inode = 0}};
	for (int round = 0; round < 3; round++) {
		assert_int_equal(scout_ask(scout, want, COUNT_OF(want), answers), 0);
		assert_int_equal(answers[0].pid, getpid());
		assert_non_null(strstr(answers[0].who, "test_ports_scou"));
		for (size_t i = 1; i < COUNT_OF(want); i++)
			assert_true(answers[i].pid == 0 && answers[i].who[0] == '\0');
	}
	static struct owner_want many[SCOUT_MOST];
	for (size_t i = 0; i < SCOUT_MOST; i++)
		many[i] = want[0];
	assert_int_equal(scout_ask(scout, many, SCOUT_MOST, answers), 0);
	assert_int_equal(answers[0].pid, getpid());
	/* As many answers as questions, whatever their number: nothing is left for the next. */
	static const size_t counts[] = {1, 255, 256, 257, 512, SCOUT_MOST - 1};
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		assert_int_equal(scout_ask(scout, many, counts[i], answers), 0);
	assert_int_equal(scout_ask(scout, want, COUNT_OF(want), answers), 0);
	assert_true(answers[0].pid == getpid() && answers[1].pid == 0);
	close(fd);
	scout_end(scout);
}

static pid_t child_of_ours(void)
{
	char path[64], text[256] = "";
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	(void)!fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	int pid = 0;
	assert_int_equal(sscanf(text, "%d", &pid), 1);
	return pid;
}

static void test_killed(void **state)
{
	(void)state;
	struct scout *scout;
	int fd;
	assert_int_equal(scout_start(&scout, NULL), 0);
	struct owner_want want = socket_here(&fd);
	assert_int_equal(kill(child_of_ours(), SIGKILL), 0);
	usleep(50000);
	assert_int_not_equal(scout_ask(scout, &want, 1, answers), 0);
	close(fd);
	scout_end(scout);
	scout_end(NULL);
}

static unsigned long long status_of(pid_t pid, const char *key, int base)
{
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "r");
	unsigned long long value = ~0ull;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key) + 1, NULL, base);
	fclose(file);
	return value;
}

/* Nothing of root stays but the two capabilities, and nothing of the terminal. */
static void test_becomes_the_user(void **state)
{
	(void)state;
	struct scout *scout;
	char path[64], target[64] = "";
	int fd;
	if (geteuid() != 0)
		return;
	assert_int_equal(scout_start(&scout, "nobody"), 0);
	struct owner_want want = socket_here(&fd);
	assert_int_equal(scout_ask(scout, &want, 1, answers), 0);
	assert_int_equal(answers[0].pid, getpid());
	pid_t pid = child_of_ours();
	const struct passwd *nobody = getpwnam("nobody");
	assert_int_equal(status_of(pid, "Uid:", 10), nobody->pw_uid);
	assert_int_equal(status_of(pid, "Gid:", 10), nobody->pw_gid);
	assert_int_equal(status_of(pid, "CapPrm:", 16), 1u << CAP_SYS_PTRACE | 1u << CAP_DAC_READ_SEARCH);
	assert_int_equal(status_of(pid, "CapEff:", 16), 1u << CAP_SYS_PTRACE | 1u << CAP_DAC_READ_SEARCH);
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, i);
		assert_true(readlink(path, target, sizeof(target) - 1) > 0);
		assert_string_equal(target, "/dev/null");
	}
	close(fd);
	scout_end(scout);
	assert_int_equal(scout_start(&scout, "nobody-of-that-name"), E_NOENT);
}

static void *say_over(void *arg)
{
	usleep(100000);
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

/* One that is stopped keeps nobody: neither who asks nor who ends it. */
static void test_stopped(void **state)
{
	(void)state;
	static atomic_bool over;
	struct scout *scout;
	pthread_t thread;
	int fd;
	assert_int_equal(scout_start(&scout, NULL), 0);
	scout_heed(scout, &over);
	struct owner_want want = socket_here(&fd);
	assert_int_equal(kill(child_of_ours(), SIGSTOP), 0);
	uint64_t begin_us = clock_mono_us();
	assert_int_equal(pthread_create(&thread, NULL, say_over, &over), 0);
	assert_int_equal(scout_ask(scout, &want, 1, answers), E_TIMEOUT);
	scout_end(scout);
	assert_true(clock_mono_us() - begin_us < 4000000); /* its patience is five seconds */
	pthread_join(thread, NULL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ours), cmocka_unit_test(test_killed),
		cmocka_unit_test(test_becomes_the_user), cmocka_unit_test(test_stopped)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
