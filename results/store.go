package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hdbench/internal/measure"
)

// Names of the files in a results folder.
const (
	FileEnvironment = "environment.json"
	FileScenario    = "scenario.yaml"
	FileTrials      = "trials.jsonl"
	FileBench       = "bench.txt"
	FileReport      = "report.md"
	FilePage        = "report.html"
	DirPlots        = "plots"
	DirProfiles     = "profiles"
)

// maxRecord bounds one line of trials.jsonl: an hour's intervals and histograms
// are a few MiB.
const maxRecord = 64 << 20

// Store is a results folder that is being written. Trials are appended, each
// synced to disk before Append returns, so that what a sweep has measured
// survives its being killed.
type Store struct {
	dir string
	f   *os.File
}

// Create makes a results folder. The directory may exist if it is empty. On an
// error nothing is left behind that was not there.
func Create(dir string, env Environment, scenario []byte) (_ *Store, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				os.RemoveAll(dir)
			}
		}()
	case err != nil:
		return nil, err
	case len(entries) > 0:
		return nil, fmt.Errorf("%s: the folder is not empty; choose another, or continue a sweep with --resume %s", dir, dir)
	}
	env.Schema = SchemaVersion
	b, err := json.MarshalIndent(env, "", "  ")
	if err != nil {
		return nil, err
	}
	// The environment is written last but one: a folder that has it has a scenario.
	for _, w := range []struct {
		name string
		b    []byte
	}{{FileScenario, scenario}, {FileEnvironment, append(b, '\n')}} {
		if err := WriteFile(filepath.Join(dir, w.name), w.b); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, FileTrials), os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return locked(dir, f)
}

// Append opens an existing results folder for more trials, repairing a last line
// that was torn when a sweep was killed in the midst of writing it.
func Append(dir string) (*Store, error) {
	if _, err := readEnvironment(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, FileTrials), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	s, err := locked(dir, f)
	if err != nil {
		return nil, err
	}
	if err := s.repair(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// locked makes sure that one sweep writes at a time.
func locked(dir string, f *os.File) (*Store, error) {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: another sweep is writing to this folder", dir)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return &Store{dir: dir, f: f}, nil
}

// repair cuts off what follows the last whole line.
func (s *Store) repair() error {
	b, err := os.ReadFile(s.f.Name())
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	if whole == len(b) {
		return nil
	}
	if err := s.f.Truncate(int64(whole)); err != nil {
		return fmt.Errorf("repair %s: %w", s.f.Name(), err)
	}
	return s.f.Sync()
}

// Dir is the folder.
func (s *Store) Dir() string { return s.dir }

// Append writes a record and syncs it to disk.
func (s *Store) Append(t *Trial) error {
	t.Schema = SchemaVersion
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("record of trial %s: %w", t.ID, err)
	}
	before, err := s.f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := s.f.Write(append(b, '\n')); err != nil {
		// Do not leave half a record (the disk may be full): cut it off again.
		return errors.Join(fmt.Errorf("write %s: %w", s.f.Name(), err), s.f.Truncate(before))
	}
	if err := s.f.Sync(); err != nil {
		// What of it is on the disk is not known: a resumed sweep makes it again.
		return errors.Join(fmt.Errorf("sync %s: %w", s.f.Name(), err), s.f.Truncate(before))
	}
	return nil
}

// Close ends the writing.
func (s *Store) Close() error { return s.f.Close() }

// Set is everything a results folder holds.
type Set struct {
	Dir         string
	Environment Environment
	Scenario    []byte // scenario.yaml as it stands
	Trials      []*Trial
	Warnings    []string // what had to be passed over
	// Examinations are what doctor found before each part of the sweep; none in
	// folders older than it.
	Examinations []*measure.Examination
	// Plan is what the sweep set out to do; nil where that is not known.
	Plan *Plan
}

// Open reads a results folder. A torn last line is passed over and said; any
// other damage is an error that names the line.
func Open(dir string) (*Set, error) {
	env, err := readEnvironment(dir)
	if err != nil {
		return nil, err
	}
	set := &Set{Dir: dir, Environment: env}
	if set.Scenario, err = os.ReadFile(filepath.Join(dir, FileScenario)); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if set.Examinations, err = readExaminations(dir); err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, FileTrials))
	if errors.Is(err, fs.ErrNotExist) {
		return set, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return set, set.read(f)
}

// read takes the records from a trials.jsonl.
func (s *Set) read(r io.Reader) error {
	latest := map[string]int{} // a trial that was repeated counts once: the last time
	br := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		line, err := readLine(br)
		if len(line) == 0 && err == io.EOF {
			return nil
		}
		where := fmt.Sprintf("%s:%d", filepath.Join(s.Dir, FileTrials), n)
		if err == io.EOF {
			s.Warnings = append(s.Warnings, fmt.Sprintf("%s: the last record is torn and was left out (a sweep was killed while writing it)", where))
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		t := new(Trial)
		if err := json.Unmarshal(line, t); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if i, again := latest[t.ID]; again {
			s.Trials[i] = t
			continue
		}
		latest[t.ID] = len(s.Trials)
		s.Trials = append(s.Trials, t)
	}
}

func readLine(br *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxRecord {
			return nil, fmt.Errorf("a record of more than %d bytes", maxRecord)
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

func readEnvironment(dir string) (Environment, error) {
	var env Environment
	b, err := os.ReadFile(filepath.Join(dir, FileEnvironment))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			if _, err := os.Stat(filepath.Join(dir, FileTrials)); err == nil {
				return env, fmt.Errorf("%s: %w any more: it has trials but no %s, so nobody knows where and with what they were made; put that file back", dir, ErrNotAFolder, FileEnvironment)
			}
			return env, fmt.Errorf("%s: %w: it has no %s", dir, ErrNotAFolder, FileEnvironment)
		}
		return env, err
	}
	if err := json.Unmarshal(b, &env); err != nil {
		return env, fmt.Errorf("%s: %w", filepath.Join(dir, FileEnvironment), err)
	}
	if env.Schema != SchemaVersion {
		return env, fmt.Errorf("%s: %w: schema %d, this hdbench reads %d", filepath.Join(dir, FileEnvironment), ErrSchema, env.Schema, SchemaVersion)
	}
	return env, nil
}

// WriteFile writes a file whole or not at all.
func WriteFile(name string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already if all went well
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}
