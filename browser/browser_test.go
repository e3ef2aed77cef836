// Package browser holds the HTML report against a real browser: Chromium, without
// a window. It reads the pages that the tests of results keep as goldens, so it
// needs nothing of hdbench; it is a module of its own so that the binary's module
// does not know what drives a browser.
//
// The pages must make no error, ask for nothing, stand without a horizontal
// scroll bar at the width of a telephone and of a laptop, sort, filter, say their
// values, and turn dark. With -screenshots DIR they are photographed for the eye.
package browser

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

var screenshots = flag.String("screenshots", "", "folder to put pictures of the pages into")

var pages = []string{"report.html", "published.html", "profile.html"}

// browse starts a Chromium on a page. Whatever the page says to the console and
// whatever it asks for is an error when the test ends.
func browse(t *testing.T, file string) context.Context {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../results/testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(chromium(t)))
	if os.Geteuid() == 0 { // Chromium's sandbox refuses root
		opts = append(opts, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)

	var mu sync.Mutex
	var complaints []string
	complain := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		complaints = append(complaints, fmt.Sprintf(format, args...))
	}
	address := "file://" + path
	err = chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			complain("exception: %s at %d:%d", ev.ExceptionDetails.Text, ev.ExceptionDetails.LineNumber, ev.ExceptionDetails.ColumnNumber)
		case *runtime.EventConsoleAPICalled:
			complain("console: %s", ev.Type)
		case *log.EventEntryAdded:
			complain("log: %s: %s", ev.Entry.Level, ev.Entry.Text)
		case *network.EventRequestWillBeSent:
			if url, _, _ := strings.Cut(ev.Request.URL, "#"); url != address {
				complain("the page asks for %s", ev.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range complaints {
			t.Errorf("%s: %s", file, c)
		}
	})
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(address))
	return ctx
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium: scripts/setup.sh chromium installs it")
	return ""
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// get is what an action returns.
func get[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// eval is what a piece of JavaScript returns.
func eval[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	return get(t, ctx, chromedp.Evaluate[T](js))
}

// frames waits until the page has been drawn twice: what was scrolled has come to
// rest.
func frames(t *testing.T, ctx context.Context) {
	t.Helper()
	get(t, ctx, chromedp.Evaluate[bool](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, chromedp.EvalAwaitPromise))
}

// media has the page shown as on a medium, to somebody who prefers a scheme.
func media(medium, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

func scripts(on bool) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	})
}

func save(t *testing.T, name string, b []byte) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// shoot photographs the whole page.
func shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	png := get(t, ctx, chromedp.FullScreenshot(100))
	if len(png) < 10_000 {
		t.Errorf("%s: a picture of %d bytes shows nothing", name, len(png))
	}
	save(t, name+".png", png)
}

func TestNoHorizontalScroll(t *testing.T) {
	for _, file := range pages {
		ctx := browse(t, file)
		for _, width := range []int64{390, 1280} {
			do(t, ctx, chromedp.EmulateViewport(width, 900))
			if got := eval[int64](t, ctx, `document.documentElement.scrollWidth`); got > width {
				t.Errorf("%s is %d wide in a window of %d", file, got, width)
			}
			out := eval[[]string](t, ctx, `Array.from(document.querySelectorAll("body *"))
				.filter(e => e.getClientRects().length && !e.closest(".scroll, pre, .skip") && e.getBoundingClientRect().right > innerWidth + 1)
				.map(e => e.tagName + " " + e.textContent.slice(0, 40))`)
			if len(out) > 0 {
				t.Errorf("%s at %d: beyond the window: %q", file, width, out)
			}
			shoot(t, ctx, fmt.Sprintf("%s-%d", strings.TrimSuffix(file, ".html"), width))
		}
	}
}

// column are the cells of one column of the first table, as they are shown.
const column = `(head) => {
	const table = document.querySelector("#rate-sweep table");
	const i = Array.from(table.tHead.rows[0].cells).findIndex(c => c.textContent === head);
	return Array.from(table.tBodies[0].rows).filter(r => !r.hidden).map(r => r.cells[i].textContent);
}`

