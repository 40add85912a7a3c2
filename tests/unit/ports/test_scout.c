/* The process that finds owners: it finds ours, says nothing of what is nobody's, and its end is noticed. */
#include "unit/unit.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

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
	assert_int_equal(scout_start(&scout), 0);
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
	assert_int_equal(scout_start(&scout), 0);
	struct owner_want want = socket_here(&fd);
	assert_int_equal(kill(child_of_ours(), SIGKILL), 0);
	usleep(50000);
	assert_int_not_equal(scout_ask(scout, &want, 1, answers), 0);
	close(fd);
	scout_end(scout);
	scout_end(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ours), cmocka_unit_test(test_killed)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
