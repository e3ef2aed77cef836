// Package results is what came out: the records of trials, the folder they are
// kept in, and everything made from them: statistics, ceilings, comparisons,
// tables, reports and the benchmark format.
//
// Records flow in from the runner, one per trial; text flows out. Everything but
// the records is derived and can be made again on a machine that never ran a
// trial: this package imports nothing that runs traffic, and it never changes or
// invents a number. What could not be measured is n/a, with the reason.
package results

import "errors"

// SchemaVersion is the version of the records this package writes and reads.
const SchemaVersion = 1

// ErrSchema means that a folder or a record was written by another version.
var ErrSchema = errors.New("written with another schema")

// ErrNotAFolder means that a directory is not a results folder.
var ErrNotAFolder = errors.New("not a results folder")
