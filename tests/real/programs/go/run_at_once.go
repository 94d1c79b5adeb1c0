// SPDX-License-Identifier: Apache-2.0
// sg-real: mode=run args="a b" exit=1
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println("go run passes", len(os.Args)-1, "arguments:", os.Args[1:])
	os.Exit(3)
}