func TestTablesSort(t *testing.T) {
	ctx := browse(t, "report.html")
	read := func(head string) []string { return eval[[]string](t, ctx, fmt.Sprintf("(%s)(%q)", column, head)) }
	press := func(head string) string {
		return eval[string](t, ctx, fmt.Sprintf(`(() => {
			const b = Array.from(document.querySelectorAll("#rate-sweep thead button")).find(b => b.textContent === %q);
			b.click();
			return b.parentElement.getAttribute("aria-sort") || "none";
		})()`, head))
	}
	original := read("Delivered Mbps")
	for _, c := range []struct {
		head, state string
		want        []string
	}{
		{"Delivered Mbps", "ascending", []string{"910", "998", "1000", "1000", "3111", "5000", "5000", "7205", "8000"}},
		{"Delivered Mbps", "descending", []string{"8000", "7205", "5000", "5000", "3111", "1000", "1000", "998", "910"}},
		{"Delivered Mbps", "none", original},
		{"latency p99", "ascending", nil},
		{"Configuration", "ascending", nil},
	} {
		if got := press(c.head); got != c.state {
			t.Errorf("%s: aria-sort %s, want %s", c.head, got, c.state)
		}
		if got := read(c.head); c.want != nil && !slices.Equal(got, c.want) {
			t.Errorf("%s %s: %v, want %v", c.head, c.state, got, c.want)
		}
	}
	if names := read("Configuration"); !slices.IsSorted(names) || len(names) != len(original) {
		t.Errorf("sorted by name: %v", names)
	}
}

func TestTablesFilter(t *testing.T) {
	ctx := browse(t, "report.html")
	all := eval[[]string](t, ctx, fmt.Sprintf("(%s)(%q)", column, "Configuration"))
	const input = chromedp.CSS("#rate-sweep .filter input")
	do(t, ctx, chromedp.SendKeys(input, "derper 5000"))
	got := eval[[]string](t, ctx, fmt.Sprintf("(%s)(%q)", column, "Configuration"))
	if len(got) != 1 || !strings.HasPrefix(got[0], "derper") {
		t.Errorf("derper 5000 leaves %v", got)
	}
	if count := eval[string](t, ctx, `document.querySelector("#rate-sweep .count").textContent`); count != fmt.Sprintf("1 of %d rows", len(all)) {
		t.Errorf("the count says %q", count)
	}
	do(t, ctx, chromedp.SendKeys(input, strings.Repeat(kb.Backspace, len("derper 5000"))))
	if got := eval[[]string](t, ctx, fmt.Sprintf("(%s)(%q)", column, "Configuration")); len(got) != len(all) {
		t.Errorf("an empty filter leaves %d of %d rows", len(got), len(all))
	}
}

// A real pointer over a point, and a tap on it, show its value inside the window.
func TestPlotsSayTheirValues(t *testing.T) {
	for _, width := range []int64{390, 1280} {
		ctx := browse(t, "report.html")
		do(t, ctx, chromedp.EmulateViewport(width, 900))
		at := eval[struct{ X, Y float64 }](t, ctx, `(() => {
			const spot = document.querySelectorAll("#rate-sweep figure rect[data-tip]")[1];
			spot.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
			const r = spot.getBoundingClientRect();
			return {X: r.x + r.width / 2, Y: r.y + r.height / 2};
		})()`)
		frames(t, ctx)
		do(t, ctx, chromedp.MouseEvent("mouseMoved", at.X, at.Y), chromedp.WaitVisible(chromedp.CSS("#tip")))
		text := eval[string](t, ctx, `document.getElementById("tip").textContent`)
		for _, want := range []string{
			"hd tcp 1 worker\noffered 5000 Mbps\ndelivered 5000 Mbps, 95 % CI ±2.72\n4 runs",
			"hd tcp 2 workers\noffered 5000 Mbps\ndelivered 5000 Mbps, 95 % CI ±1.36\n4 runs", // right under it
		} {
			if !strings.Contains(text, want) {
				t.Errorf("at %d the tip lacks %q: %q", width, want, text)
			}
		}
		if out := eval[bool](t, ctx, `(r => r.left < 0 || r.top < 0 || r.right > innerWidth || r.bottom > innerHeight)(document.getElementById("tip").getBoundingClientRect())`); out {
			t.Errorf("at %d the tip is beyond the window", width)
		}
		save(t, fmt.Sprintf("tip-%d.png", width), get(t, ctx, chromedp.CaptureScreenshot()))
		do(t, ctx, chromedp.MouseEvent("mouseMoved", 2, 2), chromedp.WaitNotVisible(chromedp.CSS("#tip")))
		do(t, ctx, chromedp.MouseClickXY(at.X, at.Y), chromedp.WaitVisible(chromedp.CSS("#tip")))
	}
}

