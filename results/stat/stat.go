// Package stat is the statistics of a report: means with their intervals, tests of
// a difference, the highest of several rates, change points, periods.
//
// Numbers flow in and numbers flow out. It knows no record, no point and no unit,
// and writes no text. What cannot be said of so few values is NaN.
package stat
