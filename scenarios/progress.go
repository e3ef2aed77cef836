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
	// Done ends the present step.
	Done(outcome string)
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
	w     io.Writer
	bar   *progressbar.ProgressBar
	phase string
}

func (p *barProgress) Begin(phase string, steps int) {
	p.phase = phase
	p.bar = progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(p.w),
		progressbar.OptionSetWidth(20),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetDescription(phase),
	)
}

// The bar's own errors are about a terminal that has gone; the sweep goes on.

func (p *barProgress) Step(what string) { p.bar.Describe(what) }
func (p *barProgress) Done(string)      { _ = p.bar.Add(1) }
func (p *barProgress) Skip()            { p.bar.ChangeMax(p.bar.GetMax() - 1) }
func (p *barProgress) Note(text string) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.w, text)
}
func (p *barProgress) End() { _ = p.bar.Finish() }

// lineProgress writes a line for every step.
type lineProgress struct {
	w         io.Writer
	now       func() time.Time
	phase     string
	steps, at int
	began     time.Time
	what      string
}

func (p *lineProgress) Begin(phase string, steps int) {
	p.phase, p.steps, p.at, p.began = phase, steps, 0, p.now()
	fmt.Fprintf(p.w, "%s: %d\n", phase, steps)
}

func (p *lineProgress) Step(what string) { p.what = what }

func (p *lineProgress) Done(outcome string) {
	p.at++
	left := time.Duration(float64(p.now().Sub(p.began)) / float64(p.at) * float64(p.steps-p.at))
	fmt.Fprintf(p.w, "[%d/%d] %s: %s (%v left)\n", p.at, p.steps, p.what, outcome, left.Round(time.Second))
}

func (p *lineProgress) Skip()            { p.steps-- }
func (p *lineProgress) Note(text string) { fmt.Fprintln(p.w, text) }
func (p *lineProgress) End()             {}
