/* Decides the words for errors and how errno values map to them. */
#include "base/error.h"

#include <errno.h>

const char *error_text(int error)
{
	switch (error) {
	case E_OK: return "success";
#define X(name, text)                                                                                                  \
	case name: return text;
		ERROR_LIST(X)
#undef X
	default: return "unknown error";
	}
}

int error_of_errno(int number)
{
	switch (number) {
	case 0: return E_OK;
	case ENOMEM:
	case ENOBUFS: return E_NOMEM;
	case ETIMEDOUT: return E_TIMEOUT;
	case ECONNREFUSED: return E_REFUSED;
	case ECONNRESET:
	case EPIPE: return E_CLOSED;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EAFNOSUPPORT: return E_UNREACH;
	case EACCES:
	case EPERM: return E_ACCESS;
	case ENOENT: return E_NOENT;
	case EEXIST:
	case EADDRINUSE: return E_EXIST;
	default: return E_SYSTEM;
	}
}
