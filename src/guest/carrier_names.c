/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "guest/carrier.h"

const char *carrier_kind_name(enum carrier_kind kind)
{
	switch (kind) {
	case CARRIER_MEMFD:
		return "memfd";
	case CARRIER_SHMEM:
		return "shmem";
	}
	return "?";
}

const char *carrier_problem_name(enum carrier_problem problem)
{
	switch (problem) {
	case CARRIER_ABSENT:
		return "absent";
	case CARRIER_AMBIGUOUS:
		return "ambiguous";
	case CARRIER_NOT_REGULAR:
		return "not-regular";
	case CARRIER_NOT_TMPFS:
		return "not-tmpfs";
	case CARRIER_WRONG_SIZE:
		return "wrong-size";
	case CARRIER_READ_ONLY:
		return "read-only";
	case CARRIER_HUGE:
		return "huge-pages";
	case CARRIER_CHANGED:
		return "changed";
	case CARRIER_STUCK:
		return "stuck";
	case CARRIER_NOT_TRIED:
		return "not-tried";
	case CARRIER_SHARED:
		return "shared";
	case _CARRIER_PROBLEM_MAX:
		break;
	}
	return "?";
}

const char *carrier_problem_text(enum carrier_problem problem)
{
	switch (problem) {
	case CARRIER_ABSENT:
		return "QEMU shares no memory for guest pages; `pvschedctl attach` prints what to "
		       "add "
		       "(a memory-backend-memfd with id=pvsched,share=on, or a <shmem> with a name "
		       "that "
		       "begins with pvsched-)";
	case CARRIER_AMBIGUOUS:
		return "several shared memories of QEMU could hold the guest pages; keep only one "
		       "of them, and give no other memory backend the same size";
	case CARRIER_NOT_REGULAR:
		return "QEMU's shared memory is a device, a pipe or the like, and not a file in "
		       "memory; remove it, and let libvirt or QEMU make the object";
	case CARRIER_NOT_TMPFS:
		return "QEMU's shared memory is neither a memfd nor a file in the host's /dev/shm; "
		       "remove it, and let libvirt or QEMU make the object";
	case CARRIER_WRONG_SIZE:
		return "the shared memory has another size than QEMU was started with, or is not "
		       "between 1 and 16 MiB, or has no room for a page for each vCPU and one "
		       "more; give it 1M (up to 255 vCPUs), and remove a leftover file in /dev/shm";
	case CARRIER_READ_ONLY:
		return "the shared memory cannot be written: QEMU has it open read-only, or it is "
		       "sealed; remove readonly= and role='peer'";
	case CARRIER_HUGE:
		return "the shared memory is on huge pages, which QEMU can take away while "
		       "pvschedd reads them; remove hugetlb=";
	case CARRIER_CHANGED:
		return "QEMU's descriptors changed during the check, which is repeated; if this "
		       "message stays, QEMU may be compromised";
	case CARRIER_STUCK:
		return "a look at QEMU, or at its shared memory, did not end within 2 s, and is "
		       "not repeated while this QEMU lives; other domains do not notice. If QEMU "
		       "is not held up by a debugger or by storage that hangs, it may be "
		       "compromised; stop the domain and start it again";
	case CARRIER_NOT_TRIED:
		return "looks at 4 other QEMUs have not ended, so no further carrier is looked "
		       "for; "
		       "stop those domains, which `pvschedctl doctor` names as stuck";
	case CARRIER_SHARED:
		return "another domain had this memory first, and keeps it: this one is not heard; "
		       "give it memory of its own, and if none of its configuration names the "
		       "other's, its QEMU may be compromised";
	case _CARRIER_PROBLEM_MAX:
		break;
	}
	return "?";
}
