package derp

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func newKey(t testing.TB) PrivateKey {
	t.Helper()
	k, err := GeneratePrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeyReadsBack(t *testing.T) {
	k := newKey(t).Public()
	got, err := ParseKey(k.String())
	if err != nil || got != k {
		t.Fatalf("ParseKey(%q) = %v, %v", k.String(), got, err)
	}
	for _, bad := range []string{"", "ab", strings.Repeat("g", 64), strings.Repeat("0", 66)} {
		if k, err := ParseKey(bad); err == nil || k != (Key{}) {
			t.Errorf("ParseKey(%q) = %v, %v; want an error", bad, k, err)
		}
	}
}

func TestGeneratePrivateKeyFailsWithoutRandomness(t *testing.T) {
	if _, err := GeneratePrivateKey(strings.NewReader("short")); err == nil {
		t.Fatal("no error from a reader that ends early")
	}
}

// The wire bytes are fixed by the protocol; these were captured from derper.
func TestFrameBytes(t *testing.T) {
	var k Key
	for i := range k {
		k[i] = byte(i)
	}
	got := AppendServerKey(nil, k)
	want := append([]byte{1, 0, 0, 0, 40, 0x44, 0x45, 0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91}, k[:]...)
	if !bytes.Equal(got, want) {
		t.Fatalf("server key frame\n% x, want\n% x", got, want)
	}
	f := AppendFrame(nil, FrameSendPacket, append(k[:], "data"...))
	src := Key{0: 0xff, 31: 0xee}
	RewriteSend(f, &src)
	if !bytes.Equal(f, AppendFrame(nil, FrameRecvPacket, append(src[:], "data"...))) {
		t.Fatalf("rewritten frame is % x", f)
	}
}

func TestCodecDoesNotAllocate(t *testing.T) {
	b := make([]byte, MaxPacketFrame)
	src := newKey(t).Public()
	var c Carry
	c.Save(b[:1500])
	n := testing.AllocsPerRun(100, func() {
		PutHeader(b, FrameSendPacket, 1432)
		if _, _, ok := ParseHeader(b); !ok {
			t.Fatal("no header")
		}
		RewriteSend(b, &src)
		c.Save(b[:c.Load(b)])
	})
	if n != 0 {
		t.Fatalf("%v allocations a packet", n)
	}
}

func TestCarryGivesLargeBuffersBack(t *testing.T) {
	var c Carry
	c.Save(make([]byte, 60<<10))
	if c.Len() != 60<<10 {
		t.Fatalf("holds %d bytes", c.Len())
	}
	c.Save(nil)
	if c.Len() != 0 || cap(c.buf) > keep {
		t.Fatalf("empty, holds on to %d bytes", cap(c.buf))
	}
}

// login runs both sides of a login over a pipe, the client's reads as slow as
// wrap makes them.
func login(t *testing.T, fastStart bool, wrap func(io.Reader) io.Reader) {
	t.Helper()
	server, client := newKey(t), newKey(t)
	cc, sc := net.Pipe()
	defer cc.Close()
	defer sc.Close()
	type result struct {
		key  Key
		info ClientInfo
		err  error
	}
	done := make(chan result, 1)
	go func() {
		br := bufio.NewReader(sc)
		req, err := http.ReadRequest(br)
		if err != nil {
			done <- result{err: err}
			return
		}
		up, fast := IsUpgrade(req)
		if !up || fast != fastStart {
			done <- result{err: errors.New("not the upgrade asked for")}
			return
		}
		if !fast {
			if err := WriteUpgradeResponse(sc, server.Public()); err != nil {
				done <- result{err: err}
				return
			}
		}
		key, info, si, err := ServerLogin(br, sc, server)
		if err == nil {
			_, err = sc.Write(si)
		}
		done <- result{key, info, err}
	}()

	if err := WriteUpgradeRequest(cc, "relay.example", fastStart); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(wrap(cc))
	if !fastStart {
		if err := ReadUpgradeResponse(br); err != nil {
			t.Fatal(err)
		}
	}
	info := ClientInfo{Version: Version, CanAckPings: true, AppName: "test"}
	got, si, err := ClientLogin(br, cc, client, info)
	if err != nil {
		t.Fatal(err)
	}
	if got != server.Public() || si.Version != Version {
		t.Errorf("client sees server %v, info %+v", got, si)
	}
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	if r.key != client.Public() || r.info != info {
		t.Errorf("server sees client %v, info %+v", r.key, r.info)
	}
}

func TestLogin(t *testing.T) {
	whole := func(r io.Reader) io.Reader { return r }
	t.Run("upgrade", func(t *testing.T) { login(t, false, whole) })
	t.Run("fast start", func(t *testing.T) { login(t, true, whole) })
	t.Run("byte by byte", func(t *testing.T) { login(t, false, iotest.OneByteReader) })
}

func TestLoginRefusesAnotherKey(t *testing.T) {
	server, client, other := newKey(t), newKey(t), newKey(t)
	payload, err := SealClientInfo(client, server.Public(), ClientInfo{Version: Version})
	if err != nil {
		t.Fatal(err)
	}
	pub := other.Public()
	copy(payload, pub[:])
	if _, _, err := OpenClientInfo(server, payload); !errors.Is(err, ErrProtocol) {
		t.Fatalf("a box sealed with another key opens: %v", err)
	}
}

func TestNotDERP(t *testing.T) {
	for name, answer := range map[string]string{
		"plain answer":  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"not HTTP":      "SSH-2.0-OpenSSH_9.2\r\n",
		"other upgrade": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
	} {
		if err := ReadUpgradeResponse(bufio.NewReader(strings.NewReader(answer))); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", name, err)
		}
	}
	for name, greeting := range map[string][]byte{
		"another frame": AppendFrame(nil, FramePong, make([]byte, 8)),
		"no magic":      AppendFrame(nil, FrameServerKey, make([]byte, 40)),
		"too long":      AppendFrame(nil, FrameServerKey, make([]byte, 2<<10)),
	} {
		if _, _, err := ClientLogin(bytes.NewReader(greeting), io.Discard, newKey(t), ClientInfo{}); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want ErrProtocol", name, err)
		}
	}
}

