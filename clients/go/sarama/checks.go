package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// The tests of a suite: each prints one line, `ok NAME` or `FAIL NAME: reason`.
type test struct {
	name string
	body func() error
}

func runTests(tests []test) {
	for _, test := range tests {
		started := time.Now()
		outcome := "ok " + test.name
		if err := test.body(); err != nil {
			outcome = fmt.Sprintf("FAIL %s: %s", test.name, strings.ReplaceAll(err.Error(), "\n", " "))
		}
		fmt.Printf("%s (%d ms)\n", outcome, time.Since(started).Milliseconds())
	}
	fmt.Println("done")
}

var (
	run     = fmt.Sprintf("%x", time.Now().UnixMilli())
	counter = 0
)

// A name that nothing else has.
func fresh(prefix string) string {
	counter++
	return fmt.Sprintf("%s-%s-%d", prefix, run, counter)
}

func equal[T comparable](what string, expected, actual T) error {
	if expected != actual {
		return fmt.Errorf("%s: expected %v, got %v", what, expected, actual)
	}
	return nil
}

func eventually(what string, holds func() bool) error {
	for deadline := time.Now().Add(25 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return nil
		}
	}
	return fmt.Errorf("not within 25 s: %s", what)
}

// A record of the crossing, a line of headers, key and value.
type line struct {
	headers [][2]string
	key     []byte
	value   []byte
}

func linesIn(text string) []line {
	var lines []line
	for row := range strings.Lines(text) {
		columns := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
		var it line
		for _, header := range strings.Split(columns[0], ",") {
			name, value, _ := strings.Cut(header, ":")
			it.headers = append(it.headers, [2]string{name, value})
		}
		it.key, it.value = bytesOf(columns[1]), bytesOf(columns[2])
		lines = append(lines, it)
	}
	return lines
}

func (it line) print() {
	var headers []string
	for _, header := range it.headers {
		headers = append(headers, header[0]+":"+header[1])
	}
	fmt.Printf("%s\t%s\t%s\n", strings.Join(headers, ","), textOf(it.key), textOf(it.value))
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

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
