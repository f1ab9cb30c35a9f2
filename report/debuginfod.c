/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "common/escape.h"
#include "common/log.h"

#define LIBRARY "libdebuginfod.so.1"

struct debuginfod_client; /* the library's */

struct debuginfod {
	bool is_loaded;
	void *library;			  /* NULL: cannot be loaded */
	struct debuginfod_client *client; /* NULL: not to be asked (any more) */

	/* elfutils/debuginfod.h, elfutils 0.188 */
	struct debuginfod_client *(*begin)(void);
	int (*find_debuginfo)(struct debuginfod_client *client, const unsigned char *build_id,
			      int build_id_nr, char **path);
	void (*end)(struct debuginfod_client *client);
};

bool debuginfod_is_configured(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");

	return urls && urls[0];
}

int debuginfod_configure(const char *urls)
{
	if ((urls && setenv("DEBUGINFOD_URLS", urls, 1)) || setenv("DEBUGINFOD_TIMEOUT", "20", 0) ||
	    setenv("DEBUGINFOD_MAXTIME", "60", 0))
		return -ENOMEM;
	return 0;
}

int debuginfod_create(struct debuginfod **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static void debuginfod_stop(struct debuginfod *debuginfod)
{
	if (debuginfod->client)
		debuginfod->end(debuginfod->client);
	debuginfod->client = NULL;
}

void debuginfod_destroy(struct debuginfod *debuginfod)
{
	if (!debuginfod)
		return;
	debuginfod_stop(debuginfod);
	if (debuginfod->library)
		dlclose(debuginfod->library);
	free(debuginfod);
}

static void debuginfod_load(struct debuginfod *debuginfod)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	debuginfod->library = library;
	if (library) {
		*(void **)&debuginfod->begin = dlsym(library, "debuginfod_begin");
		*(void **)&debuginfod->end = dlsym(library, "debuginfod_end");
		*(void **)&debuginfod->find_debuginfo = dlsym(library, "debuginfod_find_debuginfo");
	}
	if (debuginfod->begin && debuginfod->end && debuginfod->find_debuginfo)
		debuginfod->client = debuginfod->begin();
	if (!debuginfod->client)
		log_warn("debuginfod is not asked: " LIBRARY " cannot be used");
}

static void log_question(const char *path, const uint8_t *build_id, uint8_t build_id_nr)
{
	auto_strbuf struct strbuf text = {0};

	escape_append(&text, path, strlen(path));
	strbuf_append_text(&text, ", build id ");
	for (uint8_t i = 0; i < build_id_nr; i++)
		strbuf_append_format(&text, "%02x", build_id[i]);
	log_info("asking debuginfod for debug information of %s", strbuf_text(&text));
}

int debuginfod_fetch(struct debuginfod *debuginfod, const uint8_t *build_id, uint8_t build_id_nr,
		     const char *path, int *ret)
{
	int fd;

	if (!debuginfod->is_loaded) {
		debuginfod->is_loaded = true;
		debuginfod_load(debuginfod);
	}
	if (!debuginfod->client)
		return -ENOENT;
	log_question(path, build_id, build_id_nr);
	fd = debuginfod->find_debuginfo(debuginfod->client, build_id, build_id_nr, NULL);
	if (fd >= 0) {
		*ret = fd;
		return 0;
	}
	if (fd != -ENOENT) {
		log_warn("debuginfod is not asked any more: %s", strerror(-fd));
		debuginfod_stop(debuginfod);
	}
	return -ENOENT;
}
