// Answertest makes default sweeps in a row, drives every configuration by hand after
// each, and holds the sweeps' answers against that, against one another, and against
// what is promised of them on every machine.
//
// In go bin/hdbench and bin/derper-…, run as a user would; out comes a table, and
// exit code 1 if a promise does not hold. make answer-selftest runs it. It wants a
// machine that has nothing else to do.
package main
