/* The files of web/, made part of the program by scripts/embed-web. Constant; thread: any. */
#pragma once

#include <stddef.h>

struct web_file {
	const char *name, *type, *etag; /* name: "style.css"; etag: of its content, without quotes */
	const char *data;               /* an html file's without its first two lines, which say the language */
	size_t size;
};

/* Ends with a name of NULL. */
extern const struct web_file web_files[];
