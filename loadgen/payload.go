package loadgen

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"

	"hdbench/internal/derp"
)

// Every payload starts with this header; what follows it is filler. Little
// endian.
//
//	 0  CRC-32C of all that follows
//	 4  magic
//	 8  run: which run the packet belongs to
//	16  flow
//	20  kind
//	24  sequence number in the flow, from 0
//	32  intended send time, CLOCK_MONOTONIC ns of the sender's host
const headerLen = 40

const magic = 0x31424448 // "HDB1"

// kind says what a payload is for.
type kind uint32

const (
	kindData  kind = iota
	kindProbe      // before the run: is the receiver registered?
	kindFin        // after the run: everything of this flow has been sent
	kindEcho       // data that comes back
	kindFinEcho
	kindProbeEcho
)

type header struct {
	flow     uint32
	kind     kind
	seq      uint64
	intended int64
}

// castagnoli is CRC-32C, which the CPU computes.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// putHeader writes a header without its CRC.
func putHeader(p []byte, run uint64, h header) {
	_ = p[headerLen-1]
	binary.LittleEndian.PutUint32(p[4:], magic)
	binary.LittleEndian.PutUint64(p[8:], run)
	binary.LittleEndian.PutUint32(p[16:], h.flow)
	binary.LittleEndian.PutUint32(p[20:], uint32(h.kind))
	binary.LittleEndian.PutUint64(p[24:], h.seq)
	binary.LittleEndian.PutUint64(p[32:], uint64(h.intended))
}

// seal computes the CRC over the whole payload.
func seal(p []byte) {
	binary.LittleEndian.PutUint32(p, crc32.Update(0, castagnoli, p[4:]))
}

// verdict is what a receiver finds a payload to be.
type verdict uint8

const (
	payloadOK verdict = iota
	payloadCorrupt
	payloadForeign // intact, but of another run
)

// openPayload checks a payload and reads its header.
func openPayload(p []byte, run uint64) (header, verdict) {
	if len(p) < headerLen || binary.LittleEndian.Uint32(p) != crc32.Update(0, castagnoli, p[4:]) ||
		binary.LittleEndian.Uint32(p[4:]) != magic {
		return header{}, payloadCorrupt
	}
	h := header{
		flow:     binary.LittleEndian.Uint32(p[16:]),
		kind:     kind(binary.LittleEndian.Uint32(p[20:])),
		seq:      binary.LittleEndian.Uint64(p[24:]),
		intended: int64(binary.LittleEndian.Uint64(p[32:])),
	}
	if binary.LittleEndian.Uint64(p[8:]) != run {
		return h, payloadForeign
	}
	return h, payloadOK
}

// template is one write's worth of frames, built once: types, lengths and filler
// are in place, and for each packet only the key and the header are written.
//
// The CRC covers the filler, yet the filler is not read again: CRC is affine, so
// crc(header ++ filler) is a linear function of crc(header), the same for every
// filler of one length, xor what the filler gives by itself. The linear function
// is tabulated from the standard library's CRC; each slot has a filler of its
// own, so that a receiver would notice two packets' tails being swapped.
type template struct {
	run     uint64
	size    int // of a frame
	buf     []byte
	fillers []uint32 // by slot: crc32.Update(0, filler)
	lin     [4][256]uint32
}

func newTemplate(run uint64, payload, slots int) *template {
	size := derp.PacketOverhead + payload
	t := &template{run: run, size: size, buf: make([]byte, size*slots), fillers: make([]uint32, slots)}
	rng := rand.New(rand.NewPCG(run, uint64(payload)))
	for i := range slots {
		f := t.buf[i*size : (i+1)*size]
		derp.PutHeader(f, derp.FrameSendPacket, derp.KeyLen+payload)
		filler := f[derp.PacketOverhead+headerLen:]
		for j := range filler {
			filler[j] = byte(rng.Uint32())
		}
		t.fillers[i] = crc32.Update(0, castagnoli, filler)
	}
	filler := t.buf[derp.PacketOverhead+headerLen : size]
	var bit [32]uint32
	for i := range bit {
		bit[i] = crc32.Update(1<<i, castagnoli, filler) ^ t.fillers[0]
	}
	for b := range t.lin {
		for v := range t.lin[b] {
			for i := range 8 {
				if v&(1<<i) != 0 {
					t.lin[b][v] ^= bit[8*b+i]
				}
			}
		}
	}
	return t
}

// set makes slot a packet to dst.
func (t *template) set(slot int, dst *derp.Key, h header) {
	f := t.buf[slot*t.size : (slot+1)*t.size]
	*(*derp.Key)(f[derp.HeaderLen:]) = *dst
	p := f[derp.PacketOverhead:]
	putHeader(p, t.run, h)
	c := crc32.Update(0, castagnoli, p[4:headerLen])
	c = t.lin[0][c&0xff] ^ t.lin[1][c>>8&0xff] ^ t.lin[2][c>>16&0xff] ^ t.lin[3][c>>24] ^ t.fillers[slot]
	binary.LittleEndian.PutUint32(p, c)
}

// frames is the first n slots, ready to be written.
func (t *template) frames(n int) []byte { return t.buf[:n*t.size] }