const colours = `(() => { const s = getComputedStyle(document.body); return s.backgroundColor + " " + s.color; })()`

func TestLightAndDark(t *testing.T) {
	ctx := browse(t, "report.html")
	do(t, ctx, media("", "light"))
	light := eval[string](t, ctx, colours)
	do(t, ctx, media("", "dark"))
	dark := eval[string](t, ctx, colours)
	if light == dark || !strings.HasPrefix(light, "rgb(255, 255, 255)") {
		t.Errorf("light %s, dark %s", light, dark)
	}
	shoot(t, ctx, "report-dark")
	// Nothing of a drawing may stay black on black: an empty marker has a meaning.
	if black := eval[int](t, ctx, `Array.from(document.querySelectorAll("figure svg path, figure svg text")).filter(e => { const s = getComputedStyle(e); return s.fill === "rgb(0, 0, 0)" || s.stroke === "rgb(0, 0, 0)"; }).length`); black > 0 {
		t.Errorf("%d things in the plots stay black in the dark", black)
	}
	// The button goes through light and dark to the system's again.
	for _, want := range []string{light, dark, dark} {
		do(t, ctx, chromedp.Click(chromedp.CSS("#theme")))
		if got := eval[string](t, ctx, colours); got != want {
			t.Errorf("%s: %s, want %s", eval[string](t, ctx, `document.getElementById("theme").textContent`), got, want)
		}
	}
}

func TestPrints(t *testing.T) {
	ctx := browse(t, "report.html")
	do(t, ctx, media("print", "dark"))
	if shown := eval[[]string](t, ctx, `Array.from(document.querySelectorAll("nav, #theme, .filter")).filter(e => e.getClientRects().length).map(e => e.tagName)`); len(shown) > 0 {
		t.Errorf("on paper there is %v", shown)
	}
	if got := eval[string](t, ctx, colours); got != "rgb(255, 255, 255) rgb(0, 0, 0)" {
		t.Errorf("on paper: %s", got)
	}
	// A4, less its margins: what is wider would be cut off.
	do(t, ctx, chromedp.EmulateViewport(718, 900))
	if cut := eval[[]string](t, ctx, `Array.from(document.querySelectorAll("table, figure svg")).filter(e => e.getBoundingClientRect().right > innerWidth).map(e => Math.round(e.getBoundingClientRect().right) + " " + e.textContent.slice(0, 60))`); len(cut) > 0 {
		t.Errorf("cut off on paper: %q", cut)
	}
	shoot(t, ctx, "report-paper")
	pdf := get(t, ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4)))
	if !strings.HasPrefix(string(pdf), "%PDF") || len(pdf) < 20_000 {
		t.Errorf("a PDF of %d bytes", len(pdf))
	}
	save(t, "report.pdf", pdf)
}

