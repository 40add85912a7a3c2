/* berth audit --reflector: asks berthd for names below a zone whose server answers with the address and port that it
 * was asked from, and judges what became of the ports on their way.
 *
 *	return reflector_run(tool);
 *
 * The exit status. Thread: one. */
#pragma once

#include "tools/tool.h"

int reflector_run(const struct tool *tool);
