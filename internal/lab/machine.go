package lab

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
)

// The descriptors a machine's process inherits.
const (
	fdRootfs  = 3 // a file without a name: nothing is left of it when all are gone
	fdChannel = 4 // one end of a socket pair: wire frames
)

// command is the machine's process. runDir is a folder of this run alone.
func (j *Job) command(runDir string) (*exec.Cmd, error) {
	rootfs := fmt.Sprintf("/proc/self/fd/%d", fdRootfs)
	channel := strconv.Itoa(fdChannel)
	if j.Kernel.Machine == UML {
		argv := []string{
			"mem=" + strconv.Itoa(j.MemMiB) + "M",
			"initrd=" + rootfs,
			"con=null", "con0=null,fd:1", // the kernel's console, out only
			"ssl=null", "ssl0=fd:" + channel, // the guest's /dev/ttyS0
			"uml_dir=" + runDir, "umid=lab", // else it leaves them in ~/.uml
			"panic=-1", "noreboot", "quiet",
		}
		// No mount of the guest's leads out of this folder; without one, nowhere.
		shared := filepath.Join(runDir, "none")
		if j.Out != "" {
			shared = j.Out
		}
		argv = append(argv, "hostfs="+shared)
		cmd := exec.Command(j.Kernel.image(), argv...)
		cmd.Env = []string{"HOME=" + runDir, "LD_PRELOAD=" + j.Kernel.shim()}
		return cmd, nil
	}
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return nil, fmt.Errorf("%w: %w (on Debian: apt-get install qemu-system-x86)", ErrNoMachine, err)
	}
	return exec.Command(qemu,
		"-name", runDir, // to be found by
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none",
		// Every instruction emulated: runs anywhere. All CPUs in one thread: with a
		// thread each, one can run code that the kernel is patching on another (static
		// keys at boot), which does not happen to a real CPU; with the host busy, one
		// boot of ten panicked with "Oops: int3".
		"-accel", "tcg,thread=single", "-cpu", "max",
		"-smp", strconv.Itoa(j.CPUs), "-m", strconv.Itoa(j.MemMiB),
		"-kernel", j.Kernel.image(), "-initrd", rootfs,
		"-append", "console=ttyS0 panic=-1 quiet",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-device", "virtio-serial-pci", "-chardev", "socket,id=channel,fd="+channel,
		"-device", "virtserialport,nr=1,chardev=channel,name=hdbench.lab",
		"-device", "virtio-rng-pci",
	), nil
}
