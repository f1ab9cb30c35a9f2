/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/privileges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/proc_text.h"

/* "[none] integrity confidentiality": the one in brackets is in force (securityfs). */
static int is_locked_down(void)
{
	auto_free char *text = NULL;
	size_t nr;

	if (proc_file_read("/sys/kernel/security/lockdown", &text, &nr))
		return 0;
	return strstr(text, "[confidentiality]") != NULL;
}

static int paranoid_level(void)
{
	auto_free char *text = NULL;
	size_t nr;

	if (proc_file_read("/proc/sys/kernel/perf_event_paranoid", &text, &nr))
		return -1;
	return atoi(text);
}

void privileges_explain_bpf(int error)
{
	if (is_locked_down())
		log_error("the kernel is locked down (/sys/kernel/security/lockdown says "
			  "confidentiality): BPF programs may not read memory; boot with "
			  "lockdown=integrity or less");
	else if (error == -EPERM || error == -EACCES)
		log_error(
		    "no permission to load BPF programs: run as root, or with CAP_BPF, "
		    "CAP_PERFMON and CAP_SYS_PTRACE (in a container add them and allow bpf(2) "
		    "in its seccomp profile)");
	else if (error == -ESRCH)
		log_error("this kernel has no type information (/sys/kernel/btf/vmlinux): a kernel "
			  "built with CONFIG_DEBUG_INFO_BTF is needed");
	else if (error == -E2BIG)
		log_error("this kernel's verifier refuses the BPF programs as too large; please "
			  "report it with the output of uname -r and of pyrec record -v");
	else
		log_error("cannot load the BPF programs: %s; Linux 5.10 or newer is needed, "
			  "pyrec record -v tells more",
			  strerror(-error));
}

void privileges_explain_event(int error)
{
	if (error == -EACCES || error == -EPERM)
		log_error(
		    "no permission to sample the whole machine (kernel.perf_event_paranoid is "
		    "%d): run as root or with CAP_PERFMON",
		    paranoid_level());
	else if (error == -ENOENT || error == -EOPNOTSUPP)
		log_error("this machine does not have the event: try -e cpu-clock, the default");
	else if (error == -EINVAL)
		log_error("the kernel refuses the event: is -F above "
			  "kernel.perf_event_max_sample_rate?");
	else if (error == -EMFILE)
		log_error("too many open files: raise ulimit -n");
	else
		log_error("cannot open the sampling event: %s", strerror(-error));
}

void privileges_explain_ring(int error)
{
	if (error == -EPERM)
		log_error("no permission to lock memory for the event rings: raise ulimit -l or "
			  "run with CAP_IPC_LOCK");
	else
		log_error("cannot map an event ring: %s", strerror(-error));
}
