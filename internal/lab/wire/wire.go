// Package wire is what a guest of the lab and its host say to each other: frames
// over one byte stream, so that a command's two outputs, the files it leaves and
// its exit code come out exactly as they were, apart from the kernel's console.
//
// The guest speaks and the host listens, but for one byte: when the host has
// everything it says so (Ack), and the guest powers off.
package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Kind is what a frame carries.
type Kind byte

// The kinds, in the order in which a guest sends them.
const (
	Hello  Kind = 1 // JSON: the guest is up; the command begins when it has been sent, not before
	Stdout Kind = 2 // bytes the command wrote
	Stderr Kind = 3
	Files  Kind = 4 // part of a tar archive of the folder of results
	Exit   Kind = 5 // JSON: how the command ended; the last frame
	Failed Kind = 6 // text: why the command could not be run; the last frame
)

// Ack is the host's one byte.
const Ack = 0x06

// MaxPayload bounds a frame.
const MaxPayload = 64 << 10

// HelloMsg says what has booted.
type HelloMsg struct {
	Kernel string `json:"kernel"`
	CPUs   int    `json:"cpus"`
}

// ExitMsg says how the command ended.
type ExitMsg struct {
	Code     int    `json:"code"`             // meaningless if it was killed
	Signal   int    `json:"signal,omitempty"` // that killed it
	TimedOut bool   `json:"timed_out,omitempty"`
	Left     int    `json:"left,omitempty"` // processes still running when it ended
	FilesErr string `json:"files_error,omitempty"`
}

// Config is what the guest is to do; it finds it in its file system.
type Config struct {
	Channel  string        `json:"channel"` // device the frames go to
	Hostname string        `json:"hostname"`
	Modules  []string      `json:"modules"` // files, in the order in which to load them
	Argv     []string      `json:"argv"`
	Env      []string      `json:"env"`
	Dir      string        `json:"dir"`
	Timeout  time.Duration `json:"timeout"` // of the command; 0 is none
	Out      OutKind       `json:"out"`     // how OutDir comes out
}

// Where the guest has things.
const (
	ConfigPath = "/lab/config.json"
	OutDir     = "/out" // what is written here comes out
)

// OutKind is how the folder of results comes out.
type OutKind string

// The ways out.
const (
	OutNone   OutKind = ""
	OutHostfs OutKind = "hostfs" // it is the host's folder itself
	OutTar    OutKind = "tar"    // it is sent when the command has ended
)

// Writer sends frames. Several goroutines may use it.
type Writer struct {
	mu  sync.Mutex
	w   io.Writer
	buf []byte
}

// NewWriter returns a Writer that sends to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Frame sends one frame, or several if the payload is longer than one holds.
func (w *Writer) Frame(k Kind, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		part := payload[:min(len(payload), MaxPayload)]
		payload = payload[len(part):]
		w.buf = binary.BigEndian.AppendUint32(append(w.buf[:0], byte(k)), uint32(len(part)))
		w.buf = append(w.buf, part...)
		if _, err := w.w.Write(w.buf); err != nil {
			return fmt.Errorf("send frame: %w", err)
		}
		if len(payload) == 0 {
			return nil
		}
	}
}

// JSON sends a frame that holds v.
func (w *Writer) JSON(k Kind, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.Frame(k, b)
}

// Stream is an io.Writer that sends all it is given as frames of one kind.
func (w *Writer) Stream(k Kind) io.Writer { return stream{w, k} }

type stream struct {
	w *Writer
	k Kind
}

func (s stream) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.w.Frame(s.k, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Read reads one frame. io.EOF is the end between two frames; an end inside of
// one is io.ErrUnexpectedEOF.
func Read(r io.Reader) (Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	k, n := Kind(head[0]), binary.BigEndian.Uint32(head[1:])
	if k < Hello || k > Failed {
		return 0, nil, fmt.Errorf("frame of kind %d: there is none", k)
	}
	if n > MaxPayload {
		return 0, nil, fmt.Errorf("frame of %d bytes (at most %d)", n, MaxPayload)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r, payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return k, payload, nil
}
