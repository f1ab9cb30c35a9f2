/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Paths as the runtimes make them (docker, containerd, CRI-O, podman, LXC, systemd), by their docs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "report/container_name.h"

#define ID	 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER_ID "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define POD	 "pod6e8f2c0a_9d1b_4f3e_8a77_0c1d2e3f4a5b"

static const struct {
	const char *path;
	const char *name;
} rows[] = {
    /* ids */
    {"/docker/" ID, "0123456789ab"},
    {"/system.slice/docker-" ID ".scope", "0123456789ab"},
    {"/docker/" ID "/system.slice/ssh.service", "0123456789ab"},
    {"/docker/" ID "/docker/" OTHER_ID, "fedcba987654"},
    {"/kubepods/burstable/pod6e8f2c0a-9d1b-4f3e-8a77-0c1d2e3f4a5b/" ID, "0123456789ab"},
    {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-" POD
     ".slice/cri-containerd-" ID ".scope",
     "0123456789ab"},
    {"/kubepods.slice/kubepods-" POD ".slice/crio-" ID ".scope/container", "0123456789ab"},
    {"/machine.slice/libpod-" ID ".scope/container", "0123456789ab"},
    {"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope",
     "0123456789ab"},
    {"/ecs/00112233445566778899aabbccddeeff/" ID, "0123456789ab"},
    {"/jobs/00112233445566778899aabbccddeeff", "001122334455"},
    /* their monitors run outside */
    {"/machine.slice/libpod-conmon-" ID ".scope", "libpod-conmon-" ID ".scope"},
    {"/kubepods.slice/crio-conmon-" ID ".scope", "crio-conmon-" ID ".scope"},
    /* given names */
    {"/lxc/web1", "web1"},
    {"/lxc/web1/system.slice/ssh.service", "web1"},
    {"/lxc.payload/web1/init.scope", "web1"},
    {"/lxc.payload.web1/system.slice/ssh.service", "web1"},
    {"/lxc.monitor.web1", "lxc.monitor.web1"},
    {"/machine.slice/machine-db\\x2dtest.scope", "db-test"},
    {"/machine.slice/machine-qemu\\x2d1\\x2dguest.scope/libvirt/emulator", "qemu-1-guest"},
    {"/machine.slice/systemd-nspawn@build.service/payload/init.scope", "build"},
    /* units */
    {"/system.slice/nginx.service", "nginx.service"},
    {"/system.slice/nginx.service/worker", "nginx.service"},
    {"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service"},
    {"/user.slice/user-0.slice/session-3.scope", "session-3.scope"},
    {"/user.slice/user-0.slice/user@0.service/app.slice/app-x.scope", "app-x.scope"},
    {"/init.scope", "init.scope"},
    /* whatever else */
    {"/jobs/nightly", "nightly"},
    {"/jobs/nightly/", "nightly"},
    {"/deadbeef", "deadbeef"},
    {"/x-" ID, "x-" ID},
    {"/machine-.scope", "machine-.scope"},
    {"/lxc.payload.", "lxc.payload."},
    {"/.scope", ".scope"},
    {"/a\\x2", "a\\x2"},
    {"/a\\x2g", "a\\x2g"},
    {"/a\\x1b[0m", "a\033[0m"}, /* escaped by who prints it */
    {"/../../other", "other"},
    {"/..", ".."},
    {"/", "/"},
    {"//", "/"},
    {"", "/"},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_strbuf struct strbuf name = {0};
		const size_t nr = strlen(rows[i].path);
		char *path = malloc(nr + 1); /* no NUL behind it: for the sanitizer */

		assert_non_null(path);
		memcpy(path + 1, rows[i].path, nr);
		container_name_append(&name, path + 1, nr);
		assert_string_equal(strbuf_text(&name), rows[i].name);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
