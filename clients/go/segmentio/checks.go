package main

import (
	"fmt"
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
