package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestFramesCarryAnythingOfAnyLength(t *testing.T) {
	for _, n := range []int{0, 1, MaxPayload - 1, MaxPayload, MaxPayload + 1, 3*MaxPayload + 7} {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i * 31)
		}
		var b bytes.Buffer
		if err := NewWriter(&b).Frame(Stderr, want); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for {
			k, p, err := Read(&b)
			if err == io.EOF {
				break
			}
			if err != nil || k != Stderr {
				t.Fatalf("%d bytes: kind %d, error %v", n, k, err)
			}
			got = append(got, p...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes came out as %d others", n, len(got))
		}
	}
}

func TestStreamSendsNoEmptyFrame(t *testing.T) {
	var b bytes.Buffer
	if n, err := NewWriter(&b).Stream(Stdout).Write(nil); n != 0 || err != nil || b.Len() != 0 {
		t.Errorf("%d, %v, %d bytes on the wire", n, err, b.Len())
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []byte
		want error // nil: any
	}{
		{"nothing", nil, io.EOF},
		{"half a head", []byte{2, 0, 0}, io.ErrUnexpectedEOF},
		{"half a payload", []byte{2, 0, 0, 0, 4, 'a'}, io.ErrUnexpectedEOF},
		{"no payload", []byte{2, 0, 0, 0, 4}, io.ErrUnexpectedEOF},
		{"no such kind", []byte{99, 0, 0, 0, 0}, nil},
		{"too long", []byte{2, 0xff, 0, 0, 0}, nil},
	} {
		_, _, err := Read(bytes.NewReader(c.in))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
	}
}

// Whatever a broken guest sends, reading it ends, and gives no frame that could
// not have been sent.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	w := NewWriter(&b)
	if err := errors.Join(w.JSON(Hello, HelloMsg{"6.1", 1}), w.Frame(Stdout, []byte("out")), w.JSON(Exit, ExitMsg{Code: 3})); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte{6, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		var again bytes.Buffer
		for {
			k, p, err := Read(r)
			if err != nil {
				break
			}
			if err := NewWriter(&again).Frame(k, p); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.HasPrefix(in, again.Bytes()) {
			t.Errorf("%x was read as %x", in, again.Bytes())
		}
	})
}
