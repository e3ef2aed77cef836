package profile

import (
	"cmp"
	"debug/elf"
	"debug/gosym"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/ianlancetaylor/demangle"
)

// elfFile is a binary or library that is mapped. Its tables are read when the
// first name is asked for.
type elfFile struct {
	path   string
	src    io.ReaderAt
	closer io.Closer
	err    error // it could not be opened or read

	once     sync.Once
	segments []elf.ProgHeader
	symbols  []symbol // by address, none twice
	table    *gosym.Table
	buildID  string // hexadecimal; empty: it has none
}

// symbol is a function of a file or of the kernel.
type symbol struct {
	addr, end uint64
	name      string
	module    string // of the kernel; empty: its core
}

func (f *elfFile) close() error {
	if f.closer == nil {
		return nil
	}
	c := f.closer
	f.closer = nil
	return c.Close()
}

// name is the function at an offset of the file; empty if the file has no name for
// it.
func (f *elfFile) name(offset uint64) string {
	f.once.Do(func() {
		if f.err == nil {
			f.err = f.read()
		}
	})
	addr, ok := f.address(offset)
	if !ok {
		return ""
	}
	if s := findSymbol(f.symbols, addr); s != nil {
		return s.name
	}
	if f.table != nil {
		if fn := f.table.PCToFunc(addr); fn != nil {
			return fn.Name
		}
	}
	return ""
}

// address turns an offset of the file into an address of its symbols, which is
// where the linker wanted it.
func (f *elfFile) address(offset uint64) (uint64, bool) {
	for _, p := range f.segments {
		if offset >= p.Off && offset < p.Off+p.Filesz {
			return offset - p.Off + p.Vaddr, true
		}
	}
	return 0, false
}

func (f *elfFile) read() error {
	if f.src == nil {
		return nil
	}
	e, err := elf.NewFile(f.src)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.path, err)
	}
	for _, p := range e.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			f.segments = append(f.segments, p.ProgHeader)
		}
	}
	f.buildID = buildID(e)
	f.symbols = functions(e)
	if debug := debugFile(f.buildID); debug != "" {
		if d, err := elf.Open(debug); err == nil { // without it there are fewer names
			f.symbols = merge(f.symbols, functions(d))
			d.Close()
		}
	}
	f.table = goTable(e)
	return nil
}

// functions are the functions of a file's symbol tables.
func functions(e *elf.File) []symbol {
	var out []symbol
	for _, table := range []func() ([]elf.Symbol, error){e.Symbols, e.DynamicSymbols} {
		all, err := table()
		if err != nil {
			continue // a file without this table
		}
		for _, s := range all {
			if t := elf.ST_TYPE(s.Info); (t == elf.STT_FUNC || t == elf.STT_GNU_IFUNC) && s.Value > 0 && s.Section != elf.SHN_UNDEF {
				out = append(out, symbol{addr: s.Value, end: s.Value + s.Size, name: readable(s.Name)})
			}
		}
	}
	return merge(out, nil)
}

// readable is a name as its language writes it, without the parameters, and
// without what compilers append to the parts of a function they have split, and
// Go's linker to one that is called from assembly.
func readable(name string) string {
	name = demangle.Filter(name, demangle.NoParams, demangle.NoEnclosingParams, demangle.NoTemplateParams, demangle.NoClones)
	for _, suffix := range []string{".isra.", ".part.", ".constprop.", ".cold", ".llvm.", ".abi0", ".abiinternal"} {
		if at := strings.LastIndex(name, suffix); at > 0 {
			name = name[:at]
		}
	}
	return name
}

// merge sorts functions by address and gives an end to those that have none: the
// beginning of the next. Of several at one address the longest stands, and of
// those the first name.
func merge(a, b []symbol) []symbol {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y symbol) int {
		return cmp.Or(cmp.Compare(x.addr, y.addr), cmp.Compare(y.end, x.end),
			cmp.Compare(strings.Count(x.name, "_"), strings.Count(y.name, "_")), cmp.Compare(x.name, y.name))
	})
	all = slices.CompactFunc(all, func(x, y symbol) bool { return x.addr == y.addr })
	for i := range all {
		if all[i].end <= all[i].addr && i+1 < len(all) {
			all[i].end = all[i+1].addr
		}
	}
	return all
}

// findSymbol is the function an address is in.
func findSymbol(all []symbol, addr uint64) *symbol {
	at, there := slices.BinarySearchFunc(all, addr, func(s symbol, a uint64) int { return cmp.Compare(s.addr, a) })
	if !there {
		at--
	}
	if at < 0 || addr >= all[at].end {
		return nil
	}
	return &all[at]
}

// goTable is the table a Go program carries for its own stack traces: it is there
// when the symbols have been stripped.
func goTable(e *elf.File) *gosym.Table {
	section := func(names ...string) *elf.Section {
		for _, n := range names {
			if s := e.Section(n); s != nil && s.Type != elf.SHT_NOBITS {
				return s
			}
		}
		return nil
	}
	lines, text := section(".gopclntab", ".data.rel.ro.gopclntab"), section(".text")
	if lines == nil || text == nil {
		return nil
	}
	data, err := lines.Data()
	if err != nil {
		return nil
	}
	t, err := gosym.NewTable(nil, gosym.NewLineTable(data, text.Addr))
	if err != nil {
		return nil
	}
	return t
}

// buildID is the GNU build id, or else Go's note.
func buildID(e *elf.File) string {
	for _, section := range []string{".note.gnu.build-id", ".note.go.buildid"} {
		s := e.Section(section)
		if s == nil {
			continue
		}
		b, err := s.Data()
		if err != nil || len(b) < 12 {
			continue
		}
		// Sizes of name and description, type; then both, each filled to 4 bytes.
		name := (uint64(e.ByteOrder.Uint32(b)) + 3) &^ 3
		size := uint64(e.ByteOrder.Uint32(b[4:]))
		if rest := b[12:]; name+size <= uint64(len(rest)) {
			return hex.EncodeToString(rest[name : name+size])
		}
	}
	return ""
}

// debugFile is where distributions put the symbols they have stripped.
func debugFile(id string) string {
	if len(id) < 4 {
		return ""
	}
	return filepath.Join("/usr/lib/debug/.build-id", id[:2], id[2:]+".debug")
}
