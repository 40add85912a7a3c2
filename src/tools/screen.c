/* Decides how a terminal is taken and how it is given back, whatever ends the program. */
#include "tools/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "tools/tool.h"

/* The other screen, no cursor, no wrapping; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

static struct termios before;
static volatile sig_atomic_t is_entered, has_keys, is_resized;
static bool listens; /* to keys */
static int row, rows;

/* Before they end the program; but for the first, as they would have without us. */
static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV};
enum { ENDINGS = sizeof(endings) / sizeof(endings[0]) };

bool screen_can(void)
{
	const char *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
}

/* write and tcsetattr alone: this runs in signal handlers. */
static void say(const char *codes, size_t len)
{
	while (len > 0) {
		ssize_t got = write(STDOUT_FILENO, codes, len);
		if (got < 0 && errno != EINTR)
			return;
		codes += got > 0 ? got : 0;
		len -= got > 0 ? (size_t)got : 0;
	}
}

static void give_back(void)
{
	if (!is_entered)
		return;
	is_entered = 0;
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	say(LEAVE, sizeof(LEAVE) - 1);
}

static void take(void)
{
	struct termios raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO); /* Ctrl-C and Ctrl-Z stay what they are */
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	is_entered = 1;
	say(ENTER, sizeof(ENTER) - 1);
}

static void on_end(int number)
{
	give_back();
	if (number == SIGINT)
		_exit(EXIT_GOOD); /* the way to end a view is no failure */
	signal(number, SIG_DFL);
	raise(number);
}

/* Stopped with the terminal as it was; afterwards the screen is drawn anew. */
static void on_stop(int number)
{
	int kept = errno;
	(void)number;
	give_back();
	raise(SIGSTOP);
	take();
	is_resized = 1;
	errno = kept;
}

static void on_resize(int number)
{
	(void)number;
	is_resized = 1;
}

static void handle(int number, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};
	for (int i = 0; i < ENDINGS; i++)
		sigaddset(&action.sa_mask, endings[i]);
	sigaction(number, &action, NULL);
}

void screen_enter(void)
{
	has_keys = tcgetattr(STDIN_FILENO, &before) == 0;
	listens = has_keys;
	for (int i = 0; i < ENDINGS; i++)
		handle(endings[i], on_end);
	handle(SIGTSTP, on_stop);
	handle(SIGWINCH, on_resize);
	fflush(stdout);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* a picture at a time */
	take();
}

void screen_leave(void)
{
	fflush(stdout);
	give_back();
}

void screen_begin(void)
{
	struct winsize size;
	rows = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
	row = 0;
	is_resized = 0;
	printf("\033[H");
}

bool screen_line(void)
{
	if (row >= rows)
		return false;
	if (row++ > 0)
		printf("\033[K\r\n");
	return true;
}

void screen_end(void)
{
	printf("\033[K\033[J");
	fflush(stdout);
}

static bool is_quit_key(void)
{
	char keys[64];
	ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));
	if (got <= 0)
		listens = false; /* the end of the input does not end the view */
	for (ssize_t i = 0; i < got; i++)
		if (keys[i] == 'q' || keys[i] == 'Q')
			return true;
	return false;
}

enum screen_event screen_wait(uint64_t until_us)
{
	for (;;) {
		uint64_t now_us = clock_mono_us();
		if (is_resized)
			return SCREEN_RESIZED;
		if (now_us >= until_us)
			return SCREEN_DUE;
		struct pollfd key = {.fd = listens ? STDIN_FILENO : -1, .events = POLLIN};
		if (poll(&key, 1, (int)((until_us - now_us + 999) / 1000)) > 0 && is_quit_key())
			return SCREEN_QUIT;
	}
}
