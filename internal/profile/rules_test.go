package profile

import (
	"strings"
	"testing"

	"hdbench/internal/measure"
)

func builtIn(t *testing.T) *Rules {
	t.Helper()
	r, err := LoadRules("")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// stackOf makes a stack of function names, innermost first; of the kernel with
// "k:", of a module with "name@module".
func stackOf(names ...string) []Frame {
	var frames []Frame
	for _, n := range names {
		var f Frame
		n, f.Kernel = strings.CutPrefix(n, "k:")
		f.Name, f.Module, _ = strings.Cut(n, "@")
		if f.Module == "" {
			f.Module = "relay"
			if f.Kernel {
				f.Module = moduleKernel
			}
		}
		f.own = f.Module == "relay"
		frames = append(frames, f)
	}
	return frames
}

// The functions of the published CPU table fall into its categories.
func TestPublishedFunctionsAreInTheirCategories(t *testing.T) {
	c := newCategorizer(builtIn(t))
	for name, want := range map[string]string{
		"k:aes_gcm_dec":          "kernel crypto",
		"k:aes_gcm_enc":          "kernel crypto",
		"k:rep_movs_alternative": "kernel copy",
		"k:skb_release_data":     "kernel SKB",
		"ForwardMsg":             "user relay",
		"k:memset_orig":          "kernel alloc",
	} {
		if got := c.category(stackOf(name)); got != want {
			t.Errorf("%s is in %q, want %q", name, got, want)
		}
	}
}

func TestCategories(t *testing.T) {
	c := newCategorizer(builtIn(t))
	for _, tt := range []struct {
		stack string // innermost first
		want  string
	}{
		// the function itself decides
		{"k:tcp_sendmsg_locked k:tcp_sendmsg k:do_syscall_64 syscall.write", "TCP/IP"},
		{"k:kmem_cache_alloc_node_noprof k:__alloc_skb k:tcp_sendmsg_locked", "kernel alloc"},
		{"k:skb_clone k:__tcp_transmit_skb", "kernel SKB"},
		{"k:__alloc_skb k:tcp_sendmsg_locked", "kernel SKB"},
		{"k:net_rx_action k:handle_softirqs", "softirq, NIC and loopback"},
		{"k:loopback_xmit", "softirq, NIC and loopback"},
		{"k:ep_poll_callback k:__wake_up_common", "epoll and poll"},
		{"k:tls_sw_sendmsg@[tls]", "kernel TLS"},
		{"k:something_new@[tls]", "kernel TLS"},
		{"k:aesni_gcm_enc_update@[aesni_intel]", "kernel crypto"},
		{"k:gf128mul_x8_ble k:tls_push_record", "kernel crypto"},
		{"k:try_to_wake_up", "scheduling and wake-ups"},
		{"k:futex_wake", "futex"},
		{"k:io_issue_sqe k:io_submit_sqes", "io_uring"},
		{"k:hrtimer_start_range_ns", "timers and clocks"},
		{"k:native_write_msr k:x2apic_send_IPI", "interrupts and hypervisor"},
		{"k:clear_page_erms k:handle_mm_fault", "kernel alloc"},
		{"k:handle_mm_fault k:exc_page_fault", "page faults and memory maps"},
		{"k:native_queued_spin_lock_slowpath k:tcp_v4_rcv", "locks and RCU"},
		{"k:entry_SYSCALL_64_after_hwframe", "syscall entry"},
		{"k:do_syscall_64", "syscall entry"},
		{"k:fdget k:__sys_sendto", "sockets and files"},
		// what everybody calls is the caller's
		{"k:_raw_spin_lock_bh k:lock_sock_nested k:tcp_recvmsg", "TCP/IP"},
		{"k:_raw_spin_unlock_irqrestore k:sock_def_readable k:tcp_data_queue", "scheduling and wake-ups"},
		{"k:__memcpy k:skb_copy_bits", "kernel SKB"},
		{"k:__memcpy k:crypto_aead_encrypt", "kernel crypto"},
		{"k:its_return_thunk k:tcp_ack", "TCP/IP"},
		{"k:a_new_helper k:tcp_ack", "TCP/IP"},
		// and without one it is what it is
		{"k:__memcpy", "kernel copy"},
		{"k:_raw_spin_lock", "locks and RCU"},
		// the kernel's time is not the caller's in user space
		{"k:a_new_helper k:another hdbench/relay.(*worker).forward", "unknown"},
		{"k:__memcpy crypto/tls.(*Conn).Write", "kernel copy"},
		// hd
		{"hdbench/relay.(*worker).forward hdbench/relay.(*worker).run", "user relay"},
		{"crypto/internal/fips140/aes/gcm.gcmAesEnc hdbench/internal/tlsrec.(*Writer).Seal", "user crypto"},
		{"hdbench/internal/tlsrec.(*Writer).Seal", "user TLS"},
		{"runtime.memmove hdbench/relay.(*worker).forward", "user copy"},
		{"internal/runtime/syscall/linux.Syscall6 syscall.write", "system call stubs"},
		// derper
		{"tailscale.com/derp/derpserver.(*sclient).handleFrameSendPacket", "user relay"},
		{"bufio.(*Reader).Read tailscale.com/derp.ReadFrame", "Go net and I/O"},
		{"runtime.gcDrain runtime.gcBgMarkWorker", "Go garbage collector"},
		{"runtime.mallocgcSmallNoscan runtime.newobject main.x", "Go memory"},
		{"runtime.selectgo main.x", "Go scheduler"},
		{"internal/runtime/maps.(*Map).getWithKey main.x", "Go maps"},
		{"runtime.step runtime.pcvalue runtime.scanstack", "Go garbage collector"},
		{"runtime.ifaceE2T", "Go runtime, other"},
		{"clock_gettime@[vdso]", "libc and vdso"},
		{"go4.org/mem.RO.Len", "user relay"},
		// Hyper-DERP
		{"hyper_derp::Worker::Run", "user relay"},
		{"hyper_derp::ForwardMsg", "user relay"},
		{"SSL_write@libssl.so.3", "user TLS"},
		{"@libcrypto.so.3 SSL_write@libssl.so.3", "user crypto"},
		{"EVP_EncryptUpdate@libcrypto.so.3", "user crypto"},
		{"io_uring_submit@liburing.so.2", "system call stubs"},
		{"__memmove_avx_unaligned_erms@libc.so.6 hyper_derp::Send", "user copy"},
		{"malloc@libc.so.6", "libc and vdso"},
		{"std::_Hashtable::find", "C++ runtime"},
		{"Worker::Loop", "user relay"},
		// nobody knows
		{"@relay", "unknown"},
		{"something@libstrange.so", "unknown"},
		{"k:something_strange", "unknown"},
	} {
		if got := c.category(stackOf(strings.Fields(tt.stack)...)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.stack, got, tt.want)
		}
	}
	if got := c.category(nil); got != measure.CategoryUnknown {
		t.Errorf("no stack: %q", got)
	}
}

func TestRulesSayWhatIsWrongAndWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":          "mine.yaml: the file is empty",
		"rules: 5":  "mine.yaml:1: rules: want a list",
		"rule: []":  `mine.yaml:1: key "rule" is not known, want rules`,
		"rules: []": "mine.yaml:1: rules is missing",
		"rules:\n- category: x\n  where: space\n  functions: [a]":                             `mine.yaml:2: x: where is "space", want kernel or user`,
		"rules:\n- category: x\n  where: user":                                                "mine.yaml:2: x: neither functions nor modules",
		"rules:\n- where: user\n  functions: [a]":                                             "mine.yaml:2: category is missing",
		"rules:\n- category: x\n  where: user\n  functions: a":                                "mine.yaml:4: functions: want a list of names",
		"rules:\n- category: x\n  where: user\n  functions: [a]\n  matches: leaf":             `mine.yaml:5: key "matches" is not known, want category, functions, match, modules, where`,
		"rules:\n- category: x\n  where: user\n  functions: [a]\n  match: first":              `mine.yaml:2: x: match is "first", want stack, leaf or last`,
		"rules:\n- category: unknown\n  where: user\n  functions: [a]":                        "mine.yaml:2: category \"unknown\" is what no rule knows",
		"rules:\n- category: [x]\n  where: user\n  functions: [a]\n- category: y\n  where: q": `mine.yaml:5: y: where is "q"`,
		"rules:\n\t- x": "mine.yaml: yaml:",
	} {
		if _, err := ParseRules("mine.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Rules of the user's own stand in the place of those built in.
func TestRulesOfOnesOwn(t *testing.T) {
	r, err := ParseRules("mine.yaml", []byte(`
rules:
- {category: mine, where: user, functions: ["my::*"], modules: ["{binary}"]}
- {category: leaf only, where: user, match: leaf, functions: [other]}
`))
	if err != nil {
		t.Fatal(err)
	}
	c := newCategorizer(r)
	for stack, want := range map[string]string{
		"my::f": "mine", "x my::f": "mine", "my::f@libx.so": "unknown",
		"other": "leaf only", "x other": "unknown",
	} {
		if got := c.category(stackOf(strings.Fields(stack)...)); got != want {
			t.Errorf("%s: %q, want %q", stack, got, want)
		}
	}
	if cats := r.Categories(); len(cats) != 2 || cats[0].Name != "mine" {
		t.Errorf("categories %+v", cats)
	}
}

func FuzzRules(f *testing.F) {
	f.Add([]byte("rules:\n- {category: x, where: user, functions: [a*]}\n"))
	f.Add([]byte("rules: [{modules: ['{binary}', 5]}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRules("x", b)
		if err == nil {
			newCategorizer(r).category(stackOf("a", "k:b"))
		}
	})
}
