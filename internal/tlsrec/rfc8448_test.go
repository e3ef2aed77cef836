package tlsrec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"
)

// The session of RFC 8448, section 3.
const (
	clientSecret = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
	serverSecret = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"

	clientData = "17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 49 15 e4"
	serverData = "17 03 03 00 43 2e 93 7e 11 ef 4a c7 40 e5 38 ad 36 00 5f c4 a4 69 32 fc 32 25 d0 5f 82 aa 1b 36 e3 0e fa f9 7d 90 e6 df fc 60 2d cb 50 1a 59 a8 fc c4 9c 4b f2 e5 f0 a2 1c 00 47 c2 ab f3 32 54 0d d0 32 e1 67 c2 95 5d"

	serverTicket = "17030300de3a6b8f90414a97d6959c3487680de5134a2b240e6cffac116e95d41d6af8f6b580dcf3d11d63c758db289a" +
		"015940252f55713e061dc13e078891a38efbcf5753ad8ef170ad3c7353d16d9da773b9ca7f2b9fa1b6c0d4a3d03f75e0" +
		"9c30ba1e62972ac46f75f7b981be63439b2999ce13064615139891d5e4c5b406f16e3fc181a77ca475840025db2f0a77" +
		"f81b5ab05b94c01346755f69232c86519d86cbeeac87aac347d143f9605d64f650db4d023e70e952ca49fe5137121c74" +
		"bc2697687e248746d6df353005f3bce18696129c8153556b3b6c6779b37bf15985684f"

	clientAlert = "17 03 03 00 13 c9 87 27 60 65 56 66 b7 4d 7f f1 15 3e fd 6d b6 d0 b0 e3"
	serverAlert = "17 03 03 00 13 b5 8f d6 71 66 eb f5 99 d2 47 20 cf be 7e fa 7a 88 64 a9"
)

func payload8448() []byte {
	b := make([]byte, 50)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestKeysOfRFC8448(t *testing.T) {
	for _, c := range []struct{ secret, key, iv string }{
		{clientSecret, "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9"},
		{serverSecret, "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984"},
	} {
		k, err := deriveKeys(AES128GCM, unhex(t, c.secret))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(k.key); got != c.key {
			t.Errorf("key %s, want %s", got, c.key)
		}
		if got := hex.EncodeToString(k.iv[:]); got != c.iv {
			t.Errorf("iv %s, want %s", got, c.iv)
		}
	}
}

// In both directions the trace goes: (a ticket,) data, close_notify.
func TestRecordsOfRFC8448(t *testing.T) {
	server := &Session{Suite: AES128GCM, In: unhex(t, clientSecret), Out: unhex(t, serverSecret)}
	client := &Session{Suite: AES128GCM, In: unhex(t, serverSecret), Out: unhex(t, clientSecret)}
	for _, c := range []struct {
		name    string
		s       *Session
		wire    string
		tickets uint64
	}{
		{"client to server", server, clientData + clientAlert, 0},
		{"server to client", client, serverTicket + serverData + serverAlert, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reader(t, c.s)
			wire := unhex(t, c.wire)
			dst := make([]byte, len(wire))
			n, used, err := r.Open(dst, wire)
			if !errors.Is(err, io.EOF) || used != len(wire) || !bytes.Equal(dst[:n], payload8448()) {
				t.Errorf("%d bytes, %d of %d used, %v: %x", n, used, len(wire), err, dst[:n])
			}
			if r.Records != 1 || r.Bytes != 50 || r.Tickets != c.tickets {
				t.Errorf("counts %d records, %d bytes, %d tickets", r.Records, r.Bytes, r.Tickets)
			}
		})
	}

	w := writer(t, client)
	got := w.Seal(make([]byte, 0, 200), payload8448())
	got = w.SealAlert(got, AlertCloseNotify)
	if want := unhex(t, clientData+clientAlert); !bytes.Equal(got, want) {
		t.Errorf("sealed\n%x, want\n%x", got, want)
	}
}
