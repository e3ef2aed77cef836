package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"hdbench/internal/lab/wire"
)

// session reads what one guest says.
type session struct {
	job   *Job
	start time.Time
	up    func() // called at its hello
}

// ended is an Exit, and how far the guest came.
type ended struct {
	Exit
	begun bool // it said hello: the command is next
	ended bool // it said how the command ended
}

// refusedError is why a guest could not run the command, in its own words.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

// read reads to the last frame.
func (s *session) read(r io.Reader) (ended, error) {
	var e ended
	files := newUnpacker(s.job.Out)
	defer files.close()
	for {
		kind, b, err := wire.Read(r)
		if err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF || errors.Is(err, unix.ECONNRESET) {
				err = errDied
			}
			return e, err
		}
		switch kind {
		case wire.Hello:
			e.begun = true
			var m wire.HelloMsg
			if err := json.Unmarshal(b, &m); err != nil {
				return e, fmt.Errorf("hello: %w", err)
			}
			e.Kernel, e.CPUs, e.Boot = m.Kernel, m.CPUs, time.Since(s.start)
			s.up()
		case wire.Stdout:
			_, err = s.job.Stdout.Write(b)
		case wire.Stderr:
			_, err = s.job.Stderr.Write(b)
		case wire.Files:
			err = files.write(b)
		case wire.Failed:
			return e, &refusedError{string(b)}
		case wire.Exit:
			return s.exit(e, b, files)
		}
		if err != nil {
			return e, err
		}
	}
}

func (s *session) exit(e ended, b []byte, files *unpacker) (ended, error) {
	var m wire.ExitMsg
	if err := json.Unmarshal(b, &m); err != nil {
		return e, fmt.Errorf("exit: %w", err)
	}
	e.Code, e.Signal, e.Left, e.ended = m.Code, m.Signal, m.Left, true
	err := files.close()
	if m.FilesErr != "" {
		err = errors.New(m.FilesErr)
	}
	if err != nil {
		err = fmt.Errorf("the files it left are not all here: %w", err)
	}
	if m.TimedOut {
		err = errors.Join(fmt.Errorf("%w: %s ran for %v", ErrTimeout, s.job.Argv[0], s.job.Timeout), err)
	}
	return e, err
}
