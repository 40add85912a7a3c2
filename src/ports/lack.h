/* Why no port could be lent, counted by cause and told the operator once, not for every question. For ports/ only.
 *
 *	lack_count(lack_of_errno(errno));
 *	lack_tell(LACK_FILES, space);
 *
 * Thread: any. */
#pragma once

#include "ports/space.h"

enum lack {
	LACK_MAX,    /* ports.max loans are out */
	LACK_PORTS,  /* every usable port is lent or taken */
	LACK_TAKEN,  /* EADDRINUSE, again and again */
	LACK_DENIED, /* EACCES: SELinux or the like */
	LACK_FILES,  /* EMFILE, ENFILE */
	LACK_MEMORY, /* ENOBUFS, ENOMEM */
	LACKS,
};

/* LACKS when the errno of a socket call says nothing of ports. */
enum lack lack_of_errno(int number);
/* What became of a port by the errno of socket() or bind(), counted: E_EXIST (this port is another's), E_NOPORT,
 * E_UNREACH (this machine lacks the family), E_SYSTEM. *lack is the cause, LACKS for none. */
int lack_judge(int number, enum lack *lack);
/* The same for connect(), which speaks of the way to the server and not of the port; nothing is counted: E_UNREACH, or
 * E_NOPORT when the kernel had no memory. */
int lack_judge_way(int number);
/* Counts one port that could not be had for that cause; nothing is said. */
void lack_count(enum lack lack);
/* A loan failed for that cause: said once a minute. */
void lack_tell(enum lack lack, struct port_space *space);
