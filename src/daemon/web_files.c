/* Decides which path is which file, and in which language a page begins. */
#include "daemon/web_files.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "daemon/web_parse.h"
#include "daemon/web_parts.h"

static const struct web_file *find(const char *name)
{
	for (const struct web_file *file = web_files; file->name != NULL; file++)
		if (strcmp(file->name, name) == 0)
			return file;
	return NULL;
}

static const struct web_file *file_of(const char *path)
{
	if (strcmp(path, "/") == 0)
		return find("index.html");
	if (strcmp(path, "/dashboard") == 0)
		return find("dashboard.html");
	if (web_path_port(path, "/port/") >= 0)
		return find("port.html");
	const struct web_file *file = find(path + 1);
	return file != NULL && strstr(file->name, ".html") == NULL ? file : NULL;
}

/* The browser keeps files and asks whether they are still so. */
static bool is_known(const struct visit *visit, const char *etag)
{
	const char *have = web_header(visit, "If-None-Match");
	return have != NULL && strcmp(have, etag) == 0;
}

static struct MHD_Response *page_of(const struct visit *visit, const struct web_file *file)
{
	char head[64];
	size_t len = (size_t)snprintf(head, sizeof(head), "<!doctype html>\n<html lang=\"%s\">\n", visit->language);
	char *page = xalloc(len + file->size);
	memcpy(page, head, len);
	memcpy(page + len, file->data, file->size);
	return MHD_create_response_from_buffer(len + file->size, page, MHD_RESPMEM_MUST_FREE);
}

bool files_run(struct visit *visit)
{
	const struct web_file *file = file_of(visit->path);
	char etag[64];
	struct MHD_Response *response;
	if (file == NULL || visit->method != METHOD_GET)
		return false;
	bool is_page = strstr(file->name, ".html") != NULL, known;
	snprintf(etag, sizeof(etag), "\"%s%s%s\"", file->etag, is_page ? "-" : "", is_page ? visit->language : "");
	known = is_known(visit, etag);
	if (known)
		response = MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	else if (is_page)
		response = page_of(visit, file);
	else
		response = MHD_create_response_from_buffer(file->size, (void *)file->data, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "Content-Type", file->type);
	MHD_add_response_header(response, "Cache-Control", "no-cache");
	MHD_add_response_header(response, "ETag", etag);
	if (is_page)
		MHD_add_response_header(response, "Vary", "Accept-Language");
	web_reply(visit, known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
	return true;
}
