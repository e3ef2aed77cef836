package probe

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/prometheus/procfs"

	"hdbench/internal/measure"
)

// KernelTLS reads the kernel's TLS counters of this network namespace; nil if the
// kernel has none, which is no error.
func KernelTLS() (*measure.KernelTLS, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, err
	}
	s, err := proc.NewTLSStat()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("kernel TLS counters: %w", err)
	}
	return &measure.KernelTLS{
		TxSoftware: uint64(s.TLSTxSw), RxSoftware: uint64(s.TLSRxSw),
		TxDevice: uint64(s.TLSTxDevice), RxDevice: uint64(s.TLSRxDevice),
		DecryptErrors: uint64(s.TLSDecryptError),
	}, nil
}
