/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * layout_oracle FILE QUERY…
 *
 * Two opinions on one file that holds CPython: first what the recorder finds out about it ("our
 * NAME VALUE"), then the answers of its DWARF ("dwarf QUERY VALUE"). Queries: TYPE.MEMBER[.MEMBER…]
 * is an offset, sizeof.TYPE a size, enum.NAME a value. A query that the DWARF does not answer has
 * no line.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "record/python_runtime.h"

#define LAYOUT_FIELD(name)                                 \
	{                                                  \
#name, offsetof(struct pyrec_layout, name) \
	}

static const struct {
	const char *name;
	size_t at;
} layout_fields[] = {
    LAYOUT_FIELD(tstate_frame),	  LAYOUT_FIELD(cframe_frame),	LAYOUT_FIELD(cframe_previous),
    LAYOUT_FIELD(frame_code),	  LAYOUT_FIELD(frame_previous), LAYOUT_FIELD(frame_instr),
    LAYOUT_FIELD(frame_owner),	  LAYOUT_FIELD(code_instrs),	LAYOUT_FIELD(code_first_line),
    LAYOUT_FIELD(code_version),	  LAYOUT_FIELD(code_file),	LAYOUT_FIELD(code_name),
    LAYOUT_FIELD(code_qualname),  LAYOUT_FIELD(code_lines),	LAYOUT_FIELD(unicode_length),
    LAYOUT_FIELD(unicode_state),  LAYOUT_FIELD(unicode_ascii),	LAYOUT_FIELD(unicode_compact),
    LAYOUT_FIELD(bytes_size),	  LAYOUT_FIELD(bytes_data),	LAYOUT_FIELD(tstate_interp),
    LAYOUT_FIELD(tstate_thread),  LAYOUT_FIELD(frame_locals),	LAYOUT_FIELD(code_locals_nr),
    LAYOUT_FIELD(tstate_next),	  LAYOUT_FIELD(tstate_cframe),	LAYOUT_FIELD(interp_next),
    LAYOUT_FIELD(interp_threads), LAYOUT_FIELD(frame_kind),
};

static int print_ours(int fd, const char *path)
{
	struct python_runtime runtime;
	struct elf_file *elf;
	int error = elf_file_open(fd, &elf);

	if (error)
		return error;
	error = python_runtime_detect(elf, path, &runtime);
	elf_file_close(elf);
	if (error)
		return error;
	printf("our version_hex %u\n", runtime.version_hex);
	printf("our is_walkable %d\n", runtime.is_walkable);
	printf("our runtime_vaddr %llu\n", (unsigned long long)runtime.runtime_vaddr);
	printf("our runtime_key %u\n", runtime.layout.runtime_key);
	printf("our runtime_current %u\n", runtime.layout.runtime_current);
	printf("our runtime_interpreters %u\n", runtime.layout.runtime_interpreters);
	printf("our runtime_bytes %llu\n", (unsigned long long)runtime.runtime_bytes);
	printf("our interpreters_vaddr %llu\n", (unsigned long long)runtime.interpreters_vaddr);
	printf("our key_vaddr %llu\n", (unsigned long long)runtime.key_vaddr);
	printf("our current_vaddr %llu\n", (unsigned long long)runtime.current_vaddr);
	printf("our thread_list_vaddr %llu\n", (unsigned long long)runtime.thread_list_vaddr);
	printf("our tls_kind %u\n", runtime.tls_kind);
	printf("our tls_offset %lld\n", (long long)runtime.tls_offset);
	printf("our tls_module_vaddr %llu\n", (unsigned long long)runtime.tls_module_vaddr);
	printf("our methods.function_code %u\n", runtime.layout.methods.function_code);
	printf("our methods.function_globals %u\n", runtime.layout.methods.function_globals);
	printf("our methods.function_dict %u\n", runtime.layout.methods.function_dict);
	printf("our methods.function_qualname %u\n", runtime.layout.methods.function_qualname);
	printf("our methods.class_name %u\n", runtime.layout.methods.class_name);
	printf("our methods.code_flags %u\n", runtime.layout.methods.code_flags);
	printf("our has_cframe %u\n", runtime.layout.walk.has_cframe);
	printf("our entry_value %u\n", runtime.layout.walk.entry_value);
	printf("our generator_state %u\n", runtime.layout.walk.generator_state);
	for (size_t i = 0; i < array_size(layout_fields); i++) {
		uint16_t value;

		memcpy(&value, (const char *)&runtime.layout.walk + layout_fields[i].at,
		       sizeof(value));
		printf("our %s %u\n", layout_fields[i].name, value);
	}
	return 0;
}

/* The structure behind a typedef or a member's type. */
static bool type_resolve(Dwarf_Die *die)
{
	for (int i = 0; i < 16; i++) {
		Dwarf_Attribute attribute;
		Dwarf_Die target;

		if (dwarf_tag(die) == DW_TAG_structure_type || dwarf_tag(die) == DW_TAG_union_type)
			return !dwarf_hasattr(die, DW_AT_declaration);
		if (!dwarf_attr(die, DW_AT_type, &attribute) ||
		    !dwarf_formref_die(&attribute, &target))
			return false;
		*die = target;
	}
	return false;
}

/* Offset of the member path @path in the structure @type. */
static bool member_offset(Dwarf_Die type, const char *path, Dwarf_Word *ret)
{
	const size_t nr = strcspn(path, ".");
	Dwarf_Die member;

	if (dwarf_child(&type, &member))
		return false;
	do {
		const char *name = dwarf_diename(&member);
		Dwarf_Attribute attribute;
		Dwarf_Word offset = 0;

		if (dwarf_tag(&member) != DW_TAG_member || !name || strlen(name) != nr ||
		    memcmp(name, path, nr) != 0)
			continue;
		if (dwarf_attr(&member, DW_AT_data_member_location, &attribute) &&
		    dwarf_formudata(&attribute, &offset))
			return false;
		if (!path[nr]) {
			*ret = offset;
			return true;
		}
		if (!type_resolve(&member) || !member_offset(member, path + nr + 1, ret))
			return false;
		*ret += offset;
		return true;
	} while (dwarf_siblingof(&member, &member) == 0);
	return false;
}

static bool enumerator_find(Dwarf_Die type, const char *wanted, Dwarf_Word *ret)
{
	Dwarf_Die item;

	if (dwarf_tag(&type) != DW_TAG_enumeration_type || dwarf_child(&type, &item))
		return false;
	do {
		const char *name = dwarf_diename(&item);
		Dwarf_Attribute attribute;

		if (name && strcmp(name, wanted) == 0)
			return dwarf_attr(&item, DW_AT_const_value, &attribute) &&
			       dwarf_formudata(&attribute, ret) == 0;
	} while (dwarf_siblingof(&item, &item) == 0);
	return false;
}

/* Does the top-level entry @die answer @query? */
static bool query_answer(Dwarf_Die die, const char *query, Dwarf_Word *ret)
{
	const bool wants_size = strncmp(query, "sizeof.", 7) == 0;
	const char *type = wants_size ? query + 7 : query;
	const size_t nr = strcspn(type, ".");
	const char *name = dwarf_diename(&die);
	const int tag = dwarf_tag(&die);

	if (strncmp(query, "enum.", 5) == 0)
		return enumerator_find(die, query + 5, ret);
	if ((tag != DW_TAG_typedef && tag != DW_TAG_structure_type) || !name ||
	    strlen(name) != nr || memcmp(name, type, nr) != 0 || !type_resolve(&die))
		return false;
	if (!wants_size)
		return member_offset(die, type + nr + 1, ret);
	*ret = (Dwarf_Word)dwarf_bytesize(&die);
	return true;
}

static void unit_ask(Dwarf_Die unit, char **queries)
{
	Dwarf_Die die;

	if (dwarf_child(&unit, &die))
		return;
	do {
		for (char **query = queries; *query; query++) {
			Dwarf_Word value;

			if (!**query || !query_answer(die, *query, &value))
				continue;
			printf("dwarf %s %llu\n", *query, (unsigned long long)value);
			**query = '\0'; /* answered */
		}
	} while (dwarf_siblingof(&die, &die) == 0);
}

int main(int argc, char **argv)
{
	int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	Dwarf_CU *unit = NULL;
	Dwarf_Die die;
	Dwarf *dwarf;
	uint8_t type;

	if (fd < 0 || print_ours(fd, argv[1])) {
		fprintf(stderr, "%s: not CPython\n", argc > 1 ? argv[1] : "?");
		return 1;
	}
	if (argc == 2)
		return 0;
	dwarf = dwarf_begin(fd, DWARF_C_READ);
	if (!dwarf) {
		printf("no DWARF\n");
		return 0;
	}
	while (dwarf_get_units(dwarf, unit, &unit, NULL, &type, &die, NULL) == 0)
		if (type == DW_UT_compile)
			unit_ask(die, argv + 2);
	dwarf_end(dwarf);
	close(fd);
	return 0;
}
