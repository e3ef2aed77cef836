package scenarios

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress is told what a sweep is doing. It is told from one goroutine.
type Progress interface {
	// Begin starts a phase of so many steps.
	Begin(phase string, steps int)
	// Step says what is being done now.
	Step(what string)
	// Expect says about how long a step takes, until some have been made.
	Expect(each time.Duration)
	// Done ends the present step.
	Done(outcome string)
	// Fail ends a step in which nothing could be measured.
	Fail(outcome string)
	// Skip leaves out a step that has turned out not to be needed.
	Skip()
	// Note says something once.
	Note(text string)
	// End ends the phase.
	End()
}

// NewProgress shows progress on w: a bar with the present trial and the time left
// on a terminal, plain lines elsewhere.
func NewProgress(w io.Writer) Progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &barProgress{w: w}
	}
	return &lineProgress{w: w, now: time.Now}
}

// barProgress draws a bar.
type barProgress struct {
	w    io.Writer
	bar  *progressbar.ProgressBar
	pace pace
}

func (p *barProgress) Begin(phase string, steps int) {
	p.pace = newPace(time.Now, steps)
	p.bar = progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(p.w),
		progressbar.OptionSetWidth(20),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false), // from all steps, also from those that failed
		progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetDescription(phase),
	)
}

// The bar's own errors are about a terminal that has gone; the sweep goes on.

func (p *barProgress) Step(what string) {
	if left := p.pace.left(); left > 0 {
		what = fmt.Sprintf("%v left, %s", left.Round(time.Second), what)
	}
	p.bar.Describe(what)
}
func (p *barProgress) Expect(each time.Duration) { p.pace.each = each }
func (p *barProgress) Done(string) {
	p.pace.done(false)
	_ = p.bar.Add(1)
}
func (p *barProgress) Fail(string) {
	p.pace.done(true)
	_ = p.bar.Add(1)
}
func (p *barProgress) Skip() {
	p.pace.steps--
	p.bar.ChangeMax(p.bar.GetMax() - 1)
}
func (p *barProgress) Note(text string) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.w, text)
}
func (p *barProgress) End() { _ = p.bar.Finish() }

// lineProgress writes a line for every step.
type lineProgress struct {
	w    io.Writer
	now  func() time.Time
	pace pace
	what string
}

func (p *lineProgress) Begin(phase string, steps int) {
	p.pace = newPace(p.now, steps)
	fmt.Fprintf(p.w, "%s: %d\n", phase, steps)
}

func (p *lineProgress) Step(what string) { p.what = what }

func (p *lineProgress) Expect(each time.Duration) { p.pace.each = each }

func (p *lineProgress) Done(outcome string) { p.ended(outcome, false) }
func (p *lineProgress) Fail(outcome string) { p.ended(outcome, true) }

func (p *lineProgress) ended(outcome string, failed bool) {
	p.pace.done(failed)
	fmt.Fprintf(p.w, "[%d/%d] %s: %s (%v left)\n", p.pace.at, p.pace.steps, p.what, outcome, p.pace.left().Round(time.Second))
}

func (p *lineProgress) Skip()            { p.pace.steps-- }
func (p *lineProgress) Note(text string) { fmt.Fprintln(p.w, text) }
func (p *lineProgress) End()             {}
