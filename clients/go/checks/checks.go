// Package checks is what the suites in Go share: how tests are run and told, and the lines of the crossing.
package checks

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Test is one of a suite: it prints one line, `ok NAME` or `FAIL NAME: reason`.
type Test struct {
	Name string
	Body func() error
}

// Run runs the tests of a suite, one after the other.
func Run(tests []Test) {
	for _, test := range tests {
		started := time.Now()
		outcome := "ok " + test.Name
		if err := test.Body(); err != nil {
			outcome = fmt.Sprintf("FAIL %s: %s", test.Name, strings.ReplaceAll(err.Error(), "\n", " "))
		}
		fmt.Printf("%s (%d ms)\n", outcome, time.Since(started).Milliseconds())
	}
	fmt.Println("done")
}

var (
	run     = fmt.Sprintf("%x", time.Now().UnixMilli())
	counter = 0
)

// Fresh is a name that nothing else has.
func Fresh(prefix string) string {
	counter++
	return fmt.Sprintf("%s-%s-%d", prefix, run, counter)
}

// Equal says what was found where something else was expected.
func Equal[T comparable](what string, expected, actual T) error {
	if expected != actual {
		return fmt.Errorf("%s: expected %v, got %v", what, expected, actual)
	}
	return nil
}

// Eventually waits until something holds.
func Eventually(what string, holds func() bool) error {
	for deadline := time.Now().Add(25 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return nil
		}
	}
	return fmt.Errorf("not within 25 s: %s", what)
}

// Line is a record of the crossing: a line of headers, key and value.
type Line struct {
	Headers [][2]string
	Key     []byte
	Value   []byte
}

// LinesIn reads records of the crossing.
func LinesIn(text string) []Line {
	var lines []Line
	for row := range strings.Lines(text) {
		columns := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
		var it Line
		for _, header := range strings.Split(columns[0], ",") {
			name, value, _ := strings.Cut(header, ":")
			it.Headers = append(it.Headers, [2]string{name, value})
		}
		it.Key, it.Value = bytesOf(columns[1]), bytesOf(columns[2])
		lines = append(lines, it)
	}
	return lines
}

// Print writes it as LinesIn reads it.
func (it Line) Print() {
	var headers []string
	for _, header := range it.Headers {
		headers = append(headers, header[0]+":"+header[1])
	}
	fmt.Printf("%s\t%s\t%s\n", strings.Join(headers, ","), textOf(it.Key), textOf(it.Value))
}

func bytesOf(text string) []byte {
	if text == "NULL" {
		return nil
	}
	return []byte(text)
}

func textOf(bytes []byte) string {
	if bytes == nil {
		return "NULL"
	}
	return string(bytes)
}

// ExitOn ends the program where something failed.
func ExitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
