/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/kernel_symbols.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/proc_text.h"

#define KERNEL_MAP_PREFIX "[kernel.kallsyms]"

void kernel_symbols_init(struct kernel_symbols *symbols, const struct bundle *bundle,
			 const char *os_release, bool use_local_files)
{
	*symbols = (struct kernel_symbols){
	    .bundle = bundle, .os_release = os_release, .use_local_files = use_local_files};
}

void kernel_symbols_deinit(struct kernel_symbols *symbols)
{
	kallsyms_deinit(&symbols->local);
	free(symbols->text);
	free(symbols->reference_name);
	*symbols = (struct kernel_symbols){0};
}

int kernel_symbols_take_map(struct kernel_symbols *symbols, const struct record_mmap *mmap)
{
	size_t nr = sizeof(KERNEL_MAP_PREFIX) - 1;

	if (mmap->pid != UINT32_MAX || strncmp(mmap->path, KERNEL_MAP_PREFIX, nr) != 0 ||
	    mmap->path[nr] == '\0')
		return 0;
	free(symbols->reference_name);
	symbols->reference_name = strdup(mmap->path + nr);
	/* perf's start may be rounded down; its offset field holds the symbol's own address. */
	symbols->reference_address = mmap->file_offset;
	return symbols->reference_name ? 0 : -ENOMEM;
}

/* Is the reference symbol in @text where the recording says? */
static bool is_same_boot(const struct kernel_symbols *symbols, const char *text)
{
	char wanted[32];
	const int nr = snprintf(wanted, sizeof(wanted), "%016" PRIx64 " ",
				symbols->reference_address);
	const size_t name_nr = strlen(symbols->reference_name);

	for (const char *at = strstr(text, wanted); at; at = strstr(at + 1, wanted)) {
		const char *name = at + nr + 2; /* past the type */

		if (at[nr] && at[nr + 1] == ' ' &&
		    strncmp(name, symbols->reference_name, name_nr) == 0 &&
		    strchr("\t \n", name[name_nr]))
			return true;
	}
	return false;
}

int kernel_symbols_load(struct kernel_symbols *symbols, char *text)
{
	free(symbols->text);
	symbols->text = text;
	return is_same_boot(symbols, text) ? kallsyms_parse(text, &symbols->local) : -ENOENT;
}

static int kernel_symbols_load_local(struct kernel_symbols *symbols)
{
	struct utsname here;
	char *text;
	size_t nr;
	int ret;

	symbols->is_loaded = true;
	if (symbols->bundle || !symbols->use_local_files || !symbols->reference_address ||
	    !symbols->os_release || uname(&here) || strcmp(here.release, symbols->os_release) != 0)
		return 0;
	if (proc_file_read("/proc/kallsyms", &text, &nr))
		return 0;
	ret = kernel_symbols_load(symbols, text);
	return ret == -ENOMEM ? ret : 0;
}

static int kernel_symbols_find_local(const struct kernel_symbols *symbols, uint64_t address,
				     struct bundle_kernel_symbol *ret)
{
	uint64_t end;
	const struct kallsym *found = kallsyms_find(&symbols->local, address, &end);

	if (!found)
		return -ENOENT;
	*ret = (struct bundle_kernel_symbol){
	    .address = found->address, .name = found->name, .module = found->module};
	return 0;
}

int kernel_symbols_find(struct kernel_symbols *symbols, uint64_t address,
			struct bundle_kernel_symbol *ret)
{
	if (symbols->bundle)
		return bundle_kernel_symbol(symbols->bundle, address, ret);
	if (!symbols->is_loaded) {
		int error = kernel_symbols_load_local(symbols);

		if (error)
			return error;
	}
	return kernel_symbols_find_local(symbols, address, ret);
}
