package loadgen

import (
	"bytes"
	"hash/crc32"
	"testing"

	"hdbench/internal/derp"
)

// The CRC that a template combines must be the CRC of the payload's bytes.
func TestTemplateSealsLikeTheLibrary(t *testing.T) {
	for _, payload := range []int{headerLen, headerLen + 1, 100, 1400, 9000, derp.MaxPacket} {
		tm := newTemplate(7, payload, 3)
		key := derp.Key{1, 2, 3}
		for slot := range 3 {
			h := header{flow: uint32(slot), kind: kindData, seq: 1 << 33, intended: -5}
			tm.set(slot, &key, h)
			f := tm.frames(3)[slot*tm.size : (slot+1)*tm.size]
			ft, n, _ := derp.ParseHeader(f)
			if ft != derp.FrameSendPacket || n != derp.KeyLen+payload || derp.Key(f[derp.HeaderLen:derp.PacketOverhead]) != key {
				t.Fatalf("payload %d: frame starts with % x", payload, f[:40])
			}
			p := bytes.Clone(f[derp.PacketOverhead:])
			seal(p)
			if !bytes.Equal(p, f[derp.PacketOverhead:]) {
				t.Fatalf("payload %d, slot %d: CRC %x, want %x", payload, slot, f[derp.PacketOverhead:][:4], p[:4])
			}
			if got, v := openPayload(p, 7); v != payloadOK || got != h {
				t.Fatalf("payload %d: reads back as %+v, verdict %d", payload, got, v)
			}
			if _, v := openPayload(p, 8); v != payloadForeign {
				t.Fatalf("another run's packet: verdict %d", v)
			}
		}
		if payload > 2*headerLen && bytes.Equal(tm.buf[tm.size-20:tm.size], tm.buf[2*tm.size-20:2*tm.size]) {
			t.Errorf("payload %d: two slots have the same filler", payload)
		}
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	tm := newTemplate(7, 200, 1)
	tm.set(0, &derp.Key{}, header{seq: 3})
	p := tm.buf[derp.PacketOverhead:]
	for i := range 8 * len(p) {
		p[i/8] ^= 1 << (i % 8)
		if _, v := openPayload(p, 7); v != payloadCorrupt {
			t.Fatalf("bit %d flipped: verdict %d", i, v)
		}
		p[i/8] ^= 1 << (i % 8)
	}
	if _, v := openPayload(p[:len(p)-1], 7); v != payloadCorrupt {
		t.Error("a payload cut short passes")
	}
}

func FuzzPayload(f *testing.F) {
	tm := newTemplate(7, 100, 1)
	tm.set(0, &derp.Key{}, header{seq: 3})
	f.Add(tm.buf[derp.PacketOverhead:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, p []byte) {
		h, v := openPayload(p, 7)
		if v == payloadCorrupt {
			return
		}
		if crc32.Update(0, castagnoli, p[4:]) != crc32.Checksum(p[4:], castagnoli) {
			t.Fatal("checksum")
		}
		q := bytes.Clone(p)
		if v == payloadOK {
			putHeader(q, 7, h)
			seal(q)
			if !bytes.Equal(p, q) {
				t.Fatalf("header % x reads as %+v and is written as % x", p[:headerLen], h, q[:headerLen])
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	tm := newTemplate(7, 1400, 46)
	key := derp.Key{1}
	b.SetBytes(1400)
	b.ReportAllocs()
	var i uint64
	for b.Loop() {
		tm.set(int(i%46), &key, header{flow: 1, seq: i, intended: int64(i)})
		i++
	}
}

func BenchmarkCheck(b *testing.B) {
	tm := newTemplate(7, 1400, 1)
	tm.set(0, &derp.Key{}, header{})
	p := tm.buf[derp.PacketOverhead:]
	b.SetBytes(1400)
	b.ReportAllocs()
	for b.Loop() {
		if _, v := openPayload(p, 7); v != payloadOK {
			b.Fatal(v)
		}
	}
}