// What a screen reader needs: one first heading, no level left out, headings of
// columns and rows, a name for each picture, region, field and button.
func TestAccessible(t *testing.T) {
	for _, file := range pages {
		ctx := browse(t, file)
		for what, js := range map[string]string{
			"lang":                  `document.documentElement.lang === "en"`,
			"one h1":                `document.querySelectorAll("h1").length === 1`,
			"only h1 and h2":        `document.querySelectorAll("h3, h4, h5, h6").length === 0 && document.querySelectorAll("h2").length >= 9`,
			"th has scope":          `Array.from(document.querySelectorAll("th")).every(h => h.scope === "col" || h.scope === "row")`,
			"rows have headings":    `Array.from(document.querySelectorAll("tbody tr")).every(r => r.cells[0].tagName === "TH")`,
			"pictures have names":   `Array.from(document.querySelectorAll("svg")).every(s => s.getAttribute("role") === "img" && s.getAttribute("aria-label").length > 20) && document.querySelectorAll("svg").length > 0`,
			"regions have names":    `Array.from(document.querySelectorAll("[role=region], nav")).every(s => s.getAttribute("aria-label"))`,
			"fields have labels":    `Array.from(document.querySelectorAll("input")).every(i => i.labels.length === 1)`,
			"buttons have names":    `Array.from(document.querySelectorAll("button")).every(b => b.textContent.trim())`,
			"what scrolls is focus": `Array.from(document.querySelectorAll(".scroll, pre")).every(s => s.tabIndex === 0)`,
			"ids are unique":        `(ids => new Set(ids).size === ids.length)(Array.from(document.querySelectorAll("[id]"), e => e.id))`,
			"links lead somewhere":  `Array.from(document.querySelectorAll("a")).every(a => document.getElementById(a.hash.slice(1)))`,
		} {
			if !eval[bool](t, ctx, js) {
				t.Errorf("%s: %s: no", file, what)
			}
		}
		// Text against its ground, by the formula of WCAG 2: 4.5 at least.
		for _, scheme := range []string{"light", "dark"} {
			do(t, ctx, media("", scheme))
			low := eval[[]string](t, ctx, `(() => {
				const lum = (c) => c.match(/[\d.]+/g).slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
					.reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
				const ground = getComputedStyle(document.body).backgroundColor;
				return Array.from(document.querySelectorAll("p, li, td, th, h1, h2, a, figcaption, caption, button")).filter(e => {
					let bg = e;
					while (bg && getComputedStyle(bg).backgroundColor.startsWith("rgba(0, 0, 0, 0")) bg = bg.parentElement;
					const a = lum(getComputedStyle(e).color), b = lum(bg ? getComputedStyle(bg).backgroundColor : ground);
					return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
				}).map(e => e.tagName + " " + e.textContent.slice(0, 30));
			})()`)
			if len(low) > 0 {
				t.Errorf("%s, %s: too little contrast: %q", file, scheme, low)
			}
		}
	}
}

// Without scripts everything is there but what is pressed.
func TestReadsWithoutScripts(t *testing.T) {
	ctx := browse(t, "report.html")
	do(t, ctx, scripts(false), chromedp.Reload(), scripts(true))
	if n := eval[int](t, ctx, `document.querySelectorAll("#rate-sweep tbody tr").length`); n != 9 {
		t.Errorf("%d rows", n)
	}
	if shown := eval[int](t, ctx, `Array.from(document.querySelectorAll("#theme, .filter, #tip")).filter(e => e.getClientRects().length).length`); shown > 0 {
		t.Errorf("%d controls that do nothing are shown", shown)
	}
}

// The answer and its picture are on the first screen of a laptop and of a telephone:
// nobody has to scroll for them.
func TestTheAnswerIsOnTheFirstScreen(t *testing.T) {
	for _, screen := range []struct{ width, height int64 }{{1280, 800}, {390, 844}} {
		t.Run(fmt.Sprint(screen.width), func(t *testing.T) {
			ctx := browse(t, "report.html")
			do(t, ctx, chromedp.EmulateViewport(screen.width, screen.height))
			frames(t, ctx)
			for _, part := range []string{"#answer table", "#answer figure svg"} {
				bottom := eval[float64](t, ctx, fmt.Sprintf(`document.querySelector(%q).getBoundingClientRect().bottom`, part))
				if bottom > float64(screen.height) {
					t.Errorf("%s ends %.0f px down a screen of %d", part, bottom, screen.height)
				}
			}
			if first := eval[string](t, ctx, `document.querySelector("main section").id`); first != "answer" {
				t.Errorf("the page opens with %s", first)
			}
			if n := eval[int](t, ctx, `document.querySelectorAll("#answer th[title]").length`); n < 5 {
				t.Errorf("%d heads of the answer say what they mean", n)
			}
			if *screenshots != "" {
				shot := get(t, ctx, chromedp.CaptureScreenshot())
				if err := os.WriteFile(filepath.Join(*screenshots, fmt.Sprintf("answer-%d.png", screen.width)), shot, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
