// Limitstest plants what stops a relay, and holds the limit that a sweep names
// against it: right in 95 of 100, wrong in 2 of 100 at most, else "unclear". It also
// throttles and stops the client, and checks that what that spoils is marked, and
// nothing else.
//
// In go bin/hdbench and bin/derper-…, run as a user would; out come tables, and exit
// code 1 if a promise does not hold. make limits-selftest runs it, as root: quotas
// are cgroups of its own, links namespaces of its own, and both are gone with it.
package main