func TestServerKeyMayBeLonger(t *testing.T) {
	k := newKey(t).Public()
	_, payload, err := ReadFrame(bytes.NewReader(AppendServerKey(nil, k)), nil, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseServerKey(append(payload, "and more"...))
	if err != nil || got != k {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestDisco(t *testing.T) {
	long := discoMagic + strings.Repeat("x", KeyLen+NonceLen)
	if !IsDisco([]byte(long)) || IsDisco([]byte(long[:len(long)-1])) || IsDisco([]byte("x"+long)) {
		t.Fatal("a disco message is magic, key, nonce and box, no less")
	}
}

// split feeds b to fn in chunks whose lengths come from cuts.
func split(b, cuts []byte, fn func([]byte)) {
	for i := 0; len(b) > 0; i++ {
		n := 1
		if len(cuts) > 0 {
			n = int(cuts[i%len(cuts)]) + 1
		}
		n = min(n, len(b))
		fn(b[:n])
		b = b[n:]
	}
}

// FuzzFrames checks that frames come out the same however the stream is cut.
func FuzzFrames(f *testing.F) {
	f.Add(AppendFrame(AppendFrame(nil, FramePing, make([]byte, 8)), FrameSendPacket, make([]byte, 100)), []byte{0, 3, 200})
	f.Add([]byte{4, 0, 0, 0, 0, 4, 255, 255, 255, 255}, []byte{1})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		next := func(b []byte) int { // length of the whole frame at the start of b, or 0
			_, n, ok := ParseHeader(b)
			if !ok || n < 0 || len(b)-HeaderLen < n {
				return 0
			}
			return HeaderLen + n
		}
		var want []string
		rest := stream
		for n := next(rest); n > 0; n = next(rest) {
			want = append(want, string(rest[:n]))
			rest = rest[n:]
		}

		var got []string
		var c Carry
		buf := make([]byte, len(stream)+1)
		split(stream, cuts, func(chunk []byte) {
			b := buf[:c.Load(buf)+copy(buf[c.Len():], chunk)]
			for n := next(b); n > 0; n = next(b) {
				got = append(got, string(b[:n]))
				b = b[n:]
			}
			c.Save(b)
		})
		if len(got) != len(want) {
			t.Fatalf("%d frames in chunks, %d in one piece", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("frame %d differs", i)
			}
		}
		if c.Len() != len(rest) {
			t.Fatalf("%d bytes left over, want %d", c.Len(), len(rest))
		}
	})
}

// chunked reads as the cuts have it.
type chunked struct {
	b, cuts []byte
	i       int
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := 1
	if len(c.cuts) > 0 {
		n = int(c.cuts[c.i%len(c.cuts)]) + 1
	}
	c.i++
	n = copy(p[:min(n, len(p))], c.b)
	c.b = c.b[n:]
	return n, nil
}

// FuzzClientLogin feeds a client whatever a server might say.
func FuzzClientLogin(f *testing.F) {
	server, client := ClampKey([KeyLen]byte{1}), ClampKey([KeyLen]byte{2})
	si, err := SealServerInfo(server, client.Public(), ServerInfo{Version: Version})
	if err != nil {
		f.Fatal(err)
	}
	good := AppendFrame(AppendServerKey(nil, server.Public()), FrameServerInfo, si)
	f.Add(good, []byte{0})
	f.Add(append([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n"), good...), []byte{7})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		br := bufio.NewReader(&chunked{b: stream, cuts: cuts})
		if err := ReadUpgradeResponse(br); err != nil && !errors.Is(err, ErrProtocol) {
			t.Fatalf("upgrade: %v, want ErrProtocol", err)
		}
		key, _, err := ClientLogin(&chunked{b: stream, cuts: cuts}, io.Discard, client, ClientInfo{})
		if err == nil && key != server.Public() {
			t.Fatalf("logged in with %v", key)
		}
	})
}

// FuzzServerLogin feeds a server whatever a client might say.
func FuzzServerLogin(f *testing.F) {
	server, client := ClampKey([KeyLen]byte{1}), ClampKey([KeyLen]byte{2})
	ci, err := SealClientInfo(client, server.Public(), ClientInfo{Version: Version})
	if err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteUpgradeRequest(&b, "x", true); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes(), []byte{3})
	f.Add(AppendFrame(nil, FrameClientInfo, ci), []byte{0})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		if req, err := http.ReadRequest(bufio.NewReader(&chunked{b: stream, cuts: cuts})); err == nil {
			IsUpgrade(req)
		}
		key, _, si, err := ServerLogin(&chunked{b: stream, cuts: cuts}, io.Discard, server)
		if err == nil && (key != client.Public() || len(si) == 0) {
			t.Fatalf("logged in as %v", key)
		}
		if err != nil && si != nil {
			t.Fatal("a failed login has an answer")
		}
	})
}

func BenchmarkRewrite(b *testing.B) {
	f := AppendFrame(nil, FrameSendPacket, make([]byte, KeyLen+1400))
	src := newKey(b).Public()
	b.SetBytes(int64(len(f)))
	b.ReportAllocs()
	for b.Loop() {
		f[0] = byte(FrameSendPacket)
		RewriteSend(f, &src)
	}
}

// The key of a login's boxes is of no use after the login, and is wiped. It is the
// same from both sides.
func TestTheSharedKeyOfALoginIsWiped(t *testing.T) {
	a, b := PrivateKey{1: 1, 31: 64}, PrivateKey{1: 2, 31: 64}
	var lent [2]*[KeyLen]byte
	var was [2][KeyLen]byte
	for i, side := range []struct{ own, other PrivateKey }{{a, b}, {b, a}} {
		withSharedKey(side.own, side.other.Public(), func(shared *[KeyLen]byte) { lent[i], was[i] = shared, *shared })
		if *lent[i] != [KeyLen]byte{} {
			t.Errorf("still there: %x", *lent[i])
		}
	}
	if was[0] != was[1] || was[0] == [KeyLen]byte{} {
		t.Errorf("the sides have %x and %x", was[0], was[1])
	}
}
