// SPDX-License-Identifier: Apache-2.0
// sg-real: stdin="copied from one descriptor to another\nwithout looking\n"
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	n, err := io.Copy(os.Stdout, os.Stdin)
	fmt.Println(n, err)
	os.WriteFile("a", []byte("from a file\n"), 0o644)
	a, _ := os.Open("a")
	n, err = io.Copy(os.Stdout, a)
	fmt.Println(n, err)
	r, w, _ := os.Pipe()
	go func() {
		a.Seek(0, io.SeekStart)
		io.Copy(w, a)
		w.Close()
	}()
	b, _ := os.Create("b")
	n, err = io.Copy(b, r)
	fmt.Println(n, err)
}
