# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # what scripts/test has
# The suite `vm` of scripts/test, which sources this file: choose_machines, begin_vm, run_vm, and clean_vm when it ends
# early. It takes hosts, kernels and pytest_arguments, and adds to took, left_out, failed, passed and skipped.

# Without --kernel, a further kernel is left out if it would end later than this in the whole run.
default_limit_s=1680

# Its image is made while the other suites run, which mostly wait. Its tests run after them, since an emulated host would
# take the CPUs that their times depend on.

# Writes the seconds that it took to vm.image, and makes vm.made if there was no image before.
prepare_vm()
{
	local begin=$SECONDS machine host kernel
	renice -n 19 -p "$BASHPID" >/dev/null
	for machine in "${machines[@]}"; do
		read -r host kernel <<<"$machine"
		limited "$(seconds_for "$image_limit_s")" INT "$here/rig" build --host "$host" --kernel "$kernel" --offline \
			>/dev/null 2>&1 || touch "$scratch/vm.made"
		limited "$(seconds_for "$image_limit_s")" INT "$here/rig" build --host "$host" --kernel "$kernel" \
			>/dev/null || return
	done
	echo "$((SECONDS - begin))" >"$scratch/vm.image"
}

begin_vm()
{
	if ((EUID != 0)); then
		left_out+=("vm: only root can make and boot the emulated host")
		return
	fi
	set -m # or it would ignore interrupts
	prepare_vm >"$scratch/vm.log" 2>&1 &
	set +m
	vm_job=$!
}

refuse_kernel() # HOST KERNEL
{
	local host there
	echo "test: the host $1 has no kernel '$2'; there are:" >&2
	for host in "${all_hosts[@]}"; do
		there="${host_kernels[$host]}${rt_kernels[$host]:+ ${rt_kernels[$host]}}"
		echo "  --host $host --kernel ${there// /|}" >&2
	done
	exit 2
}

# Sets machines, each "HOST KERNEL": what is asked for, else bookworm's.
choose_machines()
{
	local host kernel
	local -a known wanted
	((${#hosts[@]} + ${#kernels[@]} == 0)) || vm_asked=1
	((${#hosts[@]})) || hosts=(bookworm)
	for host in "${hosts[@]}"; do
		read -r -a known <<<"${host_kernels[$host]}"
		wanted=("${kernels[@]}")
		((${#wanted[@]})) || wanted=("${known[@]}")
		# shellcheck disable=SC2206 # words
		known+=(${rt_kernels[$host]})
		for kernel in "${wanted[@]}"; do
			is_one_of "$kernel" "${known[@]}" || refuse_kernel "$host" "$kernel"
			machines+=("$host $kernel")
		done
	done
}

# Succeeds if one more kernel is run. Without --kernel that must not make the run longer than half an hour, and its
# image must be from an earlier run. It then runs half of the tests: those that a kernel may change.
has_time_for() # HOST KERNEL SECONDS-OF-THE-LAST-ONE
{
	[[ -z $vm_asked ]] || return 0
	if [[ -e $scratch/vm.made ]]; then
		left_out+=("vm on $1 with kernel $2: this run had to make its image; --kernel $2 runs it")
	elif ((SECONDS + $3 * 2 / 3 > default_limit_s)); then
		left_out+=("vm on $1 with kernel $2: the last one took $3 s, so this would take too long; --kernel $2 runs it")
	else
		left_out+=("vm on $1 with kernel $2: the tests that no kernel changes; --kernel $2 runs them, too")
		return 0
	fi
	return 1
}

# The machine's name is this run's alone, except with --keep-host: then it is known before.
vm_name() # HOST KERNEL
{
	local name=vm-$1-${2/./-}
	[[ $1 != bookworm ]] || name=vm-${2/./-}
	[[ " ${pytest_arguments[*]} " == *" --keep-host "* ]] || name+=-$$
	echo "$name"
}

clean_vm() # HOST KERNEL
{
	local name
	name=$(vm_name "$@")
	[[ $name == *"-$$" ]] || return 0
	"$here/rig" clean --name "$name"
	"$here/rig" clean --name "${name}b"
	"$here/rig" clean --name "${name}c"
}

run_vm_on() # HOST KERNEL
{
	local report=$scratch/vm-$1-$2.xml code
	vm_machine="$1 $2"
	run_pytest vm "$(seconds_for "$vm_limit_s")" "$report" --host="$1" --kernel="$2" --name="$(vm_name "$@")" \
		${vm_asked:+--every}
	code=$?
	clean_vm "$@"
	vm_machine=
	tally_pytest "vm on $1 with kernel $2" "$report" "$code"
}

run_vm()
{
	local machine host kernel begin last=0
	[[ -n $vm_job ]] || return 0
	echo "=== vm"
	wait "$vm_job"
	vm_job=
	cat "$scratch/vm.log"
	if [[ ! -e $scratch/vm.image ]]; then
		echo "test: no image of the emulated host, see above: the suite counts as failed"
		failed=$((failed + 1))
		return
	fi
	took+=("the image for vm took $(<"$scratch/vm.image") s, while the others ran")
	for machine in "${machines[@]}"; do
		read -r host kernel <<<"$machine"
		[[ $machine == "${machines[0]}" ]] || has_time_for "$host" "$kernel" "$last" || continue
		begin=$SECONDS
		run_vm_on "$host" "$kernel"
		last=$((SECONDS - begin))
		took+=("vm on $host with kernel $kernel took $last s")
	done
}
