package main

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mattn/go-shellwords"
	"github.com/spf13/cobra"
)

// Every command that the README, the docs and the help show must exist, with the
// flags it is shown with; every make target too.
func TestDocumentedCommandsExist(t *testing.T) {
	files, err := filepath.Glob("../../*.md")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	commands, targets := 0, 0
	for _, file := range append(files, docs...) {
		for _, line := range codeLines(t, file) {
			switch words := strings.Fields(line); {
			case len(words) == 0:
			case words[0] == "make":
				for _, target := range words[1:] {
					if strings.Contains(target, "=") {
						continue
					}
					targets++
					if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).Match(makefile) {
						t.Errorf("%s: make %s: there is no such target", file, target)
					}
				}
			case filepath.Base(words[0]) == "hdbench":
				commands++
				checkCommand(t, file, line)
			}
		}
	}
	if commands < 5 || targets < 4 {
		t.Errorf("only %d commands and %d targets found in the docs", commands, targets)
	}
	eachCommand(newRoot(&streams{}), func(c *cobra.Command) {
		if c.Runnable() && c.HasParent() && c.Name() != "help" && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			checkCommand(t, "help of "+c.CommandPath(), line)
		}
	})
}

// Every link between the README, the docs and files of the repository leads somewhere,
// to a heading where it names one.
func TestLinksLeadSomewhere(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	links := 0
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			path, anchor, _ := strings.Cut(m[1], "#")
			to := file
			if path != "" {
				to = filepath.Join(filepath.Dir(file), path)
			}
			there, err := os.ReadFile(to)
			if info, dir := os.Stat(to); err != nil && (dir != nil || !info.IsDir()) {
				t.Errorf("%s: %s leads nowhere", file, m[1])
			}
			if anchor != "" && !slices.Contains(anchors(string(there)), anchor) {
				t.Errorf("%s: %s: there is no such heading", file, m[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("only %d links found", links)
	}
}

// anchors are those of a Markdown file's headings, as GitHub makes them.
func anchors(text string) []string {
	var all []string
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			all = append(all, strings.ReplaceAll(strings.ToLower(drop.ReplaceAllString(strings.TrimSpace(heading), "")), " ", "-"))
		}
	}
	return all
}

// codeLines are the lines of the fenced code blocks of a Markdown file that a
// reader would type.
func codeLines(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []string
	in := false
	for s := bufio.NewScanner(f); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "```") {
			in = !in && strings.HasPrefix(line, "```sh")
			continue
		}
		if in {
			line, _, _ = strings.Cut(line, " #")
			lines = append(lines, strings.TrimPrefix(line, "$ "))
		}
	}
	return lines
}

// checkCommand parses a command line as hdbench would, without running it.
func checkCommand(t *testing.T, where, line string) {
	t.Helper()
	line = strings.TrimSuffix(strings.TrimSpace(line), "&")
	line, _, _ = strings.Cut(line, " > ")
	words, err := shellwords.Parse(line)
	if err != nil || len(words) == 0 {
		t.Errorf("%s: %q: %v", where, line, err)
		return
	}
	root := newRoot(&streams{out: io.Discard, err: io.Discard})
	cmd, rest, err := root.Find(words[1:])
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err == nil {
		err = cmd.ValidateRequiredFlags()
	}
	if err != nil {
		t.Errorf("%s: %q: %v", where, line, err)
	}
}

func eachCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, do)
	}
}
