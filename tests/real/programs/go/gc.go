// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

type node struct {
	l, r *node
	v    [4]int
}

func build(d int) *node {
	if d == 0 {
		return &node{}
	}
	return &node{l: build(d - 1), r: build(d - 1)}
}

func (n *node) count() int {
	if n == nil {
		return 0
	}
	return 1 + n.l.count() + n.r.count()
}

func deep(n int) int {
	var pad [256]byte
	pad[n%256] = 1
	if n == 0 {
		return 0
	}
	return deep(n-1) + int(pad[n%256])
}

func main() {
	long := build(16)
	total := 0
	for i := 0; i < 40; i++ {
		total += build(12).count()
	}
	fmt.Println(long.count(), total)
	done := make(chan bool, 1)
	func() {
		x := &node{}
		runtime.SetFinalizer(x, func(*node) { done <- true })
	}()
	for i := 0; i < 10 && len(done) == 0; i++ {
		runtime.GC()
		runtime.Gosched()
	}
	fmt.Println(<-done, deep(100000))
	big := make([]byte, 128<<20)
	for i := 0; i < len(big); i += 4096 {
		big[i] = 1
	}
	big = nil
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Println(m.NumGC > 0, runtime.NumCPU() > 0, len(strings.Repeat("ab", 1000000)), cap(big))
}
